"""`Diffusions`: independent recursions of one denoiser side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.family import Diffusion
from trainables.families.diffusion.fit import gather
from trainables.families.diffusion.replicates.training import Replicate, fit
from trainables.families.lanes import corpus_of, joined, lane, lane_of
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload

ALIKE = ("constant_loss", "skipped", "held_out_molecules")
"""Metrics that are the same for all replicates."""

COUNT = "count"
"""Of a judge's tensors, how many entries each replicate has before the padding."""


class Diffusions(Family):
    """What `Diffusion` does, once a replicate: each has its own order of real rows, streams, graphs and corpora.

    Held-out molecules and their noise are the same for all. Models hold every tensor as [replicates, …].
    """

    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        first = Diffusion(config, alone, lane_of(self.truth, 0))
        others = (Diffusion(config, alone, lane_of(self.truth, n), first.data) for n in range(1, world.replicates))
        self._lanes = [first, *others]

    def real(self, start: int, rows: int) -> Payload:
        return joined([one.real(start, rows) for one in self._lanes])

    def held_out(self) -> Payload:
        return self._lanes[0].held_out()

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, [None] * len(self._lanes))

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, [one.tensors for one in self._apart(start)])

    def _fitted(self, corpus: Corpus, stream: Stream, starts: Sequence[Mapping[str, np.ndarray] | None]) -> Payload:
        given = [
            Replicate(*gather(corpus_of(corpus, number)), lane_of(stream, number), start)
            for number, start in enumerate(starts)
        ]
        meta = {"parameters": self.config.parameters}
        return joined([Payload(meta=meta, tensors=model) for model in fit(self.config, given)])

    def checkpoint(self) -> Payload:
        return joined([self._lanes[0].checkpoint()] * len(self._lanes))

    def export(self, model: Payload, folder: Path) -> None:
        raise TypeError("models side by side have no form that others read; a cell with replicates: 1 has")

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's conformers."""
        found = [one.evaluate(its, lane_of(stream, number)) for number, (one, its) in enumerate(self._each(model))]
        figures = [{"test_loss": one.test_loss} | dict(one.metrics) for one in found]
        shared = [name for name in figures[0] if all(name in some for some in figures) and name not in ALIKE]
        values = {name: np.array([some[name] for some in figures]) for name in shared}
        summary = summarise(values, {name: figures[0][name] for name in ALIKE if name in figures[0]})
        return replace(summary, files=found[0].files)

    def validate(self, model: Payload) -> float:
        return float(np.mean([one.validate(its) for one, its in self._each(model)]))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        each = enumerate(self._each(model))
        return joined([one.sample(its, rows, lane_of(stream, number), bias) for number, (one, its) in each])

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        fakes = [None] * len(self._lanes) if synthetic is None else self._apart(synthetic)
        each = zip(self._each(real), fakes, strict=True)
        made = [one.judge(kind, its, fake, lane_of(stream, number)) for number, ((one, its), fake) in enumerate(each)]
        return joined(made) if kind == "detector" else joined(_padded([one.tensors for one in made]))

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        judges = [_cut(one) for one in self._apart(judge)] if kind == "reference" else self._apart(judge)
        each = zip(self._lanes, judges, self._apart(batch), strict=True)
        return np.stack(
            [one.score(kind, its, rows, lane_of(stream, number)) for number, (one, its, rows) in enumerate(each)]
        )

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        index = np.broadcast_to(np.atleast_2d(index), (len(self._lanes), np.shape(index)[-1]))
        return joined([one.take(its, rows) for (one, its), rows in zip(self._each(batch), index, strict=True)])

    def _apart(self, payload: Payload) -> list[Payload]:
        return [lane(payload, number) for number in range(len(self._lanes))]

    def _each(self, payload: Payload) -> list[tuple[Diffusion, Payload]]:
        return list(zip(self._lanes, self._apart(payload), strict=True))


def _padded(judges: Sequence[Mapping[str, np.ndarray]]) -> list[Payload]:
    """Judges of tables of one length: replicates have seen different molecules, and not as many."""
    counts = [len(next(iter(tensors.values()))) for tensors in judges]
    return [
        Payload(
            tensors={name: np.pad(value, (0, max(counts) - count)) for name, value in tensors.items()}
            | {COUNT: np.array(count)}
        )
        for tensors, count in zip(judges, counts, strict=True)
    ]


def _cut(judge: Payload) -> Payload:
    """A judge without its padding."""
    return Payload(tensors={n: value[: int(judge.tensors[COUNT])] for n, value in judge.tensors.items() if n != COUNT})
