"""The generation loop, the same for every family: compose, fit, judge, sample, again.

Nothing here draws on a clock, a path or a global generator: every step is named by its lineage key,
computed from that key's stream, and committed before the next one starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from trainables.cell import Cell, Record
from trainables.corpus import Batch, Corpus, Part, realise
from trainables.families import Diverged, Family, World
from trainables.lineage import Stream
from trainables.policies import FRESH, Selection
from trainables.selection import choose
from trainables.steps import BatchStep, Step, Steps
from trainables.store import Payload, Store, open_store

Curves = Mapping[str, Sequence[float]]


class CellFailed(Exception):
    """A recursion can't go on: which generation failed, and why. Earlier records stand."""

    def __init__(self, generation: int, reason: str) -> None:
        super().__init__(f"generation {generation}: {reason}")
        self.generation = generation
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.generation, self.reason)


def run(cell: Cell, store: Store | str | None = None) -> Iterator[Record]:
    """One recursion in this process.

    Args:
        cell: what to run.
        store: where artifacts are kept and found again: a `Store`, a path or fsspec URL, or None for memory.

    Yields:
        The record of each generation, from 1 on, as it is done.

    Raises:
        CellFailed: a generation diverged; the records before it have been yielded.
        ValueError: the source holds too few rows for this cell.
        StoreError: an artifact can't be written.
    """
    check_data(cell)
    recursion = Recursion(cell, store if isinstance(store, Store) else open_store(store))
    for generation in range(1, cell.generations + 1):
        yield recursion.record(generation)


def check_data(cell: Cell) -> None:
    """Refuse a cell whose real rows do not suffice.

    Raises:
        ValueError: with the arithmetic.
    """
    available = cell.family.available_rows()
    reserve = cell.policy.fresh_rows(cell.generations, cell.budget)
    if available is not None and cell.rows + reserve > available:
        raise ValueError(
            f"rows: {cell.rows} real rows and a reserve of {reserve} fresh ones over {cell.generations} "
            f"generations make {cell.rows + reserve}, but the training split of {cell.family.kind} holds {available}"
        )


class Recursion:
    """One cell at work on a store. `record(n)` may be asked in any order; what exists is not computed again."""

    def __init__(self, cell: Cell, store: Store) -> None:
        self.cell = cell
        self.store = store
        self.steps = Steps(cell)

    @cached_property
    def family(self) -> Family:
        """Built when something has to be computed, so that a finished recursion never loads torch."""
        cell = self.cell
        world = World(rows=cell.rows, replicates=cell.replicates, seed=cell.seed, store=self.store)
        return cell.family.build(world)

    @cached_property
    def _theory(self) -> dict[str, Sequence[float]]:
        """Closed-form curves by metric name, from installed annotators; this package imports none itself."""
        curves: dict[str, Sequence[float]] = {}
        for point in entry_points(group="collapse_sweep.annotators"):
            annotator: Callable[[Cell], Curves] = point.load()
            curves |= annotator(self.cell)
        return curves

    def record(self, generation: int) -> Record:
        """The record of a generation.

        Raises:
            CellFailed: it diverged, now or in an earlier attempt.
        """
        step = self.steps.step(generation)
        parents = {"model": f"model/{step.model}"}
        held = self.store.once("record", step.record, lambda: self._judge(step), parents).meta
        if "failed" in held:
            raise CellFailed(generation, held["failed"])
        theory = {f"theory_{name}": float(curve[generation - 1]) for name, curve in self._theory.items()}
        fields = {name: held[name] for name in Record.model_fields if name in held}
        return Record.model_validate(fields | {"generation": generation, "metrics": held["metrics"] | theory})

    def model(self, generation: int) -> Payload:
        """The model of a generation, fitted where the store has none."""
        step = self.steps.step(generation)
        parents = {b.key: f"batch/{b.key}" for draw in step.draws for b in self.steps.drawn(draw)}
        return self.store.once("model", step.model, lambda: self._fit(step), parents)

    def batch(self, step: BatchStep) -> Payload:
        """A batch's rows, made where the store has none."""
        if step.recipe is None:
            return self.store.once("batch", step.key, lambda: self.family.real(step.start, step.rows))
        parents = {"model": f"model/{self.steps.step(step.number).model}"}
        return self.store.once("batch", step.key, lambda: self._sample(step), parents)

    def corpus(self, step: Step) -> Corpus:
        """What a generation is fitted on."""
        rng = Stream(step.model).numpy("corpus")
        return Corpus(tuple(self._part(step, number, rng) for number in range(len(step.draws))))

    def _part(self, step: Step, number: int, rng: np.random.Generator) -> Part:
        draw = step.draws[number]
        batches = [self._handle(b) for b in self.steps.drawn(draw)]
        if draw.batches == (FRESH,):
            return Part(tuple(batches), None, draw.weight)
        scores = None
        if draw.how == "scored":
            scores = np.concatenate([self._scores("detector", b.number, b.payload) for b in batches], axis=-1)
        return realise(draw, batches, self.cell.replicates, rng, scores)

    def _handle(self, step: BatchStep) -> Batch:
        return Batch(step.number, step.key, step.rows, lambda: self.batch(step))

    def _fit(self, step: Step) -> Payload:
        corpus = self.corpus(step)
        composition = self._composition(step, corpus)
        started = time.perf_counter()
        model = self.family.fit(corpus, Stream(step.model).child("fit"))
        seconds = time.perf_counter() - started
        return replace(model, meta={**model.meta, "composition": composition, "fit_seconds": seconds})

    def _composition(self, step: Step, corpus: Corpus) -> dict[str, Any]:
        """The audit: what the corpus really holds."""
        latest = self.batch(self.steps.batch(step.generation - 1)).meta if step.generation > 1 else {}
        return {
            "rows": corpus.rows,
            "real_fraction": corpus.real_fraction,
            "rows_by_batch": {str(n): rows for n, rows in corpus.rows_by_batch().items()},
            "weight_by_batch": {str(n): weight for n, weight in corpus.weight_by_batch().items()},
            "duplicates": sum(part.duplicates() for part in corpus.parts),
            "rejected": latest.get("rejected", {}),
        }

    def _judge(self, step: Step) -> Payload:
        """The record's payload; a failure is a record too, so that it is not tried again and again."""
        try:
            model = self.model(step.generation)
            started = time.perf_counter()
            found = self.family.evaluate(model, Stream(step.record).child("evaluate"))
        except Diverged as problem:
            return Payload(meta={"failed": str(problem)})
        composition = model.meta["composition"]
        meta = {
            "test_loss": found.test_loss,
            "corpus_rows": composition["rows"],
            "real_fraction": composition["real_fraction"],
            "metrics": dict(found.metrics),
            "model": step.model,
            "composition": composition,
            "seconds": {"fit": model.meta["fit_seconds"], "evaluate": time.perf_counter() - started},
        }
        return Payload(meta=meta, tensors=dict(found.replicates), files=dict(found.files))

    def _sample(self, step: BatchStep) -> Payload:
        assert step.recipe is not None and step.recipe.sampling is not None
        sampling, selection = step.recipe.sampling, step.recipe.selection
        model = self.model(step.number)
        stream = Stream(step.key)
        started = time.perf_counter()
        if sampling.edit is not None:
            real = self.batch(self.steps.real(0, sampling.rows))
            made = self.family.edit(model, real, sampling.edit, stream.child("edit"))
        else:
            made = self.family.sample(model, sampling.rows, stream.child("sample"), sampling.bias)
        if selection is not None:
            made = self._select(selection, step.number, made, stream)
        return replace(made, meta={**made.meta, "sample_seconds": time.perf_counter() - started})

    def _select(self, selection: Selection, number: int, made: Payload, stream: Stream) -> Payload:
        scores = self._scores(selection.judge, number, made)
        index = choose(selection, scores, stream.numpy("select"))
        kept = self.family.take(made, index)
        rejected = {selection.rule: made.rows - kept.rows}
        return replace(kept, meta={**kept.meta, "rejected": rejected})

    def _scores(self, judge: str, number: int, batch: Payload) -> np.ndarray:
        key = self.steps.judge_key(judge, number)
        held = (
            self.model(1) if judge == "first" else self.store.once("judge", key, lambda: self._make_judge(judge, key))
        )
        return self.family.score(judge, held, batch, Stream(key).child("score"))

    def _make_judge(self, judge: str, key: str) -> Payload:
        stream = Stream(key)
        real = self.batch(self.steps.batch(0))
        synthetic = None
        if judge == "detector":
            synthetic = self.family.sample(self.model(1), self.cell.rows, stream.child("sample"))
        return self.family.judge(judge, real, synthetic, stream.child("fit"))
