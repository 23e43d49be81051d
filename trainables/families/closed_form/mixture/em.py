"""Mixtures of two Gaussians by expectation maximisation, many replicates side by side, as compiled loops.

Importing this module loads numba.
"""

from __future__ import annotations

import math

import numpy as np

from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp64

FLOOR = 1e-6
"""Added to every component's variances, which else vanish where one row is all that a component holds."""


def fit(
    rows: np.ndarray, weights: np.ndarray, tolerance: float, limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Maximum likelihood by EM (Dempster, Laird & Rubin 1977), started from the halves of the rows on either side of
    their mean along the axis of largest variance.

    Args:
        rows: [replicates, rows, dim].
        weights: of rows, [1 or replicates, rows].
        tolerance: rise of the mean log-likelihood of a row below which a replicate is at its end.
        limit: passes over the rows at most.

    Returns:
        Shares [replicates, 2], means [replicates, 2, dim], covariances [replicates, 2, dim, dim] and passes taken
        (int32, [replicates]).
    """
    rows = np.ascontiguousarray(rows, dtype=np.float64)
    weights = np.ascontiguousarray(np.broadcast_to(weights, rows.shape[:2]), dtype=np.float64)
    replicates, _, dim = rows.shape
    shares, means = np.empty((replicates, 2)), np.empty((replicates, 2, dim))
    spreads, taken = np.empty((replicates, 2, dim, dim)), np.zeros(replicates, dtype=np.int32)
    _fit(rows, weights, _halves(rows, weights), tolerance, limit, shares, means, spreads, taken)
    return shares, means, spreads, taken


def _halves(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Whether each row lies above the mean along the first principal axis, [replicates, rows] of 0 and 1."""
    share = weights / weights.sum(axis=1, keepdims=True)
    centred = rows - (share[:, None] @ rows)
    covariance = (centred * share[..., None]).swapaxes(1, 2) @ centred
    axis = np.linalg.eigh(covariance)[1][:, :, -1]
    axis *= np.where(axis.sum(axis=1, keepdims=True) < 0, -1, 1)
    above: np.ndarray = (centred @ axis[..., None])[..., 0] > 0
    return above.astype(np.float64)


@compiled
def _fit(
    rows: np.ndarray,
    weights: np.ndarray,
    belongs: np.ndarray,
    tolerance: float,
    limit: int,
    shares: np.ndarray,
    means: np.ndarray,
    spreads: np.ndarray,
    taken: np.ndarray,
) -> None:
    dim = rows.shape[2]
    root, white = np.empty((2, dim, dim)), np.empty(dim)
    for r in range(len(rows)):
        before = -math.inf
        for n in range(limit):
            _maximise(rows[r], weights[r], belongs[r], shares[r], means[r], spreads[r])
            found = _expect(rows[r], weights[r], belongs[r], shares[r], means[r], spreads[r], root, white)
            taken[r] = n + 1
            if not found - before > tolerance:
                break
            before = found


@compiled
def _maximise(
    x: np.ndarray, w: np.ndarray, belongs: np.ndarray, shares: np.ndarray, means: np.ndarray, spreads: np.ndarray
) -> None:
    """Weighted shares, means and covariances of both components."""
    dim, total = x.shape[1], 0.0
    means[:], spreads[:], shares[:] = 0.0, 0.0, 1e-300
    for i in range(len(x)):
        total += w[i]
        for k in range(2):
            part = w[i] * (belongs[i] if k == 1 else 1.0 - belongs[i])
            shares[k] += part
            for a in range(dim):
                means[k, a] += part * x[i, a]
    for k in range(2):
        for a in range(dim):
            means[k, a] /= shares[k]
    for i in range(len(x)):
        for k in range(2):
            part = w[i] * (belongs[i] if k == 1 else 1.0 - belongs[i])
            for a in range(dim):
                for b in range(a + 1):
                    spreads[k, a, b] += part * (x[i, a] - means[k, a]) * (x[i, b] - means[k, b])
    for k in range(2):
        for a in range(dim):
            for b in range(a + 1):
                spreads[k, a, b] = spreads[k, a, b] / shares[k] + (FLOOR if a == b else 0.0)
                spreads[k, b, a] = spreads[k, a, b]
        shares[k] /= total


@compiled
def _expect(
    x: np.ndarray,
    w: np.ndarray,
    belongs: np.ndarray,
    shares: np.ndarray,
    means: np.ndarray,
    spreads: np.ndarray,
    root: np.ndarray,
    white: np.ndarray,
) -> float:
    """Each row's chance of the second component into `belongs`; the mean log-likelihood of a row."""
    dim, total, whole = x.shape[1], 0.0, 0.0
    constant = np.empty(2)
    for k in range(2):
        constant[k] = math.log(shares[k]) - _factor(spreads[k], root[k]) - 0.5 * dim * math.log(2 * math.pi)
    for i in range(len(x)):
        one = constant[0] - 0.5 * _square(x[i], means[0], root[0], white)
        two = constant[1] - 0.5 * _square(x[i], means[1], root[1], white)
        top = max(one, two)
        away = exp64(min(one, two) - top)
        belongs[i] = (1.0 if two >= one else away) / (1.0 + away)
        total += w[i] * (top + math.log(1.0 + away))
        whole += w[i]
    return total / whole


@compiled
def _factor(spread: np.ndarray, root: np.ndarray) -> float:
    """The Cholesky factor into `root`; half the log-determinant."""
    half = 0.0
    for j in range(len(spread)):
        for i in range(j, len(spread)):
            value = spread[i, j]
            for k in range(j):
                value -= root[i, k] * root[j, k]
            root[i, j] = math.sqrt(value) if i == j else value / root[j, j]
        half += math.log(root[j, j])
    return half


@compiled
def _square(x: np.ndarray, mean: np.ndarray, root: np.ndarray, white: np.ndarray) -> float:
    """(x − mean)ᵀ(root·rootᵀ)⁻¹(x − mean)."""
    total = 0.0
    for a in range(len(x)):
        value = x[a] - mean[a]
        for b in range(a):
            value -= root[a, b] * white[b]
        white[a] = value / root[a, a]
        total += white[a] * white[a]
    return total
