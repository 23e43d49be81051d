"""`Languages`: independent recursions of one language model side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.lanes import corpus_of, joined, lane, lane_of
from trainables.families.language.config import LanguageConfig
from trainables.families.language.family import Language
from trainables.families.language.replicates.training import Replicate, fit
from trainables.families.language.token_rows import RowsView, gather, read
from trainables.families.replicate_summary import summarise
from trainables.lineage import Stream
from trainables.store import Payload

ALIKE = ("uniform_loss", "source_")
"""How metrics begin that are the same for all replicates."""


class Languages(Family):
    """What `Language` does, once a replicate: each has its own order of real rows, streams, prompts and corpora.

    Tokenizer and held-out rows are the same for all. Models hold every tensor as [replicates, …].
    """

    config: LanguageConfig

    def __init__(self, config: LanguageConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        self._lanes = [Language(config, alone, lane_of(self.truth, number)) for number in range(world.replicates)]
        self._latest: tuple[Payload, list[Payload]] | None = None

    def real(self, start: int, rows: int) -> Payload:
        return _batch([one.real(start, rows) for one in self._lanes])

    def held_out(self) -> Payload:
        return self._lanes[0].held_out()

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, None)

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, start)

    def _fitted(self, corpus: Corpus, stream: Stream, start: Payload | None) -> Payload:
        pools = [gather(corpus_of(corpus, number)) for number in range(len(self._lanes))]
        return self._fit(self.config, pools, stream, start)

    def _fit(self, config: LanguageConfig, pools: Sequence[RowsView], stream: Stream, start: Payload | None) -> Payload:
        starts = [None] * len(pools) if start is None else [one.tensors for one in self._apart(start)]
        given = [
            Replicate(pool, lane_of(stream, number), first)
            for number, (pool, first) in enumerate(zip(pools, starts, strict=True))
        ]
        meta = {"parameters": config.parameters}
        return joined([Payload(meta=meta, tensors=model) for model in fit(config, given)])

    def checkpoint(self) -> Payload:
        return joined([self._lanes[0].checkpoint()] * len(self._lanes))

    def export(self, model: Payload, folder: Path) -> None:
        raise TypeError("models side by side have no form that others read; a cell with replicates: 1 has")

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's samples."""
        found = [one.evaluate(its, lane_of(stream, number)) for number, (one, its) in enumerate(self._each(model))]
        figures = [{"test_loss": one.test_loss} | dict(one.metrics) for one in found]
        alike = [name for name in figures[0] if name.startswith(ALIKE)]
        values = {name: np.array([some[name] for some in figures]) for name in figures[0] if name not in alike}
        summary = summarise(values, {name: figures[0][name] for name in alike})
        return replace(summary, files=found[0].files)

    def disagree(self, models: Sequence[Payload], stream: Stream) -> Mapping[str, np.ndarray]:
        members = [self._apart(model) for model in models]
        each = zip(self._lanes, zip(*members, strict=True), strict=True)
        found = [one.disagree(its, lane_of(stream, number)) for number, (one, its) in enumerate(each)]
        return {name: np.concatenate([some[name] for some in found]) for name in found[0]}

    def validate(self, model: Payload) -> float:
        return float(np.mean([one.validate(its) for one, its in self._each(model)]))

    def compare(self, model: Payload, first: Payload, stream: Stream) -> Mapping[str, float | np.ndarray]:
        each = zip(self._each(model), self._apart(first), strict=True)
        found = [
            one.compare(its, earlier, lane_of(stream, number)) for number, ((one, its), earlier) in enumerate(each)
        ]
        return {name: np.array([some[name] for some in found]) for name in found[0]}

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        each = enumerate(self._each(model))
        return _batch([one.sample(its, rows, lane_of(stream, number), bias) for number, (one, its) in each])

    def edit(self, model: Payload, real: Payload, threshold: float, stream: Stream) -> Payload:
        each = zip(self._each(model), self._apart(real), strict=True)
        return _batch(
            [one.edit(its, rows, threshold, lane_of(stream, number)) for number, ((one, its), rows) in enumerate(each)]
        )

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        if kind == "reference":
            start = self.checkpoint() if self.config.checkpoint is not None else None
            return self._fit(
                self.config.reference, [RowsView((read(one),)) for one in self._apart(real)], stream, start
            )
        assert synthetic is not None  # a detector tells real rows from these
        each = zip(self._each(real), self._apart(synthetic), strict=True)
        return joined(
            [one.judge(kind, its, fake, lane_of(stream, number)) for number, ((one, its), fake) in enumerate(each)]
        )

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        each = zip(self._each(judge), self._apart(batch), strict=True)
        return np.stack(
            [one.score(kind, its, rows, lane_of(stream, number)) for number, ((one, its), rows) in enumerate(each)]
        )

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        index = np.broadcast_to(np.atleast_2d(index), (len(self._lanes), np.shape(index)[-1]))
        return _batch([one.take(its, rows) for (one, its), rows in zip(self._each(batch), index, strict=True)])

    def _apart(self, payload: Payload) -> list[Payload]:
        """Each replicate's part, the same objects when asked again: what a replicate has sampled is known by these."""
        if self._latest is None or self._latest[0] is not payload:
            self._latest = payload, [lane(payload, number) for number in range(len(self._lanes))]
        return self._latest[1]

    def _each(self, payload: Payload) -> list[tuple[Language, Payload]]:
        return list(zip(self._lanes, self._apart(payload), strict=True))


def _batch(lanes: Sequence[Payload]) -> Payload:
    """Rows of all replicates, and how many tokens these have."""
    meta = {**lanes[0].meta, "tokens": sum(one.meta["tokens"] for one in lanes)}
    if "edited" in meta:
        meta["edited"] = float(np.mean([one.meta["edited"] for one in lanes]))
    return replace(joined(lanes), meta=meta)
