"""Rows grown in place are those of the reference path: the same points give the same tokens."""

import logging
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare
from torch._dynamo.utils import counters

from trainables.families import Diverged
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.gpu import grow
from trainables.families.language.gpu.draw import drawn_by_blocks
from trainables.families.language.gpu.grow import SIZE, Growth, fitting, growable, growth
from trainables.families.language.gpu.keys_values import StaticKeyValues
from trainables.families.language.gpu.update import COMPILING, GAIN
from trainables.families.language.sampling.decoder import KeyValues
from trainables.families.language.sampling.sample import inverse, sample_rows
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream
from trainables.runtime import capture

CONTEXT, WORDS, ROWS = 80, 300, 70


@pytest.fixture(autouse=True)
def afresh(lasting: None) -> None:
    grow._kept.clear()


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """This CPU's rows are grown as a GPU's."""
    monkeypatch.setattr(gpu, "can_grow", growable)


def config(name: str = "llama", **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": CONTEXT, "vocabulary": WORDS, "initializer_range": 0.5}
    return LanguageConfig(architecture=name, **shape | fields)


def real() -> Rows:
    starts = np.arange(ROWS + 1) * 9
    return Rows(np.random.default_rng(0).integers(2, WORDS, starts[-1]).astype(np.uint16), starts)


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sequences": "documents"},
        {"temperature": 0.5, "sequences": "documents"},
        {"top_k": 20},
        {"top_p": 0.7, "temperature": 0.8},
        {"prompts": "prefix", "prompt_tokens": 5, "sequences": "documents"},
        {"prompts": "first_token", "decoding": "greedy"},
    ],
)
def test_rows_are_those_of_the_reference_path(
    name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_same_rows(config(name, **fields), monkeypatch)


def test_rows_of_shared_keys_are_those_of_the_reference_path(monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same_rows(config(overrides={"num_key_value_heads": 1}), monkeypatch)


def assert_same_rows(given: LanguageConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    model = architecture.create(given, 1).eval()
    prompts = real() if given.prompted else None
    expected = sample_rows(given, model, ROWS, Stream("rows"), 1.0, prompts)
    monkeypatch.setattr(gpu, "can_grow", growable)
    found = sample_rows(given, model, ROWS, Stream("rows"), 1.0, prompts)
    rows = [[part.tokens[a:b].tolist() for a, b in pairwise(part.starts)] for part in (found, expected)]
    same = np.mean([one == other for one, other in zip(*rows, strict=True)])
    assert same > 0.95  # a point within rounding of a border leads a row elsewhere


def test_rows_do_not_depend_on_how_many_grow_beside_them(in_place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(sequences="documents")
    model, found = architecture.create(given, 1).eval(), []
    for most in (96, 32):
        grow._kept.clear()
        monkeypatch.setattr(LanguageConfig, "side_by_side", lambda *_, most=most: most)
        found.append(sample_rows(given, model, ROWS, Stream("rows")))
    assert np.array_equal(found[0].starts, found[1].starts)
    assert np.array_equal(found[0].tokens, found[1].tokens)


def test_the_next_model_takes_the_place_of_the_last(in_place: None) -> None:
    """Its rows, and no row of the model that was kept; a model that is used stays what it is."""
    for name in ("gpt2", "llama"):
        given = config(name)
        one, other = (architecture.create(given, seed).eval() for seed in (1, 2))
        before = [p.detach().clone() for p in one.parameters()]
        first = sample_rows(given, one, 40, Stream("rows")).tokens
        kept = next(iter(grow._kept.values()))
        second = sample_rows(given, other, 40, Stream("rows")).tokens
        again = sample_rows(given, one, 40, Stream("rows")).tokens
        assert next(iter(grow._kept.values())) is kept
        assert np.array_equal(first, again)
        assert not np.array_equal(first, second)
        assert all(torch.equal(p, old) for p, old in zip(one.parameters(), before, strict=True))


def test_steps_are_made_once_a_size_and_bucket(in_place: None) -> None:
    given = config()
    model = architecture.create(given, 1).eval()
    for rows in (64, 20, 64):
        sample_rows(given, model, rows, Stream("rows"))
    assert set(next(iter(grow._kept.values()))._steps) == {(64, 64), (64, 128), (32, 64), (32, 128)}


def test_rows_that_ended_leave_at_fixed_sizes(in_place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of four end at place 20; the others are what they are where none ends."""
    given, sizes = config("gpt2", sequences="documents"), []
    model = architecture.create(given, 2).eval()
    whole = sample_rows(given, model, 4 * SIZE, Stream("rows"))
    step, drawn = Growth._step, Growth._drawn

    def ending(self: Growth, logits: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, check = drawn(self, logits, points)
        ends = (self.place >= 20) & (self.alive_R[: len(tokens)] % 4 > 0)
        return tokens.masked_fill(ends, given.eos), check

    monkeypatch.setattr(Growth, "_step", lambda self, rows: (sizes.append(rows), step(self, rows))[1])
    monkeypatch.setattr(Growth, "_drawn", ending)
    found = sample_rows(given, model, 4 * SIZE, Stream("rows"))
    assert sizes[:32] == [4 * SIZE] * 32
    assert set(sizes[32:]) == {SIZE}
    for row in range(4 * SIZE):
        ours, full = (part.tokens[part.starts[row] : part.starts[row + 1]].tolist() for part in (found, whole))
        assert ours == ([*full[:20], given.eos] if row % 4 and len(full) > 20 else full)
    assert found.lengths.max() > 40


def test_a_broken_model_is_reported(in_place: None) -> None:
    given = config()
    model = architecture.create(given, 0).eval()
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(Diverged, match="not finite"):
        sample_rows(given, model, 3, Stream("broken"))


@pytest.mark.parametrize(("temperature", "bias"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5)])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_sampled_tokens_follow_the_models_distribution(
    in_place: None, name: str, temperature: float, bias: float
) -> None:
    given = config(name, context=2, temperature=temperature, layers=1)
    model = architecture.create(given, 0).eval()
    rows = sample_rows(given, model, 20_000, Stream("sampled"), bias)
    counts = np.bincount(rows.tokens[::2], minlength=WORDS)
    with torch.inference_mode():
        logits = model(torch.zeros(1, 1, dtype=torch.long)).logits[0, -1].double()
    expected = torch.softmax(logits / (temperature * bias), dim=-1).numpy() * 20_000
    often = expected >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(expected[often], expected[~often].sum() + 1e-9)
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3


@pytest.mark.parametrize("vocabulary", [7, 64, 258, 2048])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_draws_are_those_of_the_inverse_cumulative_softmax(vocabulary: int, temperature: float) -> None:
    rng = np.random.default_rng(vocabulary)
    logits, points = torch.from_numpy(rng.normal(0, 3, (500, vocabulary))).float(), torch.from_numpy(rng.random(500))
    points[0], points[1] = 0, float(np.nextafter(np.float32(1), np.float32(0)))
    expected = inverse(torch.softmax(logits.double() / temperature, -1), points)
    found, check = drawn_by_blocks(logits, points.float(), torch.tensor(1 / temperature))
    assert bool(torch.isfinite(check))
    assert float((found == expected).float().mean()) > 0.995  # others lie within rounding of a border


@pytest.mark.parametrize("vocabulary", [7, 258, 1000])
def test_a_token_without_a_chance_is_never_drawn_by_blocks(vocabulary: int) -> None:
    logits = torch.full((3, vocabulary), -1e30)
    logits[0, 0] = logits[1, vocabulary // 2] = logits[2, -1] = 0
    for point in (0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))):
        found, _ = drawn_by_blocks(logits, torch.full((3,), point), torch.tensor(1.0))
        assert found.tolist() == [0, vocabulary // 2, vocabulary - 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 20, 257])
def test_a_logit_that_is_no_number_shows(bad: float, place: int) -> None:
    logits = torch.zeros(3, 258)
    logits[1, place] = bad
    found, check = drawn_by_blocks(logits, torch.zeros(3), torch.tensor(1.0))
    assert not bool(torch.isfinite(check))
    assert int(found.max()) < 258


@pytest.mark.parametrize(("heads", "kv_heads", "width"), [(4, 4, 32), (4, 2, 24), (3, 1, 6)])
def test_attention_in_place_is_that_of_plain_products(heads: int, kv_heads: int, width: int) -> None:
    """Over several buckets, before and after rows have left."""
    draws, rows, places = torch.Generator().manual_seed(0), 5, 150
    plain, static = (kind(2, kv_heads, places, width, torch.zeros(1)) for kind in (KeyValues, StaticKeyValues))
    for cache in (plain, static):
        cache.begin(rows)
    for place in range(places):
        if place == 70:
            kept, rows = torch.tensor([4, 1, 2]), 3
            for cache in (plain, static):
                cache.keep(kept)
        static.look(place)
        for layer in range(2):
            q, k, v = (torch.randn(rows, many, width, generator=draws) for many in (heads, kv_heads, kv_heads))
            expected = plain.attend(layer, place, q, k, v, 0.3)
            found = static.attend(layer, torch.tensor([place]), q, k, v, 0.3)
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert static.used == 192


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_steps_give_the_same_rows(in_place: None, backend: str, caplog: pytest.LogCaptureFixture) -> None:
    given = config(layers=1, sequences="documents")
    model = architecture.create(given, 1).eval()
    expected = sample_rows(given, model, 96, Stream("rows"))
    (work,) = grow._kept.values()
    shapes = list(work._steps)
    for shape in shapes:
        work.compile(shape, backend=backend)
    before = counters["stats"]["unique_graphs"]
    found = sample_rows(given, model, 96, Stream("rows"))
    assert counters["stats"]["unique_graphs"] == before + len(shapes)
    assert np.array_equal(found.starts, expected.starts)
    assert np.array_equal(found.tokens, expected.tokens)
    assert not warnings(caplog)
    assert list(work._steps) == shapes  # recorded anew


def test_a_step_that_can_not_be_compiled_runs_as_it_is(in_place: None, caplog: pytest.LogCaptureFixture) -> None:
    given = config()
    model = architecture.create(given, 1).eval()
    expected = sample_rows(given, model, 40, Stream("rows"))
    (work,) = grow._kept.values()

    def broken(*_: object) -> None:
        raise RuntimeError("no compiler here")

    capture._warned.clear()
    for shape in list(work._steps):
        work.compile(shape, backend=broken)
    assert np.array_equal(sample_rows(given, model, 40, Stream("rows")).tokens, expected.tokens)
    (word,) = warnings(caplog)
    assert "can't be compiled here and runs as it is, slower" in word


def test_the_shapes_that_time_goes_into_are_compiled(in_place: None, monkeypatch: pytest.MonkeyPatch) -> None:
    given, made = config(), list[tuple[int, int]]()
    sample_rows(given, architecture.create(given, 1).eval(), 40, Stream("rows"))
    (work,) = grow._kept.values()
    assert not work._reads  # on a CPU none is
    monkeypatch.setattr(Growth, "compile", lambda self, shape: made.append(shape))
    work.device = torch.device("cuda")
    for _ in range(3):
        work._compile_if_it_repays(Counter({(32, 64): 30, (32, 128): 10}), COMPILING / GAIN / 2)
    assert made == [(32, 64)]


def test_a_batch_is_what_is_wanted_and_held() -> None:
    given = config()
    model = architecture.create(given, 1)
    assert fitting(given, model.device, 33) == 64
    assert fitting(given, model.device, 10**6) == given.side_by_side("cuda")
    with torch.inference_mode():
        first = growth(given, model, torch.float32, 64)
        assert growth(given, model, torch.float32, 20) is first
        assert growth(given, model, torch.float32, 96).rows == 96


def test_what_is_searched_or_has_no_lean_decoder_is_not_grown_in_place() -> None:
    plain, other = config(), config("gpt_neox")
    assert growable(plain, architecture.create(plain, 1))
    assert not growable(other, architecture.create(other, 1))
    beams = config(decoding="beam", prompts="first_token")
    assert not growable(beams, architecture.create(beams, 1))
    assert not gpu.can_grow(plain, architecture.create(plain, 1))  # here is no CUDA
