"""Gaussian kernel sums over weighted rows, many replicates at once."""

from __future__ import annotations

import math

import numpy as np

PAIRS = 1 << 21
"""Pairs of rows whose kernel values are in memory at a time."""


def log_sums(queries: np.ndarray, centres: np.ndarray, bandwidth: np.ndarray) -> np.ndarray:
    """log Σ_c N(q; c, h²I) for every query.

    Args:
        queries: [1 or replicates, queries, dim].
        centres: [replicates, rows, dim].
        bandwidth: h, [1 or replicates].

    Returns:
        [replicates, queries].
    """
    replicates, rows, dim = centres.shape
    precise = bandwidth.min() < 0.02  # squared distances in units of h² outgrow single precision
    dtype = np.float64 if precise else np.float32
    scale = np.broadcast_to(1 / bandwidth, replicates)[:, None, None]
    found = np.empty((replicates, queries.shape[1]))
    step = max(PAIRS // (rows * queries.shape[1]), 1)
    for start in range(0, replicates, step):
        part = slice(start, start + step)
        q = queries[part] if len(queries) > 1 else queries
        found[part] = _block((q * scale[part]).astype(dtype), (centres[part] * scale[part]).astype(dtype))
    found -= dim * (np.log(bandwidth)[:, None] + 0.5 * math.log(2 * math.pi))
    return found


def _block(queries: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """log Σ exp(−½‖q − c‖²); the square is spread out into one matrix product."""
    left = _augmented(queries, -0.5 * (queries**2).sum(axis=2), ones_last=True)
    right = _augmented(centres, -0.5 * (centres**2).sum(axis=2), ones_last=False)
    exponents = left @ right.swapaxes(1, 2)
    top = exponents.max(axis=2, keepdims=True)
    exponents -= top
    np.exp(exponents, out=exponents)
    sums: np.ndarray = np.log(exponents.sum(axis=2)) + top[..., 0]
    return sums


def _augmented(rows: np.ndarray, norms: np.ndarray, *, ones_last: bool) -> np.ndarray:
    """Rows with two more columns, so that (q, n_q, 1)·(c, 1, n_c) = q·c + n_q + n_c."""
    ones = np.ones_like(norms)
    extra = (norms, ones) if ones_last else (ones, norms)
    return np.concatenate([rows, *(column[..., None] for column in extra)], axis=2)


def sliced_wasserstein(one: np.ndarray, other: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """W₂ between two samples of equal size, root mean square over directions (Rabin et al. 2012).

    Args:
        one: [replicates, rows, dim].
        other: [1 or replicates, rows, dim].
        directions: unit vectors, [directions, dim].

    Returns:
        [replicates].
    """
    first, second = (np.sort((x @ directions.T).swapaxes(1, 2), axis=2) for x in (one, other))
    distance: np.ndarray = np.sqrt(((first - second) ** 2).mean(axis=(1, 2)))
    return distance
