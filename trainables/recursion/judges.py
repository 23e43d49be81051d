"""Who scores rows of a recursion and selects among them: models of it, and judges fitted on its real rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from trainables.cell import Cell
from trainables.families import Family
from trainables.lineage import Stream
from trainables.policies import Selection
from trainables.recursion.graph import Graph, Node
from trainables.recursion.selection import bar, check_scores, choose, moved, verdicts
from trainables.recursion.steps import BatchStep, Steps
from trainables.store import Payload


class Work(Protocol):
    """What judges ask of the recursion that they serve."""

    cell: Cell
    steps: Steps
    graph: Graph

    @property
    def family(self) -> Family: ...

    def once(self, node: Node, make: Callable[[], Payload]) -> Payload: ...

    def model(self, generation: int) -> Payload: ...

    def batch(self, step: BatchStep) -> Payload: ...


@dataclass(frozen=True)
class Bench:
    """Who selects the rows of a batch.

    Attributes:
        judge: whose scores rank candidates.
        least: the score that `accept` asks for, [1] or [replicates, 1].
    """

    judge: Payload
    least: np.ndarray | float


class Judges:
    """The judges of one recursion; what they are and what they scored is kept by lineage."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def bench(self, selection: Selection, number: int) -> Bench:
        """Who selects. Asked before candidates are sampled, since another process may be computing it (`Busy`)."""
        least: np.ndarray | float = -np.inf
        if selection.rule == "accept":
            least = bar(selection, self.kept_scores(selection.judge, self._work.steps.batch(0)))
        return Bench(self.model(selection.judge, number), least)

    def select(self, selection: Selection, bench: Bench, made: Payload, stream: Stream, number: int) -> Payload:
        """The candidates that a selection keeps, with the audit of why the others went."""
        scores = self._scores(selection.judge, bench.judge, made, number)
        index = choose(selection, scores, stream.numpy("select"), bench.least)
        kept = self._work.family.take(made, index)
        audit = verdicts(selection, scores, index, bench.least)
        rejected = {**made.meta.get("rejected", {}), **audit.pop("rejected")}
        return replace(kept, meta={**kept.meta, **moved([made.meta]), **audit, "rejected": rejected})

    def kept_scores(self, judge: str, step: BatchStep) -> np.ndarray:
        """A pool batch's scores, kept by lineage: later generations ask for them again."""
        node = self._work.graph.scores(step, judge)
        return self._work.once(node, lambda: self._scored(judge, step)).tensors["scores"]

    def _scored(self, judge: str, step: BatchStep) -> Payload:
        held = self.model(judge)
        return Payload(tensors={"scores": self._scores(judge, held, self._work.batch(step))})

    def _scores(self, judge: str, held: Payload, batch: Payload, number: int = 1) -> np.ndarray:
        stream = Stream(self._work.steps.judge_key(judge, number)).child("score")
        found = self._work.family.score("first" if judge == "own" else judge, held, batch, stream)
        return check_scores(judge, found, batch.rows, self._work.cell.replicates)

    def model(self, judge: str, number: int = 1) -> Payload:
        """Model 1, model `number` for `own`, or a judge fitted on real rows, as `Family.score` wants it."""
        if judge in ("first", "own"):
            return self._work.model(number if judge == "own" else 1)
        node = self._work.graph.judge(judge)
        return self._work.once(node, lambda: self._make(judge, node.key))

    def _make(self, judge: str, key: str) -> Payload:
        stream, work, synthetic = Stream(key), self._work, None
        real = work.batch(work.steps.batch(0))
        if judge == "detector":
            synthetic = work.family.sample(work.model(1), work.cell.rows, stream.child("sample"), work.steps.bias)
        return work.family.judge(judge, real, synthetic, stream.child("fit"))
