"""Distances between sets of images, from their features: Fréchet, precision and recall, class coverage."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

COVERED = 0.1
"""A class is covered where its share of the samples is at least this part of its share of real images."""

SURE = 0.9
"""An image belongs to a class that a classifier gives at least this probability."""


def frechet(one: np.ndarray, other: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of features, each [rows, features].

    ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) (Heusel et al. 2017, arXiv 1706.08500). Biased upwards for few rows, so
    compare at equal numbers of rows only.
    """
    mean = ((one.mean(0) - other.mean(0)) ** 2).sum()
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = _root(a)
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ b @ root), 0, None)).sum()
    return max(0.0, float(mean + np.trace(a) + np.trace(b) - 2 * cross))


def precision_recall(real: np.ndarray, fake: np.ndarray, neighbours: int) -> tuple[float, float]:
    """Share of fake rows within the real manifold, and of real rows within the fake one.

    A manifold is the union of balls around its rows that reach to the k-th neighbour of each (Kynkäänniemi et al.
    2019, arXiv 1904.06991).

    Args:
        real: features, [rows, features].
        fake: as many features.
        neighbours: k; held below the number of rows.
    """
    between = cdist(fake, real)
    inside_real = between <= _radii(real, neighbours)[None, :]
    inside_fake = between <= _radii(fake, neighbours)[:, None]
    return float(inside_real.any(axis=1).mean()), float(inside_fake.any(axis=0).mean())


def coverage(predicted: np.ndarray, real: np.ndarray, classes: int) -> dict[str, float]:
    """How sampled images spread over classes.

    Args:
        predicted: class of each sampled image, [rows].
        real: class of each real image, [rows].
        classes: how many there are.

    Returns:
        `class_coverage`, the share of classes covered, of those that real images have; `class_entropy` in nats;
        `class_kl`, KL(sampled ‖ real) in nats, where a class that no real image has counts as one of share 10⁻¹².
    """
    shares = np.bincount(predicted, minlength=classes) / len(predicted)
    expected = np.bincount(real, minlength=classes) / len(real)
    present = shares > 0
    known = expected > 0
    return {
        "class_coverage": float((shares[known] >= COVERED * expected[known]).mean()),
        "class_entropy": float(-(shares[present] * np.log(shares[present])).sum()),
        "class_kl": float((shares[present] * np.log(shares[present] / expected[present].clip(1e-12))).sum()),
    }


def between_classes(logs: np.ndarray) -> float:
    """Share of images that belong to no single class: what definition 6 of Schaeffer et al. 2025 judges.

    Args:
        logs: log p(class | image), [rows, classes].
    """
    return float((logs.max(axis=1) < np.log(SURE)).mean())


def pixel_variance(images: np.ndarray) -> float:
    """Variance of a pixel over images, mean over pixels; images of bytes [rows, …], variance of [0, 1] values."""
    return float((images.reshape(len(images), -1).astype(np.float64) / 255).var(axis=0).mean())


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root


def _radii(rows: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each row to its k-th neighbour, itself not counted."""
    nearest = min(neighbours, len(rows) - 1)
    radii: np.ndarray = np.partition(cdist(rows, rows), nearest, axis=1)[:, nearest]
    return radii
