"""`Vaes`: independent recursions of one autoencoder side by side, fitted as one batched model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Evaluation, World
from trainables.families.lanes import corpus_of, joined, lane_of
from trainables.families.replicate_summary import summarise
from trainables.families.side_by_side import SideBySide, Start
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.family import Vae
from trainables.families.vae.replicates.batched import Replicate, fit
from trainables.families.vae.rows import gather
from trainables.lineage import Stream
from trainables.store import Payload


class Vaes(SideBySide[Vae]):
    """What `Vae` does, once a replicate: each has its own order of real rows, streams, corpora and held-out noise.

    Held-out images and the feature space are the same for all. Models hold every tensor as [replicates, …].
    """

    config: VaeConfig

    def __init__(self, config: VaeConfig, world: World) -> None:
        super().__init__(config, world)
        alone = replace(world, replicates=1)
        self.replicates = [Vae(config, alone, lane_of(self.truth, number)) for number in range(world.replicates)]

    def fitted(self, corpus: Corpus, stream: Stream, starts: Sequence[Start]) -> Payload:
        given = [
            Replicate(*gather(corpus_of(corpus, number)), lane_of(stream, number), start)
            for number, start in enumerate(starts)
        ]
        models, losses = fit(self.config, given)
        meta = {"parameters": self.config.parameters, "train_loss": float(losses.mean())}
        return joined([Payload(meta=meta, tensors=model) for model in models])

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        """Means over replicates, standard errors, and the first replicate's picture."""
        models = self.apart(model)
        first = self.replicates[0].evaluate(models[0], lane_of(stream, 0))
        found = [{"test_loss": first.test_loss} | dict(first.metrics)]
        for one, its in zip(self.replicates[1:], models[1:], strict=True):
            measured, _ = one.measure(its)
            found.append({"test_loss": measured["reconstruction"] + measured["kl"], **measured})
        alike = [name for name in found[0] if name == "constant_loss" or name.startswith("source_")]
        values = {name: np.array([figures[name] for figures in found]) for name in found[0] if name not in alike}
        summary = summarise(values, {name: found[0][name] for name in alike})
        return replace(summary, files=first.files)
