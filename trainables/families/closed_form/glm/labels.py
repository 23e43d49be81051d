"""Labels by linear predictor η: means, likelihoods, draws, and what held-out labels say of a prediction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

Link = Literal["logistic", "probit", "poisson"]

BINS = 10
"""Of equal width, in which predicted and observed frequencies are compared."""

CACHED = 1 << 15
"""Numbers whose passing results a core keeps at hand."""

LARGEST = 2.0**53
"""Mean of a count above which its draws are no longer whole numbers in double precision."""


def _stretches(shape: tuple[int, ...]) -> Iterator[slice]:
    """Replicates of [replicates, rows] in order, so many at a time that passing results stay in a core's cache."""
    step = max(CACHED // max(shape[1], 1), 1)
    return (slice(start, start + step) for start in range(0, shape[0], step))


def means(link: Link, eta: np.ndarray) -> np.ndarray:
    """E[y]: a probability, or the mean of a count."""
    if link == "probit":
        from scipy.special import ndtr

        probabilities: np.ndarray = ndtr(eta)
        return probabilities
    with np.errstate(over="ignore"):
        found: np.ndarray = np.exp(eta) if link == "poisson" else 1 / (1 + np.exp(-eta))
    return found


def log_probabilities(link: Link, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log P(1) and log P(0) of binary labels."""
    from scipy.special import log_ndtr

    if link == "probit":
        return log_ndtr(eta), log_ndtr(-eta)
    none = -_softplus(eta)
    return none + eta, none


def _softplus(eta: np.ndarray) -> np.ndarray:
    """log(1 + e^η), to an absolute error of 1e-16."""
    found: np.ndarray = np.maximum(eta, 0) + np.log(1 + np.exp(-np.abs(eta)))
    return found


def log_likelihood(link: Link, eta: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """log p(y | η), in nats."""
    from scipy.special import gammaln

    if link == "poisson":
        found: np.ndarray = labels * eta - means(link, eta) - gammaln(labels + 1.0)
        return found
    one, none = log_probabilities(link, eta)
    binary: np.ndarray = np.where(labels > 0, one, none)
    return binary


def cross_entropy(link: Link, expected: np.ndarray, eta: np.ndarray) -> np.ndarray:
    """−E log p(y | eta) over labels of mean `expected`, but for what does not depend on eta; in nats.

    Less its value at the true predictor it is KL(p* ‖ p(· | eta)).
    """
    if link == "probit":
        one, none = log_probabilities(link, eta)
        binary: np.ndarray = -expected * one - (1 - expected) * none
        return binary
    normaliser = means(link, eta) if link == "poisson" else _softplus(eta)
    found: np.ndarray = normaliser - expected * eta
    return found


def information(link: Link, eta: np.ndarray) -> np.ndarray:
    """Fisher information of one label about its linear predictor."""
    mean = means(link, eta)
    if link == "poisson":
        return mean
    slope = mean * (1 - mean) if link == "logistic" else np.exp(-0.5 * eta**2) / np.sqrt(2 * np.pi)
    found: np.ndarray = slope**2 / (mean * (1 - mean))
    return found


def draw(link: Link, eta: np.ndarray, rng: np.random.Generator, bias: float) -> np.ndarray:
    """Labels from p(y | η)^(1/bias), normalised; [replicates, rows] like η.

    For a count that is the Conway–Maxwell–Poisson law with ν = 1/bias (Shmueli et al. 2005).
    """
    if link == "poisson":
        expected = means(link, eta)
        return rng.poisson(expected) if bias == 1.0 else _sharper_counts(expected, 1 / bias, rng)
    drawn = np.empty(eta.shape, dtype=np.int8)
    for part in _stretches(eta.shape):
        chance = _chances(link, eta[part], bias)
        drawn[part] = rng.random(chance.shape) < chance
    return drawn


def _chances(link: Link, eta: np.ndarray, bias: float) -> np.ndarray:
    if bias == 1.0:
        return means(link, eta)
    one, none = log_probabilities(link, eta)
    return means("logistic", (one - none) / bias)


def _sharper_counts(expected: np.ndarray, power: float, rng: np.random.Generator) -> np.ndarray:
    """Inversion over the counts within some standard deviations of the mode; what lies beyond has no weight left."""
    mean, points = expected.ravel(), rng.random(expected.size)
    reach = int(12 * np.sqrt(mean.max() / power + 1)) + 20
    found = np.empty(mean.shape, dtype=np.int64)
    step = max((1 << 20) // (2 * reach), 1)
    for start in range(0, len(mean), step):
        part = slice(start, start + step)
        found[part] = _inverted(mean[part, None], points[part, None], reach, power)
    return found.reshape(expected.shape)


def _inverted(mean: np.ndarray, points: np.ndarray, reach: int, power: float) -> np.ndarray:
    from scipy.special import gammaln, xlogy

    counts = np.maximum(np.floor(mean) - reach, 0) + np.arange(2 * reach)
    logs = power * (xlogy(counts, mean) - gammaln(counts + 1))
    table = np.cumsum(np.exp(logs - logs.max(axis=1, keepdims=True)), axis=1)
    place = (table < points * table[:, -1:]).sum(axis=1)
    chosen: np.ndarray = np.take_along_axis(counts, place[:, None], axis=1)[:, 0].astype(np.int64)
    return chosen


def accuracy(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Share of labels that the likelier one meets, expected where `observed` are probabilities; [replicates]."""
    hit: np.ndarray = np.where(predicted > 0.5, observed, 1 - observed).mean(axis=1)
    return hit


def calibration_error(predicted: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Σ_b |Σ_{i ∈ b} (y_i − p_i)|/n over bins of p (Naeini, Cooper & Hauskrecht 2015); [replicates]."""
    replicates, rows = predicted.shape
    cells = np.minimum((predicted * BINS).astype(np.int64), BINS - 1) + np.arange(replicates)[:, None] * BINS
    gaps = np.bincount(cells.ravel(), (observed - predicted).ravel(), replicates * BINS)
    found: np.ndarray = np.abs(gaps).reshape(replicates, BINS).sum(axis=1) / rows
    return found
