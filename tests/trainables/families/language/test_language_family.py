"""The family at work on a small text: what records hold, who scores, what is shown, and what is refused."""

import itertools
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainables.families import Diverged, World
from trainables.families.language import evaluate, judges
from trainables.families.language import model as architecture
from trainables.families.language.config import EOS, LanguageConfig
from trainables.families.language.evaluate import counts, cross_entropy, row_losses
from trainables.families.language.family import Language, perplexity
from trainables.families.language.metrics import each
from trainables.families.language.token_rows import Rows, join, read
from trainables.lineage import Stream
from trainables.store import MemoryStore, Payload

TEXT = [f"the {a} {b} saw the other {c}" for a in ("old", "red", "wet") for b in ("fox", "cat") for c in range(15)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("text")
    (place / "a.txt").write_text("\n\n".join(TEXT))
    return place


@pytest.fixture(scope="module")
def whole(folder: Path) -> Language:
    return family(folder)


def config(folder: Path, **fields: Any) -> LanguageConfig:
    shape = {"width": 8, "layers": 1, "heads": 2, "context": 12, "vocabulary": 270, "initializer_range": 0.5}
    source = {"kind": "text", "path": str(folder / "a.txt")}
    shape |= {"source": source, "sequences": "documents", "steps": 2, "test": 0.2, "test_rows": 9, "sample_rows": 5}
    return LanguageConfig.model_validate(shape | {"precision": "float32", "sampling_precision": "float32"} | fields)


def family(folder: Path, rows: int = 10, **fields: Any) -> Language:
    return Language(config(folder, **fields), World(rows=rows, replicates=1, seed=0, store=MemoryStore()))


def payload(given: LanguageConfig, seed: int) -> Payload:
    return Payload(tensors=architecture.weights(architecture.create(given, seed)))


def lists(rows: Rows) -> list[list[int]]:
    return [row.tolist() for row in each(rows)]


def by_hand(model: Any, row: list[int]) -> list[float]:
    """−log p of each token given BOS and those before it, by a softmax written out."""
    with torch.inference_mode():
        logits = model(torch.tensor([[0, *row[:-1]]])).logits[0].double()
    return [float(logits[n].exp().sum().log() - logits[n, token]) for n, token in enumerate(row)]


ROWS = join(
    [Rows(np.array(row, np.uint16), np.array([0, len(row)])) for row in ([5, 6, 7], [8], [9, 10, 11, 12], [EOS])]
)


def test_losses_of_rows_are_sums_over_their_own_tokens(whole: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    model = architecture.create(whole.config, 0).eval()
    expected = [sum(by_hand(model, row)) for row in lists(ROWS)]
    for batch in (64, 3):
        monkeypatch.setattr(evaluate, "BATCH", batch)
        assert row_losses(whole.config, model, ROWS) == pytest.approx(expected, rel=1e-5)


def test_a_held_out_loss_is_a_mean_over_tokens_not_over_rows(whole: Language) -> None:
    model = architecture.create(whole.config, 0).eval()
    tokens = [loss for row in lists(ROWS) for loss in by_hand(model, row)]
    assert cross_entropy(whole.config, model, ROWS) == pytest.approx(sum(tokens) / 9, rel=1e-5)
    last = whole.config.model_validate(whole.config.canonical() | {"loss": {"on": "last", "tokens": 2}})
    tail = [loss for row in lists(ROWS) for loss in by_hand(model, row)[-2:]]
    assert cross_entropy(last, model, ROWS) == pytest.approx(sum(tail) / 6, rel=1e-5)


def test_losses_of_records_are_never_truncated(whole: Language) -> None:
    model = architecture.create(whole.config, 0).eval()
    cut = whole.config.model_validate(whole.config.canonical() | {"loss": {"kind": "truncated", "above": 1e-6}})
    assert cross_entropy(cut, model, ROWS) == cross_entropy(whole.config, model, ROWS)


def test_tokens_that_count_are_all_the_last_or_those_after_the_prompt(whole: Language) -> None:
    rows = Rows(ROWS.tokens, ROWS.starts, prompts=np.array([2, 0, 1, 1]))
    of = whole.config.model_copy
    assert counts(whole.config, rows).tolist() == [3, 1, 4, 1]
    last = type(whole.config.loss)(on="last", tokens=3)
    assert counts(of(update={"loss": last}), rows).tolist() == [3, 1, 3, 1]
    response = type(whole.config.loss)(on="response")
    assert counts(of(update={"loss": response}), rows).tolist() == [1, 1, 3, 0]


def test_a_row_of_which_nothing_counts_is_no_loss_and_no_division_by_nothing(whole: Language) -> None:
    rows = Rows(ROWS.tokens[:3], np.array([0, 3]), prompts=np.array([3]))
    given = whole.config.model_copy(update={"loss": type(whole.config.loss)(on="response")})
    model = architecture.create(given, 0).eval()
    assert cross_entropy(given, model, rows) == 0.0
    assert judges.likelihood(given, model, rows).tolist() == [0.0]


def test_a_loss_that_is_no_number_is_told(whole: Language) -> None:
    model = architecture.create(whole.config, 0).eval()
    with torch.no_grad():
        model.transformer.ln_f.weight.fill_(math.nan)
    with pytest.raises(Diverged, match=r"^the loss on held-out rows is not finite$"):
        cross_entropy(whole.config, model, ROWS)


def test_a_perplexity_is_the_exponential_of_a_loss_while_a_number_can_hold_it() -> None:
    assert perplexity(math.log(7.5)) == pytest.approx(7.5)
    assert perplexity(0.0) == 1.0
    assert perplexity(1e6) == perplexity(700.0) == math.exp(700) < math.inf


def test_real_rows_are_the_training_rows_in_an_order_of_the_seeds_own(folder: Path, whole: Language) -> None:
    train = lists(whole.text.train)
    taken = lists(read(whole.real(0, len(train))))
    assert sorted(taken) == sorted(train)
    assert taken != train
    assert lists(read(whole.real(3, 4))) == taken[3:7]
    other = Language(whole.config, World(rows=10, replicates=1, seed=1, store=MemoryStore()))
    assert lists(read(other.real(0, 10))) != taken[:10]
    assert whole.real(0, 4).meta["skipped"] == whole.text.skipped


def test_more_rows_than_there_are_is_one_line(whole: Language) -> None:
    held = whole.text.train.rows
    whole.real(held - 2, 2)
    with pytest.raises(
        ValueError, match=rf"^rows: real rows {held - 1} to {held + 1}, but the training split holds {held}$"
    ):
        whole.real(held - 1, 2)


def test_held_out_rows_are_the_test_rows_and_then_those_of_validation(whole: Language) -> None:
    assert lists(read(whole.held_out())) == lists(whole.text.test) + lists(whole.text.validation)


def test_the_first_held_out_rows_are_judged(folder: Path, whole: Language) -> None:
    assert lists(whole.judged_rows) == lists(whole.text.test)[:9]
    assert lists(whole.validation_rows) == lists(whole.text.validation)[:9]
    most = family(folder, test_rows=10_000)
    assert lists(most.judged_rows) == lists(whole.text.test)


def test_a_record_holds_its_loss_and_what_a_model_without_knowledge_would_have(folder: Path) -> None:
    bare = family(folder, sample_rows=0)
    held, model = payload(bare.config, 0), architecture.create(bare.config, 0).eval()
    found = bare.evaluate(held, Stream("e"))
    assert found.test_loss == cross_entropy(bare.config, model, bare.judged_rows)
    skipped = {f"source_{why}": float(many) for why, many in bare.text.skipped.items()}
    expected = {"uniform_loss": math.log(270), "perplexity": math.exp(found.test_loss)} | skipped
    assert found.metrics == pytest.approx(expected)
    assert set(skipped) == {"source_empty", "source_repeated", "source_truncated"} | ({"source_seen"} & set(skipped))
    assert found.files == {}
    assert bare.compare(held, held, Stream("e")) == {}
    assert bare.validate(held) == cross_entropy(bare.config, model, bare.validation_rows)


def test_samples_are_judged_by_model_one(whole: Language) -> None:
    first, other = (payload(whole.config, seed) for seed in (0, 1))
    sampled = whole.samples(other, Stream("e"))
    model = architecture.create(whole.config, 0).eval()
    tokens = [loss for row in lists(sampled) for loss in by_hand(model, row)]
    found = whole.compare(other, first, Stream("e"))
    assert found == {"perplexity_under_first": pytest.approx(math.exp(np.mean(tokens)), rel=1e-4)}
    assert sampled.rows == 5


def test_models_disagree_by_a_mean_over_all_pairs_of_them(whole: Language) -> None:
    test = whole.judged_rows
    models = [payload(whole.config, seed) for seed in range(4)]
    per_token = [
        row_losses(whole.config, architecture.create(whole.config, seed).eval(), test) / test.lengths
        for seed in range(4)
    ]
    pairs = [np.mean((one - other) ** 2) for one, other in itertools.combinations(per_token, 2)]
    found = whole.disagree(models, Stream("d"))["disagreement"]
    assert found == pytest.approx([np.mean(pairs)], rel=1e-4)
    assert whole.disagree([models[0]] * 3, Stream("d"))["disagreement"] == pytest.approx([0.0], abs=1e-12)


def test_rows_are_prompted_by_those_of_batch_nought_in_turn(folder: Path) -> None:
    asked = family(folder, rows=4, prompts="first_token")
    real = lists(read(asked.real(0, 4)))
    found = asked.prompting(6)
    assert found is not None
    assert lists(found) == [*real, *real[:2]]
    assert family(folder).prompting(6) is None
    later = asked.begun_at(5)
    found = later.prompting(2)
    assert found is not None
    assert lists(found) == lists(read(asked.real(5, 2)))


def test_a_batch_taken_apart_keeps_its_rows(whole: Language) -> None:
    batch = whole.real(0, 6)
    rows = lists(read(batch))
    taken = whole.take(batch, np.array([4, 1, 1]))
    assert lists(read(taken)) == [rows[4], rows[1], rows[1]]
    assert taken.meta["rows"] == 3
    assert taken.meta["tokens"] == sum(len(rows[n]) for n in (4, 1, 1))


def test_an_edited_batch_says_which_share_of_its_tokens_was_drawn_again(whole: Language) -> None:
    real, held = whole.real(0, 6), payload(whole.config, 0)
    model = architecture.create(whole.config, 0).eval()
    losses = [(token, loss) for row in lists(read(real)) for token, loss in zip(row, by_hand(model, row), strict=True)]
    threshold = math.exp(-sorted(loss for _, loss in losses)[len(losses) // 2] - 1e-6)
    likely = [token != EOS and math.exp(-loss) >= threshold for token, loss in losses]
    edited = whole.edit(held, real, threshold, Stream("t"))
    assert edited.meta["edited"] == pytest.approx(np.mean(likely))
    assert 0 < edited.meta["edited"] < 1
    assert whole.edit(held, real, 1.1, Stream("t")).meta["edited"] == 0.0
    assert lists(read(whole.edit(held, real, 1.1, Stream("t")))) == lists(read(real))


def test_each_kind_of_judge_scores_by_its_own_model(folder: Path) -> None:
    asked = family(folder, reference_size="0.1M", layers=2, width=8)
    real, made = asked.real(0, 8), asked.real(8, 8)
    reference = asked.judge("reference", real, None, Stream("j"))
    assert reference.tensors["transformer.wte.weight"].shape == (270, 48)
    model = architecture.load(asked.config.reference, reference.tensors)
    rows = lists(read(made))
    expected = [-np.mean(by_hand(model, row)) for row in rows]
    assert asked.score("reference", reference, made, Stream("s")) == pytest.approx(expected, rel=1e-4)
    first = payload(asked.config, 0)
    model = architecture.create(asked.config, 0).eval()
    expected = [-np.mean(by_hand(model, row)) for row in rows]
    assert asked.score("first", first, made, Stream("s")) == pytest.approx(expected, rel=1e-4)
    detector = asked.judge("detector", real, made, Stream("j"))
    assert set(detector.tensors) == {"weights", "intercept"}
    chances = asked.score("detector", detector, made, Stream("s"))
    assert chances == pytest.approx(judges.realness(asked.config, detector, read(made)))


def test_samples_are_shown_as_text_between_dashes(whole: Language) -> None:
    ids = [whole.text.tokenizer.encode(word).ids for word in ("old fox", "red cat")]
    rows = join([Rows(np.array([*row, EOS], np.uint16), np.array([0, len(row) + 1])) for row in ids])
    assert whole._shown(rows).decode() == "old fox⏎\n\n" + "-" * 40 + "\nred cat⏎\n"
    many = join([rows] * 10)
    assert whole._shown(many).decode().count("-" * 40) == 15, "sixteen samples of twenty"


def test_a_record_without_its_samples_still_stands(
    whole: Language, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Language, "_shown", lambda self, rows: 1 / 0)
    with caplog.at_level(logging.WARNING):
        found = whole.evaluate(payload(whole.config, 0), Stream("e"))
    assert found.files == {}
    assert caplog.messages == ["samples.txt is left out: ZeroDivisionError: division by zero"]
    assert "entropy" in found.metrics


def test_fits_say_how_many_parameters_they_have(whole: Language) -> None:
    from trainables.corpus import Batch, Corpus, RealisedDraw

    real = whole.real(0, 6)
    corpus = Corpus((RealisedDraw((Batch(0, "0" * 32, 6, lambda: real),), None, 1.0),))
    found = whole.fit(corpus, Stream("f"))
    assert found.meta == {"parameters": whole.config.parameters}
    assert sum(value.size for value in found.tensors.values()) == whole.config.parameters
    again = whole.fine_tune(found, corpus, Stream("g"))
    assert any(not np.array_equal(found.tensors[name], again.tensors[name]) for name in found.tensors)
