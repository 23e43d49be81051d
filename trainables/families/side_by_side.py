"""Several recursions of one family in one cell, each with its own real rows, streams and corpora."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Family
from trainables.families.lanes import joined, lane, lane_of
from trainables.lineage import Stream
from trainables.store import Payload

One = TypeVar("One", bound=Family)

Start = Mapping[str, np.ndarray] | None
"""Weights that a replicate's fit starts at; None where it is from scratch."""


class SideBySide(Family, Generic[One]):
    """What a family does, once a replicate. Held-out rows are the same for all; payloads hold all replicates.

    A family builds its replicates, says how their models are fitted together and what records hold; the rest is asked
    of each replicate.
    """

    replicates: list[One]
    """Each built on its own part of the truth, by `lane_of`."""

    @abstractmethod
    def fitted(self, corpus: Corpus, stream: Stream, starts: Sequence[Start]) -> Payload:
        """All replicates' models, fitted as one, each from its own start."""

    def rows_of_all(self, batches: Sequence[Payload]) -> Payload:
        """The replicates' batches as one."""
        return joined(batches)

    def begun_at(self, origin: int) -> Self:
        found = super().begun_at(origin)
        if found is not self:
            found.replicates = [one.begun_at(origin) for one in self.replicates]
        return found

    def real(self, start: int, rows: int) -> Payload:
        return self.rows_of_all([one.real(start, rows) for one in self.replicates])

    def held_out(self) -> Payload | None:
        return self.replicates[0].held_out()

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self.fitted(corpus, stream, [None] * len(self.replicates))

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self.fitted(corpus, stream, [one.tensors for one in self.apart(start)])

    def checkpoint(self) -> Payload:
        return joined([self.replicates[0].checkpoint()] * len(self.replicates))

    def export(self, model: Payload, folder: Path) -> None:
        raise TypeError("models side by side have no form that others read; a cell with replicates: 1 has")

    def validate(self, model: Payload) -> float:
        return float(np.mean([one.validate(its) for one, its in self.each(model)]))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        each = enumerate(self.each(model))
        return self.rows_of_all([one.sample(its, rows, lane_of(stream, number), bias) for number, (one, its) in each])

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """Every replicate's; `meta.moved` is the root of the mean over replicates of its square."""
        each = enumerate(zip(self.each(batch), self.apart(model), self.apart(corrector), strict=True))
        found = [
            one.correct(its, fitted, rows, strength, lane_of(stream, number))
            for number, ((one, rows), fitted, its) in each
        ]
        whole, moved = self.rows_of_all(found), [one.meta["moved"] for one in found]
        return replace(whole, meta={**whole.meta, "moved": float(np.sqrt(np.mean(np.square(moved))))})

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        return joined(self.judges(kind, real, synthetic, stream))

    def judges(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> list[Payload]:
        """Each replicate's judge."""
        fakes = [None] * len(self.replicates) if synthetic is None else self.apart(synthetic)
        each = enumerate(zip(self.each(real), fakes, strict=True))
        return [one.judge(kind, its, fake, lane_of(stream, number)) for number, ((one, its), fake) in each]

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        return self.scores(kind, self.apart(judge), batch, stream)

    def scores(self, kind: str, judges: Sequence[Payload], batch: Payload, stream: Stream) -> np.ndarray:
        """What each replicate's judge says of its rows, [replicates, rows]."""
        each = enumerate(zip(self.each(batch), judges, strict=True))
        return np.stack([one.score(kind, its, rows, lane_of(stream, number)) for number, ((one, rows), its) in each])

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        index = np.broadcast_to(np.atleast_2d(index), (len(self.replicates), np.shape(index)[-1]))
        return self.rows_of_all([one.take(its, rows) for (one, its), rows in zip(self.each(batch), index, strict=True)])

    def apart(self, payload: Payload) -> list[Payload]:
        """Each replicate's part of a payload."""
        return [lane(payload, number) for number in range(len(self.replicates))]

    def each(self, payload: Payload) -> list[tuple[One, Payload]]:
        """The replicates, each with its part of a payload."""
        return list(zip(self.replicates, self.apart(payload), strict=True))
