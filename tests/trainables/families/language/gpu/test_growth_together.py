"""Models whose rows grow in one batch, each by its own weights and stream, give the rows of each alone."""

from typing import Any

import numpy as np
import pytest
import torch

from trainables import Cell
from trainables.families.base import Diverged
from trainables.families.lanes import lane, lane_of
from trainables.families.language import gpu
from trainables.families.language import model as architecture
from trainables.families.language.config import LanguageConfig
from trainables.families.language.gpu import grow
from trainables.families.language.replicates import judging
from trainables.families.language.replicates import layers as layers_of
from trainables.families.language.replicates.decoder import StackDecoder
from trainables.families.language.sampling import sample_rows, sample_together
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload
from trainables.testing.bench import content

CONTEXT, WORDS, ROWS, COUNT = 80, 300, 40, 3


@pytest.fixture(autouse=True)
def afresh(lasting: None) -> None:
    grow._kept.clear()


def config(name: str, **fields: Any) -> LanguageConfig:
    shape = {"width": 16, "layers": 2, "heads": 2, "context": CONTEXT, "vocabulary": WORDS, "initializer_range": 0.5}
    return LanguageConfig(architecture=name, **shape | fields)


def models_of(given: LanguageConfig, count: int = COUNT) -> list[Payload]:
    return [Payload(tensors=architecture.weights(architecture.create(given, seed))) for seed in range(count)]


def real(number: int) -> Rows:
    """Rows that give prompts, of other lengths for each model."""
    rng = np.random.default_rng(number)
    starts = np.concatenate([[0], np.cumsum(rng.integers(2, 8 + number, ROWS))])
    return Rows(rng.integers(2, WORDS, starts[-1]).astype(np.uint16), starts)


def together(given: LanguageConfig, models: list[Payload], dtype: torch.dtype = torch.float32) -> list[Rows]:
    stack = judging.stack_of(given, models)
    decoder = StackDecoder(stack, CONTEXT, dtype, gpu.StaticKeyValues)
    work = gpu.growth_of(given, decoder, decoder.make, ROWS * len(models), len(models))
    prompts = [real(number) if given.prompted else None for number in range(len(models))]
    streams = [lane_of(Stream("rows"), number) for number in range(len(models))]
    return sample_together(given, work, ROWS, streams, 1.0, prompts)


def alone(given: LanguageConfig, models: list[Payload]) -> list[Rows]:
    found = []
    for number, one in enumerate(models):
        prompts = real(number) if given.prompted else None
        its = architecture.load(given, one.tensors)
        found.append(sample_rows(given, its, ROWS, lane_of(Stream("rows"), number), 1.0, prompts))
    return found


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", ["gpt2", "llama"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sequences": "documents", "temperature": 0.7},
        {"top_p": 0.7},
        {"prompts": "prefix", "prompt_tokens": 5, "sequences": "documents"},
        {"decoding": "greedy", "prompts": "first_token"},
    ],
)
def test_rows_are_those_of_each_model_alone(
    name: str, fields: dict[str, Any], compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(layers_of, "_compiled", lambda x: False)
    given = config(name, **fields)
    models = models_of(given)
    for ours, its in zip(together(given, models), alone(given, models), strict=True):
        assert ours.rows == its.rows == ROWS
        rows = [
            [part.tokens[part.starts[n] : part.starts[n + 1]].tolist() for n in range(ROWS)] for part in (ours, its)
        ]
        same = np.mean([one == other for one, other in zip(*rows, strict=True)])
        assert same >= 0.9  # a point within rounding of a border leads a row elsewhere


def test_models_that_come_later_take_the_place_of_the_first() -> None:
    given = config("llama")
    models = models_of(given, 4)
    first = together(given, models[:3])
    (kept,) = grow._kept.values()
    second = together(given, models[1:])
    assert tuple(grow._kept.values()) == (kept,)
    assert not np.array_equal(first[0].tokens, second[0].tokens)
    for ours, its in zip(second, alone(given, models[1:]), strict=True):
        assert np.mean(ours.tokens == its.tokens) > 0.95


def test_rows_leave_where_those_of_every_model_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models differ in how many of their rows have ended; each keeps those that grow."""
    given, sizes = config("gpt2", sequences="documents"), []
    models = models_of(given, 2)
    plain, drawn, step = together(given, models), grow.Growth._drawn, grow.Growth._step

    def ending(self: grow.Growth, logits: torch.Tensor, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """At place 20: all rows of the first model but one, and the first half of the second's."""
        tokens, check = drawn(self, logits, points)
        alive = self.alive_R[: len(tokens)]
        row, model = alive // 2, alive % 2
        ends = (self.place >= 20) & torch.where(model == 0, row != 5, row < ROWS // 2)
        return tokens.masked_fill(ends, given.eos), check

    monkeypatch.setattr(grow.Growth, "_step", lambda self, rows: (sizes.append(rows), step(self, rows))[1])
    monkeypatch.setattr(grow.Growth, "_drawn", ending)
    found = together(given, models)
    assert min(sizes) < max(sizes)
    assert all(size % 2 == 0 for size in sizes)
    for model in range(2):
        for row in range(ROWS):
            ours, full = (
                part[model].tokens[part[model].starts[row] : part[model].starts[row + 1]].tolist()
                for part in (found, plain)
            )
            ends = row != 5 if model == 0 else row < ROWS // 2
            assert ours == ([*full[:20], given.eos] if ends and len(full) > 20 else full)


def test_products_in_halves_lead_few_rows_elsewhere() -> None:
    given = config("gpt2", initializer_range=0.02)
    models = models_of(given, 2)
    precisions = torch.float32, torch.bfloat16
    one, other = (np.concatenate([rows.tokens for rows in together(given, models, dtype)]) for dtype in precisions)
    assert 0.5 < np.mean(one == other) < 1


def test_one_broken_model_is_reported() -> None:
    given = config("gpt2")
    models = models_of(given)
    broken = {name: np.full_like(p, np.nan) if "ln_f" in name else p for name, p in models[1].tensors.items()}
    with pytest.raises(Diverged, match="not finite"):
        together(given, [models[0], Payload(tensors=broken), models[2]])


def test_a_recursion_side_by_side_samples_and_judges_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches and records are those of one replicate after another."""
    family = LanguageConfig.tiny()[0].canonical() | {"sequences": "documents"}
    cell = {"family": family, "policy": {"kind": "replace"}, "generations": 2, "rows": 32, "replicates": 3}
    batches, records = [], []
    for one_batch in (False, True):
        monkeypatch.setattr(gpu, "can_grow_together", lambda _, one_batch=one_batch: one_batch)
        recursion = Recursion(Cell.model_validate(cell), MemoryStore())
        records.append(recursion.record(1))
        batches.append(recursion.batch(recursion.steps.batch(1)))
    assert len(grow._kept) == 1
    assert records[0].test_loss == records[1].test_loss
    for number in range(3):
        assert content(lane(batches[0], number)) == content(lane(batches[1], number))
    assert records[0].metrics["entropy"] == records[1].metrics["entropy"]
