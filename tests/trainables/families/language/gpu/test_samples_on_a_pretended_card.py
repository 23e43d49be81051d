"""Rows sampled, edited and judged as on a card: steps recorded, nothing refused, and a CPU's rows."""

import contextlib
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.pretend_card import Card
from tests.support.pretend_cuda import on_a_cpu
from trainables.families.lanes import lane_of
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.evaluate import row_losses
from trainables.families.language.gpu import grow
from trainables.families.language.gpu.grow import LOOK_EVERY, Growth
from trainables.families.language.replicates import judging
from trainables.families.language.replicates.decoder import StackDecoder
from trainables.families.language.sampling import edit_rows, sample_rows, sample_together
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream
from trainables.runtime import Captured
from trainables.store import Payload

CONTEXT, WORDS, ROWS = 80, 260, 70
GREEDY = {"prompts": "first_token", "decoding": "greedy"}


def config(name: str, **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": CONTEXT, "vocabulary": WORDS, "initializer_range": 0.5}
    words = {"precision": "float32", "sampling_precision": "float32"}
    return LanguageConfig(architecture=name, **shape | words | fields)


def real(count: int = ROWS) -> Rows:
    starts = np.arange(count + 1) * 9
    return Rows(np.random.default_rng(0).integers(2, WORDS, starts[-1]).astype(np.uint16), starts)


def weights(given: LanguageConfig, seed: int = 1) -> dict[str, np.ndarray]:
    return architecture.weights(architecture.create(given, seed))


def sampled(given: LanguageConfig, device: str, monkeypatch: pytest.MonkeyPatch, seed: int = 1) -> Rows:
    with on_a_cpu(monkeypatch) if device == "cpu" else contextlib.nullcontext():
        model = architecture.load(given, weights(given, seed))
        return sample_rows(given, model, ROWS, Stream("rows"), 1.0, real() if given.prompted else None)


def alike(found: Rows, expected: Rows) -> float:
    """Share of rows that are the same: a point within rounding of a border leads a row elsewhere."""
    rows = [[part.tokens[a:b].tolist() for a, b in pairwise(part.starts)] for part in (found, expected)]
    return float(np.mean([one == other for one, other in zip(*rows, strict=True)]))


def steps() -> list[Captured]:
    (work,) = grow._kept.values()
    return list(work._steps.values())


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sequences": "documents", "temperature": 0.5},
        {"top_k": 20},
        {"top_p": 0.7, "sequences": "documents"},
        {"prompts": "prefix", "prompt_tokens": 5, "sequences": "documents"},
        GREEDY,
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_rows_are_a_cpus(card: Card, name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given = config(name, **fields)
    found = sampled(given, "cuda", monkeypatch)
    assert all(step.recorded == (step._calls > 3) for step in steps())
    assert card.replays > 60
    assert alike(found, sampled(given, "cpu", monkeypatch)) > 0.95


@pytest.mark.parametrize("fields", [{}, {"top_p": 0.9}, GREEDY], ids=str)
@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen3"])
def test_rows_in_halves(card: Card, name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Most begin as a CPU's do."""
    given = config(name, sampling_precision="auto", **fields)
    found = sampled(given, "cuda", monkeypatch).tokens.reshape(ROWS, CONTEXT)
    (work,) = grow._kept.values()
    assert work.cache.held.dtype == torch.bfloat16
    assert all(step.recorded for step in steps())
    expected = sampled(given, "cpu", monkeypatch).tokens.reshape(ROWS, CONTEXT)
    assert (found[:, :2] == expected[:, :2]).mean() > 0.8
    assert found.max() < WORDS


def test_rows_leave_and_later_models_go_on_with_the_recordings(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents end at place 20 but for one of four; steps of each size and bucket are recorded once."""
    given, drawn, last = config("gpt2", sequences="documents"), Growth._drawn, []

    def ending(self: Growth, logits: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, check = drawn(self, logits, points)
        ends = (self.place >= 20) & (self.alive_R[: len(tokens)] % 4 > 0)
        return tokens.masked_fill(ends, given.eos), check

    monkeypatch.setattr(Growth, "_drawn", ending)
    for seed in (1, 2, 1):
        found = sampled(given, "cuda", monkeypatch, seed)
        last.append(found.tokens)
        assert (found.lengths <= 21).sum() >= 52
    (work,) = grow._kept.values()
    assert set(work._steps) == {(96, 64), (32, 64), (32, 128)}
    assert all(step.recorded for step in steps())
    assert np.array_equal(last[0], last[2])
    assert not np.array_equal(last[0], last[1])


def test_growth_waits_for_the_card_every_so_many_places(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    given = config("llama", sequences="documents")
    sampled(given, "cuda", monkeypatch)
    card.waits.clear()
    sampled(given, "cuda", monkeypatch)
    waits = sum(count for place, count in card.waits.items() if "gpu/grow" in place and place.startswith("_local"))
    assert waits <= CONTEXT // LOOK_EVERY + 1
    assert sum(count for place, count in card.waits.items() if "gpu/" in place) <= waits + 4


def test_another_makes_memory_and_torchs_own_is_free_for_the_next(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room is asked for when the last make has gone, and torch has given back what it kept."""
    given_back: list[bool] = []

    def free(device: Any = None) -> tuple[int, int]:
        return (0 if grow._kept or not given_back else 2**36), 2**37

    monkeypatch.setattr(torch.cuda, "mem_get_info", free)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    for name in ("gpt2", "llama"):
        given_back.clear()
        sampled(config(name, context=24), "cuda", monkeypatch)
        (work,) = grow._kept.values()
        assert work.rows == 96


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_rows_of_models_side_by_side_are_those_of_each(
    card: Card, name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = config(name, sequences="documents", sampling_precision=precision)
    models = [Payload(tensors=weights(given, seed)) for seed in range(3)]
    streams = [lane_of(Stream("rows"), number) for number in range(3)]
    stack = judging.stack_of(given, models)
    decoder = StackDecoder(stack, CONTEXT, architecture.sampling_dtype(given), gpu.StaticKeyValues)
    work = gpu.growth_of(given, decoder, decoder.make, 3 * 40, 3)
    found = sample_together(given, work, 40, streams, 1.0, [None] * 3)
    assert any(step.recorded for step in steps())
    losses = judging.row_losses(given, stack, found if len({rows.rows for rows in found}) == 1 else [])
    with on_a_cpu(monkeypatch):
        for number, (one, stream, rows) in enumerate(zip(models, streams, found, strict=True)):
            model = architecture.load(given, one.tensors)
            expected = sample_rows(given, model, 40, stream)
            assert alike(rows, expected) > (0.95 if precision == "float32" else -1)
            np.testing.assert_allclose(losses[number], row_losses(given, model, rows), rtol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "auto"])
@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox"])
def test_losses_and_edits_are_a_cpus(card: Card, name: str, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, losses, edits = config(name, precision=precision, sequences="documents"), [], []
    for here in (contextlib.nullcontext(), on_a_cpu(monkeypatch)):
        with here:
            model = architecture.load(given, weights(given))
            losses.append(row_losses(given, model, real()))
            edits.append(edit_rows(given, model, real(), 0.003, Stream("edit")))
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5 if precision == "float32" else 0.02)
    assert edits[0][1] == pytest.approx(edits[1][1], abs=0.03)
    if precision == "float32":
        assert np.mean(edits[0][0].tokens == edits[1][0].tokens) > 0.99


@pytest.mark.parametrize("fields", [GREEDY | {"decoding": "beam", "beams": 2}, {"sequences": "documents"}], ids=str)
@pytest.mark.parametrize("name", ["llama", "gpt_neox"])
def test_what_is_not_recorded_is_sampled_all_the_same(
    card: Card, name: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beams, and architectures without a lean decoder."""
    given = config(name, **{"context": 24} | fields)
    assert alike(sampled(given, "cuda", monkeypatch), sampled(given, "cpu", monkeypatch)) > 0.95
