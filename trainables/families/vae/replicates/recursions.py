"""`Vaes`: independent recursions of one autoencoder side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, Family, World
from trainables.families.lanes import corpus_of, joined, lane, lane_of
from trainables.families.replicate_summary import summarise
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.family import Vae
from trainables.families.vae.replicates.batched import Replicate, fit
from trainables.families.vae.rows import gather
from trainables.lineage import Stream
from trainables.store import Payload


class Vaes(Family):
    """What `Vae` does, once a replicate: each has its own order of real rows, streams, corpora and held-out noise.

    Held-out images and the feature space are the same for all. Models hold every tensor as [replicates, …].
    """

    config: VaeConfig

    def __init__(self, config: VaeConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        self._lanes = [Vae(config, alone, lane_of(self.truth, number)) for number in range(world.replicates)]

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
        models, losses = fit(self.config, given)
        meta = {"parameters": self.config.parameters, "train_loss": float(losses.mean())}
        return joined([Payload(meta=meta, tensors=model) for model in models])

    def checkpoint(self) -> Payload:
        return joined([self._lanes[0].checkpoint()] * len(self._lanes))

    def export(self, model: Payload, folder: Path) -> None:
        raise TypeError("models side by side have no form that others read; a cell with replicates: 1 has")

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's picture."""
        models = self._apart(model)
        first = self._lanes[0].evaluate(models[0], lane_of(stream, 0))
        found = [{"test_loss": first.test_loss} | dict(first.metrics)]
        for one, its in zip(self._lanes[1:], models[1:], strict=True):
            measured, _ = one.measure(its)
            found.append({"test_loss": measured["reconstruction"] + measured["kl"], **measured})
        alike = [name for name in found[0] if name == "constant_loss" or name.startswith("source_")]
        values = {name: np.array([figures[name] for figures in found]) for name in found[0] if name not in alike}
        summary = summarise(values, {name: found[0][name] for name in alike})
        return replace(summary, files=first.files)

    def validate(self, model: Payload) -> float:
        return float(np.mean([one.validate(its) for one, its in self._each(model)]))

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        made = [
            one.sample(its, rows, lane_of(stream, number), bias) for number, (one, its) in enumerate(self._each(model))
        ]
        return joined(made)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        fakes = [None] * len(self._lanes) if synthetic is None else self._apart(synthetic)
        each = zip(self._each(real), fakes, strict=True)
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
        return joined([one.take(its, rows) for (one, its), rows in zip(self._each(batch), index, strict=True)])

    def _apart(self, payload: Payload) -> list[Payload]:
        return [lane(payload, number) for number in range(len(self._lanes))]

    def _each(self, payload: Payload) -> list[tuple[Vae, Payload]]:
        return list(zip(self._lanes, self._apart(payload), strict=True))
