"""`Diffusions`: independent recursions of one denoiser side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, World
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.family import Diffusion
from trainables.families.diffusion.fit import gather
from trainables.families.diffusion.replicates.training import Replicate, fit
from trainables.families.lanes import corpus_of, joined, lane_of
from trainables.families.replicate_summary import summarise
from trainables.families.side_by_side import SideBySide, Start
from trainables.lineage import Stream
from trainables.store import Payload

ALIKE = ("constant_loss", "skipped", "held_out_molecules")
"""Metrics that are the same for all replicates."""

COUNT = "count"
"""Of a judge's tensors, how many entries each replicate has before the padding."""


class Diffusions(SideBySide[Diffusion]):
    """What `Diffusion` does, once a replicate: each has its own order of real rows, streams, graphs and corpora.

    Held-out molecules and their noise are the same for all. Models hold every tensor as [replicates, …].
    """

    config: DiffusionConfig

    def __init__(self, config: DiffusionConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        first = Diffusion(config, alone, lane_of(self.truth, 0))
        others = (Diffusion(config, alone, lane_of(self.truth, n), first.data) for n in range(1, world.replicates))
        self.replicates = [first, *others]

    def fitted(self, corpus: Corpus, stream: Stream, starts: Sequence[Start]) -> Payload:
        given = [
            Replicate(*gather(corpus_of(corpus, number)), lane_of(stream, number), start)
            for number, start in enumerate(starts)
        ]
        meta = {"parameters": self.config.parameters}
        return joined([Payload(meta=meta, tensors=model) for model in fit(self.config, given)])

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's conformers."""
        found = [one.evaluate(its, lane_of(stream, number)) for number, (one, its) in enumerate(self.each(model))]
        figures = [{"test_loss": one.test_loss} | dict(one.metrics) for one in found]
        shared = [name for name in figures[0] if all(name in some for some in figures) and name not in ALIKE]
        values = {name: np.array([some[name] for some in figures]) for name in shared}
        summary = summarise(values, {name: figures[0][name] for name in ALIKE if name in figures[0]})
        return replace(summary, files=found[0].files)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        made = self.judges(kind, real, synthetic, stream)
        return joined(made if kind != "reference" else _padded([one.tensors for one in made]))

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        judges = self.apart(judge)
        return self.scores(kind, [_cut(one) for one in judges] if kind == "reference" else judges, batch, stream)


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
