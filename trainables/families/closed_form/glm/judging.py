"""Held-out figures of logistic models in one pass over their predictors, as a compiled loop. Importing this module
loads numba."""

from __future__ import annotations

import math

import numpy as np

from trainables.families.closed_form.glm.labels import BINS
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp64

PRODUCT = 256
"""Terms 1 + e^−|η| whose product is taken before its logarithm is: at most 2^256, which double precision holds."""


def logistic(eta: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cross-entropy in nats, accuracy and calibration error of binary labels, as `labels` defines them.

    Args:
        eta: linear predictors, [replicates, rows].
        observed: labels or their means, [1 or replicates, rows].

    Returns:
        Means over rows, [replicates] each.
    """
    observed = np.ascontiguousarray(observed, dtype=np.float64)
    loss, accuracy, calibration = np.empty(len(eta)), np.empty(len(eta)), np.empty(len(eta))
    _judge(np.ascontiguousarray(eta), observed, loss, accuracy, calibration)
    return loss, accuracy, calibration


@compiled
def _judge(
    eta: np.ndarray, observed: np.ndarray, loss: np.ndarray, accuracy: np.ndarray, calibration: np.ndarray
) -> None:
    rows = eta.shape[1]
    predicted, wholes, gaps = np.empty(rows), np.empty(rows), np.empty(BINS)
    for r in range(len(eta)):
        given, labels = eta[r], observed[r if len(observed) > 1 else 0]
        for i in range(rows):
            small = exp64(-abs(given[i]))
            wholes[i] = 1.0 + small
            predicted[i] = (1.0 if given[i] > 0.0 else small) / wholes[i]
        loss[r] = _lost(given, labels, wholes) / rows
        accuracy[r] = _hits(labels, predicted) / rows
        gaps[:] = 0.0
        for i in range(rows):
            gaps[min(int(predicted[i] * BINS), BINS - 1)] += labels[i] - predicted[i]
        calibration[r] = np.abs(gaps).sum() / rows


@compiled
def _lost(eta: np.ndarray, labels: np.ndarray, wholes: np.ndarray) -> float:
    """Σ log(1 + e^η) − yη. A loop that sums writes nothing: else the order of its sum depends on where arrays lie."""
    total = 0.0
    for start in range(0, len(eta), PRODUCT):
        product = 1.0
        for i in range(start, min(start + PRODUCT, len(eta))):
            product *= wholes[i]
            total += max(eta[i], 0.0) - labels[i] * eta[i]
        total += math.log(product)
    return total


@compiled
def _hits(labels: np.ndarray, predicted: np.ndarray) -> float:
    total = 0.0
    for i in range(len(labels)):
        total += labels[i] if predicted[i] > 0.5 else 1.0 - labels[i]
    return total
