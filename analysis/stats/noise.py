"""Noise of a recursion over generations: independent errors and errors that accumulate, both growing as a power of n.

V = D(I + ρ·K)D with K_ij = min(i, j), a random walk's covariance, and D = diag(n^q). ρ and q are taken from a grid by
restricted maximum likelihood (Patterson & Thompson 1971), from the deviations of recursions from their mean, levels
left out; each departure from equal, independent errors (ρ > 0, half a unit of q) must gain a unit of log-likelihood.
Whitened values have equal, independent errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
WALKS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, np.inf)
"""ρ: variance of a step of the random walk over that of an independent error."""
GROWTHS = (0.0, 0.5, 1.0)
"""q."""
COUNT = len(WALKS) * len(GROWTHS)


@dataclass(frozen=True)
class Noise:
    """The noise of several studies, [studies] each.

    Attributes:
        model: place in the grid.
        variance: of a whitened error of one recursion.
    """

    model: Index
    variance: Array


def walks(model: int) -> bool:
    """Whether errors of this model accumulate."""
    return WALKS[model % len(WALKS)] > 0


@lru_cache(maxsize=4096)
def whitener(model: int, generations: int, levels: bool = False) -> Array:
    """W with W V Wᵀ = I and det V = 1, on the contrasts that leave the level out, [G − 1, G]; with `levels`, [G, G]."""
    keep, covariance = contrasts(generations), _covariance(model, generations)
    root = np.linalg.cholesky(keep @ covariance @ keep.T)
    scale = np.exp(np.log(np.diag(root)).mean())
    if levels:
        return np.asarray(scale * np.linalg.inv(np.linalg.cholesky(covariance)))
    return np.asarray(scale * np.linalg.solve(root, keep))


def root(model: int, variance: float, measured: int, generations: int) -> Array:
    """R with R Rᵀ the covariance of one recursion over some generations, [G, G], where `variance` is that of a whitened
    error over `measured` ones."""
    keep = contrasts(measured)
    held = np.linalg.cholesky(keep @ _covariance(model, measured) @ keep.T)
    unit = np.exp(-2 * np.log(np.diag(held)).mean())
    return np.asarray(np.sqrt(variance * unit) * np.linalg.cholesky(_covariance(model, generations)))


def _covariance(model: int, generations: int) -> Array:
    """V of a model, [G, G]; a variance of 1 at generation 1 where ρ = 0."""
    share, growth = WALKS[model % len(WALKS)], GROWTHS[model // len(WALKS)]
    n = np.arange(1, generations + 1, dtype=float)
    shared = np.minimum.outer(n, n)
    covariance = shared if np.isinf(share) else np.eye(generations) + share * shared
    return np.asarray(covariance * np.outer(n, n) ** growth)


@lru_cache(maxsize=64)
def contrasts(generations: int) -> Array:
    """Orthonormal contrasts that leave the level out, [G − 1, G] (Helmert's)."""
    rows = np.tril(np.ones((generations, generations)), -1)[1:]
    rows -= np.diag(np.arange(1, generations, dtype=float), 1)[: generations - 1]
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@lru_cache(maxsize=64)
def _precisions(generations: int) -> Array:
    """WᵀW of every model, [models, G²]."""
    found = [whitener(model, generations) for model in range(COUNT)]
    return np.stack([(root.T @ root).ravel() for root in found])


def estimate(covariance: Array, freedom: int) -> Noise:
    """The noise model of each study.

    Args:
        covariance: between generations, over recursions, [studies, G, G].
        freedom: recursions less one.
    """
    generations = covariance.shape[-1]
    size = generations - 1
    variance = covariance.reshape(len(covariance), -1) @ _precisions(generations).T / size
    variance = np.maximum(variance, 1e-300)
    penalty = np.arange(COUNT) // len(WALKS) + (np.arange(COUNT) % len(WALKS) > 0)
    likelihood = -0.5 * freedom * size * np.log(variance) - penalty
    model = np.asarray(likelihood.argmax(axis=1), dtype=np.int64)
    return Noise(model, variance[np.arange(len(model)), model])
