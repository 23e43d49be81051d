"""Rows of a fitted mixture on their way to the true one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trainables.families.closed_form.corpus_terms import probability
from trainables.families.closed_form.mixture.density import log_parts
from trainables.lineage import Stream

Mixtures = Mapping[str, np.ndarray]


def moved(model: Mixtures, truth: Mixtures, rows: np.ndarray, way: float, stream: Stream) -> np.ndarray:
    """Rows of the mixture whose shares, means and Cholesky factors lie at `way` between the model's and the true ones.

    Args:
        model: that the rows, [replicates, rows, dim], are samples of.
        truth: of one replicate; its components in the order of the model's.
        way: 0 leaves the rows as they are, 1 makes them rows of the truth.
        stream: for each row's component, and for those that change over.

    Returns:
        As many rows. Given their components they stay at the same place in whitened coordinates.
    """
    rng, shape = stream.numpy("components"), rows.shape[:2]
    one, two = log_parts(model, rows)
    before = (rng.random(shape) < probability(two - one)).astype(np.int64)
    surplus = np.maximum(way * (model["shares"] - truth["shares"]), 0) / model["shares"]
    after = before ^ (rng.random(shape) < np.take_along_axis(surplus, before, axis=1))
    roots, true = np.linalg.cholesky(model["covariances"]), np.linalg.cholesky(truth["covariances"])
    means, factors = ((1 - way) * a + way * b for a, b in ((model["means"], truth["means"]), (roots, true)))
    white, found = np.empty_like(rows), np.empty_like(rows)
    for k in (0, 1):
        here = (rows - model["means"][:, k, None]) @ np.linalg.inv(roots[:, k]).swapaxes(1, 2)
        white = np.where((before == k)[..., None], here, white)
    for k in (0, 1):
        there = means[:, k, None] + white @ factors[:, k].swapaxes(1, 2)
        found = np.where((after == k)[..., None], there, found)
    return found
