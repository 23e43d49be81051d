"""Who scores rows: a larger autoencoder or a classifier fitted on real rows, model 1, or a detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainables.families.vae import classifier, network, objective
from trainables.families.vae.classifier import features_and_log_probabilities
from trainables.lineage import Stream
from trainables.sources.images import Pixels
from trainables.store import Payload

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

LARGER = 2
"""Width of the reference autoencoder, relative to the model's."""

UPDATES = 300
"""Of a classifier that judges."""

DRAWS = 4
"""Latents drawn an image for an ELBO that scores: how exactly records report the loss must not decide what is kept."""

SURE = 1e-6
"""A detector's probabilities stay this far from 0 and 1."""


def reference(config: VaeConfig, real: Pixels, labels: np.ndarray | None, classes: int, stream: Stream) -> Payload:
    """A judge fitted on real rows, as `config.reference` wants it.

    Raises:
        ValueError: a classifier is wanted, but the source has no labels.
    """
    if config.reference == "elbo":
        return Payload(tensors=network.weights(objective.fit(_larger(config), real, None, stream)[0]))
    if labels is None:
        raise ValueError(f"reference: a classifier needs labels, which {config.source.kind} as configured lacks")
    return classifier.fit(real, labels, classes, UPDATES, stream)


def detector(real: Pixels, synthetic: Pixels, stream: Stream) -> Payload:
    """A classifier of real (class 1) against synthetic (class 0) rows."""
    labels = np.repeat([1, 0], [real.rows, synthetic.rows])
    return classifier.fit(Pixels.join([real, synthetic]), labels, 2, UPDATES, stream)


def score(kind: str, config: VaeConfig, judge: Payload, images: Pixels, stream: Stream) -> np.ndarray:
    """Scores of images, higher is more real, [rows].

    `first` and the ELBO reference: the ELBO in nats. The classifier reference: log-probability of the likeliest
    class. `detector`: probability of being real.
    """
    if kind == "detector":
        _, logs = features_and_log_probabilities(classifier.load(judge), images)
        chance: np.ndarray = np.exp(logs[:, 1]).clip(SURE, 1 - SURE)
        return chance
    if kind == "reference" and config.reference == "classifier":
        _, logs = features_and_log_probabilities(classifier.load(judge), images)
        best: np.ndarray = logs.max(axis=1)
        return best
    whose = (_larger(config) if kind == "reference" else config).model_copy(update={"elbo_draws": DRAWS})
    parts = objective.judge(whose, network.load(whose, judge.tensors), images, stream)
    elbo: np.ndarray = -(parts[0] + parts[1])
    return elbo


def _larger(config: VaeConfig) -> VaeConfig:
    return config.model_copy(update={"width": LARGER * config.width})
