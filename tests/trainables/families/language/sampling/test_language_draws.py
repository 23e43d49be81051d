"""Draws by plain loops over cumulative chances; prompts and ends by lists; rows that do not know of each other."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from trainables.families import Diverged
from trainables.families.language import model as architecture
from trainables.families.language.config import EOS, LanguageConfig, footprint
from trainables.families.language.metrics import each
from trainables.families.language.sampling import block_size, cut, first_above, inverse, sample_rows, tempered
from trainables.families.language.sampling import sample as sampling
from trainables.families.language.sampling.prompts import Prompts, by_turns, prompts_of
from trainables.families.language.sampling.sample import drawn
from trainables.families.language.token_rows import Rows, join
from trainables.lineage import Stream


def config(**fields: Any) -> LanguageConfig:
    shape = {"width": 8, "layers": 1, "heads": 2, "context": 6, "vocabulary": 260, "initializer_range": 0.8}
    return LanguageConfig.model_validate(shape | {"sampling_precision": "float32"} | fields)


def rows_of(*lists: list[int], given: list[int] | None = None) -> Rows:
    prompts = [None] * len(lists) if given is None else [np.array([many]) for many in given]
    return join(
        [
            Rows(np.array(row, np.uint16), np.array([0, len(row)]), prompts=p)
            for row, p in zip(lists, prompts, strict=True)
        ]
    )


def first_past(chances: list[float], point: float) -> int:
    """The first token at which the running sum exceeds the point's share of all."""
    target, running = point * math.fsum(chances), 0.0
    for token, chance in enumerate(chances):
        running += chance
        if running > target:
            return token
    raise AssertionError("a point is below 1")


@pytest.mark.parametrize("vocabulary", [2, 3, 16, 17, 60])
def test_a_draw_is_the_first_token_past_its_point(vocabulary: int) -> None:
    """Chances are multiples of 1/1024 and points lie half way between, so that no sum is rounded."""
    rng = np.random.default_rng(vocabulary)
    parts = rng.multinomial(1024, rng.dirichlet(np.full(vocabulary, 0.5)), 64)
    points = (rng.integers(0, 1024, 64) + 0.5) / 1024
    found = inverse(torch.from_numpy(parts / 1024).float(), torch.from_numpy(points).float())
    assert found.tolist() == [first_past(list(row / 1024), p) for row, p in zip(parts, points, strict=True)]


def test_a_point_at_a_border_goes_to_the_later_token() -> None:
    chances = torch.tensor([[0.25, 0.25, 0.0, 0.5]]).expand(5, 4)
    assert inverse(chances, torch.tensor([0.0, 0.249, 0.25, 0.5, 0.999])).tolist() == [0, 0, 1, 3, 3]


def test_chances_need_not_sum_to_one() -> None:
    chances = torch.tensor([[1.0, 2.0, 5.0]]).expand(4, 3)
    assert inverse(chances, torch.tensor([0.1, 0.125, 0.37, 0.376])).tolist() == [0, 1, 1, 2]


def test_chances_that_are_no_numbers_lead_to_a_token() -> None:
    found = inverse(torch.full((2, 10), math.nan), torch.tensor([0.0, 0.9]))
    assert ((found >= 0) & (found < 10)).all()


@pytest.mark.parametrize(
    ("vocabulary", "block"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (12, 3), (16, 4), (17, 4), (260, 13), (512, 16), (50257, 224)],
)
def test_blocks_are_about_the_root_and_divide_where_a_number_near_does(vocabulary: int, block: int) -> None:
    """260 = 20 · 13, 512 = 32 · 16; 50257 = 29 · 1733 has no divisor between 112 and its root, 224."""
    assert block_size(vocabulary) == block


def test_the_first_column_above_a_target() -> None:
    table = torch.tensor([[0.1, 0.4, 0.4, 1.0]]).expand(5, 4).contiguous()
    targets = torch.tensor([[0.0], [0.1], [0.4], [0.99], [1.0]])
    assert first_above(table, targets).tolist() == [0, 1, 3, 3, 3]


def test_a_temperature_divides_logits() -> None:
    """Of logits 0 and ln 3 chances are 1/4 and 3/4; at one half, 1/10 and 9/10; at 2, 1 and √3 of their sum."""
    logits = torch.tensor([[0.0, math.log(3)]])
    assert tempered(logits, 1.0)[0].tolist() == pytest.approx([0.25, 0.75])
    assert tempered(logits, 0.5)[0].tolist() == pytest.approx([0.1, 0.9])
    assert tempered(logits, 2.0)[0].tolist() == pytest.approx([1 / (1 + 3**0.5), 3**0.5 / (1 + 3**0.5)])
    assert tempered(logits.bfloat16(), 1.0).dtype == torch.float32


def kept(chances: list[float], **fields: Any) -> list[float]:
    return cut(config(**fields), torch.tensor([chances]))[0].tolist()


def test_cuts_leave_chances_as_they_are_and_others_at_zero() -> None:
    chances = [0.125, 0.5, 0.25, 0.125]
    assert kept(chances, top_k=1) == [0, 0.5, 0, 0]
    assert kept(chances, top_k=2) == [0, 0.5, 0.25, 0]
    assert kept(chances, top_k=4) == kept(chances, top_k=0) == kept(chances, top_k=9) == chances
    assert kept(chances, top_k=3) == chances, "of equals at the border none is left out"


def test_a_mass_is_reached_by_the_fewest_tokens() -> None:
    chances = [0.125, 0.5, 0.25, 0.125]
    assert kept(chances, top_p=0.5) == [0, 0.5, 0, 0]
    assert kept(chances, top_p=0.51) == [0, 0.5, 0.25, 0]
    assert kept(chances, top_p=0.75) == [0, 0.5, 0.25, 0]
    assert kept(chances, top_p=1e-6) == [0, 0.5, 0, 0]
    assert kept(chances, top_p=1.0) == chances


def test_a_mass_is_of_what_the_first_cut_has_left() -> None:
    """Of 1/2 and 1/4 the first is two thirds, which reaches 0.6 and not 0.7 of them."""
    chances = [0.125, 0.5, 0.25, 0.125]
    assert kept(chances, top_k=2, top_p=0.6) == [0, 0.5, 0, 0]
    assert kept(chances, top_k=2, top_p=0.7) == [0, 0.5, 0.25, 0]


@pytest.mark.parametrize("fields", [{"top_k": 3}, {"top_p": 0.6}, {"top_k": 5, "top_p": 0.8}])
def test_cut_draws_are_those_of_a_loop_over_what_is_left(fields: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 2, (60, 12))).float()
    points = torch.from_numpy(rng.random(60)).float()
    tokens, check = drawn(config(**fields), logits.clone(), points, 0.7)
    for row, token, point in zip(torch.softmax(logits.double() / 0.7, -1).tolist(), tokens, points, strict=True):
        ranked = sorted(range(12), key=lambda t: -row[t])[: fields.get("top_k", 12)]
        mass, left = math.fsum(row[t] for t in ranked), []
        for t in ranked:
            if math.fsum(row[s] for s in left) < fields.get("top_p", 1.0) * mass:
                left.append(t)
        assert int(token) == first_past([row[t] if t in left else 0.0 for t in range(12)], float(point))
    assert math.isfinite(float(check))


def test_greedy_takes_the_first_of_the_likeliest_whatever_the_point_and_temperature() -> None:
    given = config(decoding="greedy", prompts="first_token")
    logits = torch.tensor([[0.0, 2.0, 2.0], [5.0, 1.0, 2.0]])
    tokens, check = drawn(given, logits, torch.tensor([0.99, 0.99]), 0.1)
    assert tokens.tolist() == [1, 0]
    assert float(check) == 7.0


@pytest.mark.parametrize("fields", [{}, {"top_k": 3}, {"decoding": "greedy", "prompts": "first_token"}])
def test_a_row_of_logits_that_are_no_numbers_shows_in_the_check(fields: dict[str, Any]) -> None:
    logits = torch.zeros(3, 260)
    logits[1, 0] = math.nan
    assert not math.isfinite(float(drawn(config(**fields), logits, torch.full((3,), 0.5), 1.0)[1]))


def test_prompts_are_what_rows_begin_with() -> None:
    real = rows_of([5, 6, 7, EOS], [8, EOS], [9, 10, EOS])
    documents = {"sequences": "documents"}
    one = prompts_of(config(**documents, prompts="first_token"), real, 3)
    assert (one.tokens.tolist(), one.lengths.tolist()) == ([[5], [8], [9]], [1, 1, 1])
    more = prompts_of(config(**documents, prompts="prefix", prompt_tokens=2), real, 3)
    assert more.lengths.tolist() == [2, 1, 2], "an EOS is never given"
    assert [row[:many].tolist() for row, many in zip(more.tokens, more.lengths, strict=True)] == [[5, 6], [8], [9, 10]]
    assert more.inside.tolist() == [[True, True], [True, False], [True, True]]


def test_rows_of_fixed_length_may_begin_with_an_end_of_a_document() -> None:
    real = Rows.fixed(np.array([EOS, 4, 5, 6, 7, 8], np.uint16), 6)
    found = prompts_of(config(prompts="prefix", prompt_tokens=3), real, 1)
    assert (found.tokens.tolist(), found.lengths.tolist()) == ([[EOS, 4, 5]], [3])


def test_prompts_of_a_source_are_its_own_and_may_be_empty() -> None:
    source = {"kind": "text", "path": "p.jsonl", "column": "r", "prompt_column": "p"}
    given = config(source=source, sequences="documents", prompts="source", prompt_tokens=1)
    found = prompts_of(given, rows_of([5, 6, 7, EOS], [8, EOS], given=[3, 0]), 2)
    assert found.lengths.tolist() == [3, 0]
    assert found.tokens[0].tolist() == [5, 6, 7]
    none = prompts_of(given, rows_of([8, EOS], given=[0]), 1)
    assert (none.tokens.shape, none.inside.any()) == ((1, 1), np.False_)


def test_without_real_rows_nothing_is_given() -> None:
    found = prompts_of(config(), None, 4)
    assert (found.tokens.shape, found.lengths.tolist(), found.inside.any()) == ((4, 1), [0] * 4, np.False_)
    assert found.part(slice(1, 3)).lengths.tolist() == [0, 0]


def test_prompts_of_several_models_take_turns() -> None:
    one = Prompts(np.array([[1, 2], [3, 4]]), np.array([2, 1]))
    other = Prompts(np.array([[5, 6, 7], [8, 9, 10]]), np.array([3, 0]))
    found = by_turns([one, other])
    assert found.tokens.tolist() == [[1, 2, 0], [5, 6, 7], [3, 4, 0], [8, 9, 10]]
    assert found.lengths.tolist() == [2, 3, 1, 0]
    assert by_turns([one]) is one


def ended(tokens: list[list[int]], given: list[int], **fields: Any) -> list[list[int]]:
    found = sampling._cut(config(context=4, **fields), np.array(tokens), np.array(given))
    return [row.tolist() for row in each(found)]


def test_documents_end_with_the_first_eos_behind_their_prompt() -> None:
    tokens = [[5, EOS, 6, EOS], [EOS, 5, 6, 7], [5, 6, 7, 8], [5, EOS, EOS, 6]]
    documents = {"sequences": "documents", "prompts": "first_token"}
    assert ended(tokens, [0, 0, 0, 0], **documents) == [[5, EOS], [EOS], [5, 6, 7, 8], [5, EOS]]
    assert ended(tokens, [2, 1, 3, 2], **documents) == [tokens[0], tokens[1], tokens[2], [5, EOS, EOS]]
    bare = ended(tokens, [2, 1, 3, 2], **documents, keep_prompts=False)
    assert bare == [[6, EOS], [5, 6, 7], [8], [EOS]]


def test_rows_of_fixed_length_are_whole_or_shorter_by_their_prompt() -> None:
    tokens = [[5, EOS, 6, EOS], [EOS, 5, 6, 7]]
    assert ended(tokens, [2, 2], prompts="prefix", prompt_tokens=2) == tokens
    assert ended(tokens, [2, 1], prompts="prefix", prompt_tokens=2, keep_prompts=False) == [[6, EOS], [5, 6, 7]]
    assert ended(tokens, [0, 0], keep_prompts=False) == tokens


def test_only_pairs_whose_prompt_stays_say_how_long_it_is() -> None:
    source = {"kind": "text", "path": "p.jsonl", "column": "r", "prompt_column": "p"}
    fields = {"source": source, "sequences": "documents", "prompts": "source", "context": 4}
    tokens, given = np.array([[5, 6, 7, EOS]]), np.array([2])
    assert sampling._cut(config(**fields), tokens, given).given.tolist() == [2]
    assert sampling._cut(config(**fields, keep_prompts=False), tokens, given).prompts is None
    assert sampling._cut(config(**fields | {"prompts": "first_token"}), tokens, given).prompts is None


@pytest.fixture(scope="module")
def model() -> Any:
    return architecture.create(config(), 2).eval()


@pytest.mark.parametrize("fields", [{}, {"sequences": "documents", "context": 40}, {"decoding": "beam", "beams": 3}])
def test_rows_do_not_depend_on_how_many_are_sampled_at_a_time(
    model: Any, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"prompts": "prefix", "prompt_tokens": 2} | fields
    given = config(**fields)
    whose = architecture.create(given, 2).eval() if "context" in fields else model
    real = rows_of(*[[5 + n, 6, 7, EOS] for n in range(11)])
    found = []
    for most in (64, 3):
        monkeypatch.setitem(footprint.SIDE_BY_SIDE, "cpu", (most, most))
        found.append(sample_rows(given, whose, 11, Stream("s"), 1.0, real))
    assert found[0].tokens.tolist() == found[1].tokens.tolist()
    assert found[0].starts.tolist() == found[1].starts.tolist()


def test_fewer_rows_of_a_stream_are_the_first_of_more(model: Any) -> None:
    few, many = (sample_rows(config(), model, rows, Stream("s")) for rows in (3, 8))
    assert few.tokens.tolist() == many.tokens[: 3 * 6].tolist()


def test_a_bias_is_a_temperature(model: Any) -> None:
    one = sample_rows(config(temperature=0.5), model, 20, Stream("s"), 0.5)
    assert one.tokens.tolist() == sample_rows(config(temperature=0.25), model, 20, Stream("s")).tokens.tolist()
    assert one.tokens.tolist() != sample_rows(config(temperature=0.5), model, 20, Stream("s")).tokens.tolist()


def test_a_cold_sample_is_the_greedy_one(model: Any) -> None:
    real = rows_of(*[[5 + n, 6] for n in range(8)])
    cold = sample_rows(config(temperature=1e-4, prompts="first_token"), model, 8, Stream("s"), 1.0, real)
    greedy = sample_rows(config(decoding="greedy", prompts="first_token"), model, 8, Stream("t"), 1.0, real)
    assert cold.tokens.tolist() == greedy.tokens.tolist()


@pytest.mark.parametrize("fields", [{"top_k": 4}, {"decoding": "beam", "beams": 2, "prompts": "first_token"}])
def test_a_broken_model_is_told_however_it_is_decoded(fields: dict[str, Any]) -> None:
    given = config(**fields)
    broken = architecture.create(given, 0).eval()
    with torch.no_grad():
        broken.transformer.ln_f.weight.fill_(math.nan)
    real = rows_of([5, 6], [7, 8]) if given.prompted else None
    with pytest.raises(Diverged, match=r"^sampling: the model's probabilities are not finite$"):
        sample_rows(given, broken, 2, Stream("s"), 1.0, real)
