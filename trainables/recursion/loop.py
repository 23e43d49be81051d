"""The generation loop, the same for every family: compose, fit, judge, sample, again.

Nothing here draws on a clock, a path or a global generator: every step is named by its lineage key,
computed from that key's stream, and committed before the next one starts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from trainables.cell import Cell, Record
from trainables.corpus import Batch, Corpus, RealisedDraw, realise
from trainables.errors import NotInstalled
from trainables.families import Diverged, Evaluation, Family, World
from trainables.families.replicate_summary import figures
from trainables.lineage import Stream
from trainables.policies import FRESH
from trainables.population import Feed
from trainables.recursion.graph import Graph, Node
from trainables.recursion.judges import Judges
from trainables.recursion.pooling import by_age, finite, lost, pool, weight_by_member
from trainables.recursion.row_checks import check_data as check_data
from trainables.recursion.selection import moved
from trainables.recursion.steps import BatchStep, Step, Steps
from trainables.recursion.stored_records import CellFailed, defined, failure, reported
from trainables.store import Payload, Store, open_store

ANNOTATORS = "collapse_sweep.annotators"
"""Entry points of functions that give a cell's closed-form curves."""

Curves = Mapping[str, Sequence[float]]


def run(cell: Cell, store: Store | str | None = None) -> Iterator[Record]:
    """One recursion in this process.

    Args:
        cell: what to run.
        store: where artifacts are kept and found again: a `Store`, a path or fsspec URL, or None for memory.

    Yields:
        The record of each generation, from 1 on, as it is done.

    Raises:
        CellFailed: a generation diverged; the records before it have been yielded.
        ValueError: the pool or the source will hold too few rows for this cell.
        StoreError: an artifact can't be written.
    """
    check_data(cell)
    recursion = Recursion(cell, store if isinstance(store, Store) else open_store(store))
    for generation in range(1, cell.generations + 1):
        yield recursion.record(generation)


@cache
def _annotators() -> tuple[Callable[[Cell], Curves], ...]:
    """Installed closed forms; this package imports none itself.

    Raises:
        NotInstalled: there is none, so that records would lack `theory_*` without a word.
    """
    found = tuple(point.load() for point in entry_points(group=ANNOTATORS))
    if not found:
        raise NotInstalled(f"no closed forms are installed (entry points {ANNOTATORS!r}): pip install -e .")
    return found


class Recursion:
    """One cell at work on a store. `record(n)` may be asked in any order; what exists is not computed again.

    In a population, `record(n)` is of all members; models, corpora and samples are those of one of them.

    Args:
        cell: what is run.
        store: where artifacts are.
        first: member 1 of the population at work, of which this is to be member `member`.
        member: its number.
    """

    def __init__(self, cell: Cell, store: Store, first: Recursion | None = None, member: int = 1) -> None:
        self.cell = cell
        self.store = store
        self.steps: Steps = first.steps.members[member - 1] if first is not None else Steps(cell)
        self.graph = Graph(self.steps)
        self._first = first
        self._latest: dict[int, Payload] = {}
        self._found: dict[int, tuple[Evaluation, float]] = {}

    @cached_property
    def members(self) -> tuple[Recursion, ...]:
        """Every member of the population, in order; a cell without one has this alone."""
        if self._first is not None:
            return self._first.members
        return (self, *(Recursion(self.cell, self.store, self, member) for member in self.cell.members[1:]))

    @property
    def judges(self) -> Judges:
        """Who scores and selects rows; not kept, so that a recursion's models go when it goes."""
        return Judges(self)

    @cached_property
    def family(self) -> Family:
        """Built when something has to be computed, so that a finished recursion never loads torch."""
        cell = self.cell
        if self._first is not None:
            return self._first.family.begun_at(self.cell.origin(self.steps.member))
        lineages = len(cell.members)
        world = World(rows=cell.rows, replicates=cell.replicates, seed=cell.seed, store=self.store, lineages=lineages)
        return cell.family.build(world)

    @cached_property
    def _theory(self) -> dict[str, Sequence[float]]:
        """Closed-form curves by metric name."""
        curves: dict[str, Sequence[float]] = {}
        for annotator in _annotators():
            curves |= annotator(self.cell)
        return curves

    def once(self, node: Node, make: Callable[[], Payload]) -> Payload:
        """The artifact of a node as the store holds it, made where it is missing; raises as `Store.once` does."""
        return self.store.once(node.kind, node.key, make, node.provenance_later)

    def record(self, generation: int) -> Record:
        """The record of a generation.

        Raises:
            CellFailed: it diverged, now or in an earlier attempt.
        """
        one = self.cell.population is None
        make = self.judge if one else self._pool
        return self._read(generation, self.once(self.graph.record(generation), lambda: make(generation)))

    def _pool(self, generation: int) -> Payload:
        """The record's payload of a population: its members' records, kept by lineage, and how their models differ."""
        self._judge_together(generation)
        records = [member.own_record(generation) for member in self.members]
        if any(map(failure, records)):
            return lost(records)
        records = [defined(record, self.cell.family) for record in records]
        models = [member.model(generation) for member in self.members]
        try:
            apart = self.family.disagree(models, Stream(self.steps.step(generation).record).child("disagree"))
        except Diverged as problem:
            return Payload(meta={"failed": str(problem), "generation": generation})
        carried = [member._carried(generation) for member in self.members]
        return pool(records, carried, apart, self.steps.population_key(generation))

    def _judge_together(self, generation: int) -> None:
        """Work out side by side how those members' models do that have no record yet. Where one fails, each is left to
        its own `judge`."""
        if not self.family.judges_together:
            return
        keys = {member.steps.own_key(generation): member for member in reversed(self.members)}
        waiting = {key: member for key, member in keys.items() if not self.store.has("record", key)}
        try:
            models = [member.model(generation) for member in waiting.values()]
            started = time.perf_counter()
            found = self.family.evaluate_each(models, [_judging(key) for key in waiting]) if models else []
        except (CellFailed, Diverged):
            return
        seconds = (time.perf_counter() - started) / max(len(found), 1)
        for member, one in zip(waiting.values(), found, strict=True):
            member._found = {generation: (one, seconds)}

    def _carried(self, generation: int) -> dict[str, float]:
        """Whose rows carry the loss of a member's corpus. Not kept with the model, which cells without a population may
        share.
        """
        step = self.steps.step(generation)
        rng = _chance(step)
        found = []
        for number, draw in enumerate(step.draws):
            assert isinstance(draw, Feed)  # in a population every draw is one
            held = _held(self.steps.drawn(draw)) if rng is None else self._part(step, number, rng).rows_by_batch
            found.append((draw, held))
        return weight_by_member(found)

    def own_record(self, generation: int) -> Payload:
        """What is stored of this model's record, computed where it is not."""
        return self.once(self.graph.own_record(generation), lambda: self.judge(generation))

    def stored(self, generation: int) -> Record | None:
        """The record of a generation if the store has it; nothing is computed.

        Raises:
            CellFailed: it diverged in an earlier attempt.
        """
        held = self.store.get("record", self.steps.step(generation).record)
        return self._read(generation, held) if held is not None else None

    def _read(self, generation: int, payload: Payload) -> Record:
        failed = failure(payload)
        if failed is not None:
            raise failed
        payload = reported(payload, self.steps, generation, self.store)
        held = payload.meta
        theory = {
            f"theory_{name}": float(c[generation - 1]) for name, c in self._theory.items() if generation <= len(c)
        }
        fields = {name: held[name] for name in Record.model_fields if name in held}
        metrics = finite(held["metrics"] | self.cell.family.derived(payload.tensors) | theory)
        return Record.model_validate(fields | {"generation": generation, "metrics": metrics})

    def model(self, generation: int) -> Payload:
        """The model of a generation, fitted where the store has none.

        Raises:
            CellFailed: it, or one that it was made from, diverged.
        """
        if generation not in self._latest:  # judged first, then sampled from
            step = self.steps.step(generation)
            self._latest = {generation: self.once(self.graph.model(generation), lambda: self._fit(step))}
        return self._latest[generation]

    def batch(self, step: BatchStep) -> Payload:
        """A batch's rows, made where the store has none."""
        real = step.recipe is None
        if not real and step.member != self.steps.member:
            return self.members[step.member - 1].batch(step)
        make = (lambda: self.family.real(step.start, step.rows)) if real else (lambda: self._sample(step))
        return self.once(self.graph.batch(step), make)

    def corpus(self, step: Step) -> Corpus:
        """What a generation is fitted on."""
        rng = _chance(step)
        return Corpus(tuple(self._part(step, number, rng) for number in range(len(step.draws))))

    def _part(self, step: Step, number: int, rng: np.random.Generator | None) -> RealisedDraw:
        draw = step.draws[number]
        batches = [self._handle(b) for b in self.steps.drawn(draw)]
        if draw.batches == (FRESH,) or rng is None:
            return RealisedDraw(tuple(batches), None, draw.weight)
        scores = None
        if draw.how == "scored":
            scores = np.concatenate([self.judges.kept_scores("detector", b) for b in self.steps.drawn(draw)], axis=-1)
        return realise(draw, batches, self.cell.replicates, rng, scores)

    def _handle(self, step: BatchStep) -> Batch:
        return Batch(step.number, step.key, step.rows, lambda: self.batch(step))

    def _fit(self, step: Step) -> Payload:
        corpus = self.corpus(step)
        composition = self._composition(step, corpus)
        if self.cell.population is not None:
            corpus = Corpus(by_age(corpus.parts))
        started = time.perf_counter()
        try:
            model = self._trained(step, corpus, Stream(step.model).child("fit"))
        except Diverged as problem:
            raise CellFailed(step.generation, str(problem)) from problem
        seconds = time.perf_counter() - started
        return replace(model, meta={**model.meta, "composition": composition, "fit_seconds": seconds})

    def _trained(self, step: Step, corpus: Corpus, stream: Stream) -> Payload:
        """A model of the corpus, from where the family's config says that this generation starts."""
        match self.cell.family.starts_from(step.generation):
            case "previous":
                return self.family.fine_tune(self.model(step.generation - 1), corpus, stream)
            case "checkpoint":
                return self.family.fine_tune(self.family.checkpoint(), corpus, stream)
        return self.family.fit(corpus, stream)

    def _composition(self, step: Step, corpus: Corpus) -> dict[str, Any]:
        """The audit: what the corpus really holds."""
        made = [self.batch(batch).meta for batch in self._latest_batches(step)]
        rejected: dict[str, float] = {}
        for meta in made:
            rejected |= {why: rejected.get(why, 0) + count for why, count in meta.get("rejected", {}).items()}
        return {
            "rows": corpus.rows,
            "real_fraction": corpus.real_fraction,
            "rows_by_batch": {str(n): rows for n, rows in corpus.rows_by_batch().items()},
            "weight_by_batch": {str(n): weight for n, weight in corpus.weight_by_batch().items()},
            "effective_rows": corpus.effective_rows(),
            "duplicates": corpus.duplicates(),
            "rejected": rejected,
            "below_bar": sum((meta.get("below_bar", 0.0) for meta in made), 0.0),
            **moved(made),
        }

    def _latest_batches(self, step: Step) -> list[BatchStep]:
        """The synthetic batches of the generation before that a corpus draws on, each once."""
        latest = step.generation - 1
        drawn = [draw for draw in step.draws if latest in draw.batches] if latest else []
        if self.cell.population is None:
            return [self.steps.batch(latest)] if drawn else []
        found = {batch.key: batch for draw in drawn for batch in self.steps.drawn(draw) if batch.number == latest}
        return list(found.values())

    def judge(self, generation: int) -> Payload:
        """The payload of a model's record; a failure is a record too, so that it is not tried again and again."""
        step = self.steps.step(generation)
        try:
            model = self.model(step.generation)
            first = self.model(1) if self.cell.family.compares else model  # before anything is computed in vain
        except CellFailed as problem:
            return Payload(meta={"failed": problem.reason, "generation": problem.generation})
        started = time.perf_counter()
        stream = _judging(step.own_record)
        known, seconds = self._found.pop(generation, (None, 0.0))
        try:
            found = known or self.family.evaluate(model, stream)
            beside = self.family.compare(model, first, stream) if self.cell.family.compares else {}
        except Diverged as problem:
            return Payload(meta={"failed": str(problem), "generation": step.generation})
        if not math.isfinite(found.test_loss):
            return Payload(meta={"failed": f"the held-out loss is {found.test_loss}", "generation": step.generation})
        composition = model.meta["composition"]
        meta = {
            "test_loss": found.test_loss,
            "corpus_rows": composition["rows"],
            "real_fraction": composition["real_fraction"],
            "metrics": finite({**found.metrics, **figures(beside)}),
            "model": step.model,
            "composition": composition,
            "seconds": {"fit": model.meta["fit_seconds"], "evaluate": seconds + time.perf_counter() - started},
        }
        each = {name: value for name, value in beside.items() if isinstance(value, np.ndarray)}
        return Payload(meta=meta, tensors={**found.replicates, **each}, files=dict(found.files))

    def _sample(self, step: BatchStep) -> Payload:
        stream = Stream(step.key)
        selection = step.recipe.selection if step.recipe else None
        started = time.perf_counter()
        try:
            bench = self.judges.bench(selection, step.number) if selection else None
            made = self._candidates(step, stream)
            if selection and bench:
                made = self.judges.select(selection, bench, made, stream, step.number)
        except Diverged as problem:
            raise CellFailed(step.number + 1, f"sampling from model {step.number}: {problem}") from problem
        return replace(made, meta={**made.meta, "sample_seconds": time.perf_counter() - started})

    def _candidates(self, step: BatchStep, stream: Stream) -> Payload:
        sampling = step.recipe.sampling if step.recipe else None
        assert sampling is not None  # real batches have no recipe, and a later recipe samples
        model = self.model(step.number)
        if sampling.edit is not None:
            real = self.batch(self.steps.edited(sampling.rows))
            return self.family.edit(model, real, sampling.edit, stream.child("edit"))
        corrector = None if sampling.correct is None else self.judges.model("corrector")
        made = self.family.sample(model, sampling.rows, stream.child("sample"), sampling.bias)
        if corrector is None or sampling.correct is None:
            return made
        corrected = self.family.correct(corrector, model, made, sampling.correct, stream.child("correct"))
        return replace(corrected, meta={**made.meta, **corrected.meta})


def _judging(record: str) -> Stream:
    """What a model's evaluation draws on, by the key of its record."""
    return Stream(record).child("evaluate")


def _chance(step: Step) -> np.random.Generator | None:
    """What draws the rows of a generation's corpus; None where all draws are whole."""
    whole = all(draw.how == "all" for draw in step.draws)
    return None if whole else Stream(step.model).numpy("corpus")


def _held(batches: Sequence[BatchStep]) -> dict[int, float]:
    """Rows by batch number."""
    return {batch.number: float(batch.rows) for batch in batches}
