"""`Vae`: the family at work, tying images, fit, metrics and judges together."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from trainables.corpus import Corpus
from trainables.families.base import Diverged, Evaluation, Family, World
from trainables.families.checkpoint_files import arrays, write
from trainables.families.correction import share_moved
from trainables.families.shown_files import shown
from trainables.families.vae import corrector as centres
from trainables.families.vae import judges, network, objective
from trainables.families.vae.baseline import constant_loss
from trainables.families.vae.config import SHOWN, VaeConfig
from trainables.families.vae.features import compare, space
from trainables.families.vae.picture import grid
from trainables.families.vae.rows import gather, labels_of, payload, pixels_of
from trainables.lineage import Stream
from trainables.sources.images import Pixels, load
from trainables.store import Payload


class Vae(Family):
    """Batches are tables with a column `pixels`, one flat image a row; models are tensors by parameter name.

    Evaluation draws the same latents for every model of one seed and source, so that generations and policies are
    compared on common random numbers.

    Args:
        config: of the family.
        world: of one recursion.
        truth: randomness of the real world, where this is one of several recursions side by side.
    """

    config: VaeConfig

    def __init__(self, config: VaeConfig, world: World, truth: Stream | None = None) -> None:
        super().__init__(config, world)
        self.truth = truth or self.truth
        self.images = load(config.source)
        self._order = self.truth.numpy("rows").permutation(self.images.train.rows)

    @cached_property
    def _constant_loss(self) -> float:
        return constant_loss(self.config, self.images.train.pixels, self.images.test.pixels)

    def real(self, start: int, rows: int) -> Payload:
        train = self.images.train
        if start + rows > train.rows:
            raise ValueError(f"rows: real rows {start} to {start + rows}, but the training split holds {train.rows}")
        index = self._order[start : start + rows]
        labels = None if train.labels is None else train.labels[index]
        return payload(train.pixels.take(index), labels, skipped=self.images.skipped)

    def held_out(self) -> Payload:
        parts = [self.images.test, self.images.validation]
        labels = [part.labels for part in parts if part.labels is not None]
        pixels = Pixels.join([part.pixels for part in parts])
        return payload(pixels, np.concatenate(labels) if labels else None)

    def fit(self, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, None)

    def fine_tune(self, start: Payload, corpus: Corpus, stream: Stream) -> Payload:
        return self._fitted(corpus, stream, start)

    def _fitted(self, corpus: Corpus, stream: Stream, start: Payload | None) -> Payload:
        images, weight = gather(corpus)
        fitted, loss = objective.fit(self.config, images, weight, stream, start.tensors if start else None)
        return Payload(meta={"parameters": self.config.parameters, "train_loss": loss}, tensors=network.weights(fitted))

    def checkpoint(self) -> Payload:
        assert self.config.checkpoint is not None  # asked only where there is one
        return Payload(tensors=arrays(self.config.checkpoint.folder()))

    def export(self, model: Payload, folder: Path) -> None:
        write(model.tensors, self.config.canonical(), folder)

    def evaluate(self, model: Payload, stream: Stream) -> Evaluation:
        metrics, sampled = self.measure(model)
        first = sampled.take(np.arange(min(SHOWN, sampled.rows))).array()
        files = shown("samples.png", lambda: grid(first))
        return Evaluation(metrics["reconstruction"] + metrics["kl"], metrics, files=files)

    def measure(self, model: Payload) -> tuple[dict[str, float], Pixels]:
        """Every figure of a model, and the samples that it was taken on.

        Raises:
            Diverged: the loss or a sample is not finite.
        """
        config, fitted = self.config, network.load(self.config, model.tensors)
        noise = self.truth.child("evaluation")
        reconstruction, kl = self._loss(fitted, self.images.test.pixels, noise)
        validation = self._loss(fitted, self.images.validation.pixels, noise)
        sampled = objective.sample(config, fitted, config.judged, noise)
        metrics = {
            "reconstruction": reconstruction,
            "kl": kl,
            "validation_loss": sum(validation),
            "constant_loss": self._constant_loss,
            **compare(config, self.images, space(config, self.images, self.world.store), sampled),
            **{f"source_{why}": float(count) for why, count in self.images.skipped.items()},
        }
        return metrics, sampled

    def validate(self, model: Payload) -> float:
        fitted = network.load(self.config, model.tensors)
        return sum(self._loss(fitted, self.images.validation.pixels, self.truth.child("evaluation")))

    def _loss(self, fitted: network.Network, images: Pixels, noise: Stream) -> tuple[float, float]:
        """Means of the negative ELBO's parts.

        Raises:
            Diverged: one is not finite.
        """
        parts = [float(part.mean()) for part in objective.judge(self.config, fitted, images, noise)]
        if not np.isfinite(parts).all():
            raise Diverged(f"the loss on held-out images is not finite (reconstruction {parts[0]}, KL {parts[1]})")
        return parts[0], parts[1]

    def sample(self, model: Payload, rows: int, stream: Stream, bias: float = 1.0) -> Payload:
        fitted = network.load(self.config, model.tensors)
        return payload(objective.sample(self.config, fitted, rows, stream, bias))

    def correct(self, corrector: Payload, model: Payload, batch: Payload, strength: float, stream: Stream) -> Payload:
        """An image moves towards the nearest k-means centre of batch 0."""
        found, moved = centres.corrected(pixels_of(batch), corrector, share_moved(strength))
        return payload(found, labels_of(batch), moved=moved)

    def judge(self, kind: str, real: Payload, synthetic: Payload | None, stream: Stream) -> Payload:
        if kind == "detector":
            assert synthetic is not None  # a detector tells real rows from these
            return judges.detector(pixels_of(real), pixels_of(synthetic), stream)
        if kind == "corrector":
            return centres.fit(pixels_of(real), self.images.classes, stream)
        return judges.reference(self.config, pixels_of(real), labels_of(real), self.images.classes, stream)

    def score(self, kind: str, judge: Payload, batch: Payload, stream: Stream) -> np.ndarray:
        return judges.score(kind, self.config, judge, pixels_of(batch), stream)

    def take(self, batch: Payload, index: np.ndarray) -> Payload:
        labels = labels_of(batch)
        return payload(pixels_of(batch).take(index), None if labels is None else labels[index])
