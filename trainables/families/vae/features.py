"""The fixed space in which real and sampled images are compared, fitted on real training images only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainables.families.vae import classifier
from trainables.families.vae.classifier import FEATURES, features_and_log_probabilities
from trainables.families.vae.metrics import between_classes, coverage, frechet, pixel_variance, precision_recall
from trainables.families.vae.rows import spread
from trainables.lineage import Stream, make_key
from trainables.sources.images import Images, Pixels
from trainables.store import Payload, Store

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

VERSION = 1
"""Of how feature spaces are fitted; part of their key."""

MOST_ROWS = 5_000
"""Training images that a principal component analysis is fitted on, at most."""


def space(config: VaeConfig, images: Images, store: Store) -> Payload:
    """The feature space of a source: one for all seeds, models and policies, kept in the store.

    Where the source has labels, a small classifier, whose hidden layer and answers are used; elsewhere the leading
    principal components. Held-out images take no part. A classifier is blind to what it needs not tell classes apart:
    noise may lie near digits, so read precision beside the Fréchet distance.
    """
    key = make_key("features", data=config.data_identity(), updates=config.feature_steps, version=VERSION)
    return store.once("features", key, lambda: _fit(config, images, Stream(key)))


def _fit(config: VaeConfig, images: Images, stream: Stream) -> Payload:
    from sklearn.decomposition import PCA

    train = images.train
    if train.labels is not None:
        return classifier.fit(train.pixels, train.labels, images.classes, config.feature_steps, stream)
    chosen = np.sort(stream.numpy("rows").permutation(train.rows)[:MOST_ROWS])
    flat = train.pixels.gather(chosen).reshape(len(chosen), -1).astype(np.float32) / 255
    solver = PCA(min(FEATURES, *flat.shape), svd_solver="randomized", random_state=stream.integer("pca") % 2**32)
    found = solver.fit(flat)
    return Payload(tensors={"mean": found.mean_, "axes": np.ascontiguousarray(found.components_)})


@dataclass(frozen=True)
class Seen:
    """Images as the feature space sees them: features [rows, …], and log p(class) [rows, classes] where it has any."""

    features: np.ndarray
    logs: np.ndarray | None


def see(space: Payload, images: Pixels) -> Seen:
    """The features of images."""
    if "axes" in space.tensors:
        flat = images.array().reshape(images.rows, -1).astype(np.float32) / 255
        return Seen((flat - space.tensors["mean"]) @ space.tensors["axes"].T, None)
    hidden, logs = features_and_log_probabilities(classifier.load(space), images)
    return Seen(hidden, logs)


def compare(config: VaeConfig, images: Images, space: Payload, sampled: Pixels) -> dict[str, float]:
    """Metrics of sampled images against held-out real ones, an equal number of each, the real ones from all over the
    source.

    `frechet_distance`, `precision`, `recall`; `pixel_variance` and its ratio to that of the real images;
    `class_coverage`, `class_entropy` and `class_kl` against the training images' classes, and `mode_overlap`, the share
    of samples between classes, where there are labels.
    """
    held_out = Pixels.join([images.test.pixels, images.validation.pixels])
    rows = min(held_out.rows, sampled.rows)
    real, fake = held_out.take(spread(rows, held_out.rows)), sampled.take(np.arange(rows))
    seen_real, seen_fake = see(space, real), see(space, fake)
    precision, recall = precision_recall(seen_real.features, seen_fake.features, config.neighbours)
    variance = pixel_variance(fake.array())
    found = {
        "frechet_distance": frechet(seen_real.features, seen_fake.features),
        "precision": precision,
        "recall": recall,
        "pixel_variance": variance,
        "variance_ratio": variance / max(pixel_variance(real.array()), 1e-12),
    }
    if images.train.labels is not None:
        logs = see(space, sampled).logs
        assert logs is not None  # a space fitted on labels knows classes
        found |= coverage(logs.argmax(axis=1), images.train.labels, images.classes)
        found["mode_overlap"] = between_classes(logs)
    return found
