"""Where images are moved to: the nearest centre of real ones, as Gillman et al. 2024 correct digits."""

from __future__ import annotations

import warnings

import numpy as np

from trainables.lineage import Stream
from trainables.sources.images import Pixels
from trainables.store import Payload

EACH = 16
"""Centres a class (Gillman et al. 2024, arXiv 2402.07087, section 6)."""

UNLABELLED = 10
"""Classes that images without labels count as."""

PASSES = 30
"""Of k-means over the images."""


def fit(real: Pixels, classes: int, stream: Stream) -> Payload:
    """k-means centres of real images (Lloyd 1982, from a k-means++ start), [k, pixels] in [0, 1].

    Args:
        real: images; no more centres than there are of them.
        classes: in the source; 0 where it has no labels.
        stream: for the start.
    """
    from scipy.cluster.vq import kmeans2  # scikit-learn's sums depend on the number of threads

    count = min(EACH * (classes or UNLABELLED), real.rows)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One of the clusters is empty")  # it keeps its centre
        found, _ = kmeans2(_flat(real.array()), count, PASSES, minit="++", rng=stream.numpy("k-means"))
    return Payload(tensors={"centres": found.astype(np.float32)})


def corrected(images: Pixels, corrector: Payload, way: float) -> tuple[Pixels, float]:
    """Images at `way` between themselves and their nearest centres, in whole bytes; root mean square distance of an
    image from where it was, in [0, 1] pixels.
    """
    from scipy.spatial.distance import cdist

    centres, pieces, square = corrector.tensors["centres"], [], 0.0
    for some in images.each():
        x = _flat(some)
        step = way * (centres[cdist(x, centres, "sqeuclidean").argmin(axis=1)] - x)
        square += float((step**2).sum())
        pieces.append(np.rint(255 * (x + step)).clip(0, 255).astype(np.uint8).reshape(some.shape))
    return Pixels.of(np.concatenate(pieces)), float(np.sqrt(square / images.rows))


def _flat(images: np.ndarray) -> np.ndarray:
    """Bytes as pixels in [0, 1], [rows, pixels]."""
    flat: np.ndarray = images.reshape(len(images), -1).astype(np.float32) / 255
    return flat
