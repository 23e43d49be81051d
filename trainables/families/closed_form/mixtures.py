"""Two- and three-dimensional real distributions: a shape of scikit-learn's, blurred by a Gaussian.

Each is a mixture over `POINTS` points of the shape, so that its density is known and its rows are independent.
Coordinates are scaled so that the mean is 0 and a coordinate's variance is 1 on average.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Shape = Literal["moons", "circles", "blobs", "swiss_roll"]

POINTS = 2048


def points(shape: Shape, blur: float) -> np.ndarray:
    """The shape's points, [POINTS, dim], in units in which the blurred shape has unit variance."""
    from sklearn import datasets

    if shape == "moons":
        x, _ = datasets.make_moons(POINTS, shuffle=False)
    elif shape == "circles":
        x, _ = datasets.make_circles(POINTS, shuffle=False, factor=0.5)
    elif shape == "blobs":
        x, _ = datasets.make_blobs(POINTS, centers=5, cluster_std=0.0, shuffle=False, random_state=0)
    else:
        x, _ = datasets.make_swiss_roll(POINTS, random_state=0)
    x = x - x.mean(axis=0)
    scaled: np.ndarray = x * np.sqrt((1 - blur**2) / x.var(axis=0).mean())
    return scaled


def modes(shape: Shape, centres: np.ndarray) -> list[np.ndarray] | None:
    """The shape's points by mode, each [points, dim]: moons, circles or blobs; None where it has one piece.

    Args:
        centres: what `points` returns, in its order.
    """
    from sklearn import datasets

    if shape == "swiss_roll":
        return None
    if shape == "blobs":
        _, labels = datasets.make_blobs(POINTS, centers=5, cluster_std=0.0, shuffle=False, random_state=0)
    else:
        _, labels = datasets.make_moons(POINTS, shuffle=False)  # circles lists its outer ring first, as moons do
    return [centres[labels == label] for label in np.unique(labels)]


def between(x: np.ndarray, modes: list[np.ndarray]) -> np.ndarray:
    """Share of rows between modes: those more than half as far from the nearest mode as from the second nearest.

    What definition 6 of Schaeffer et al. 2025 judges. Probabilities of the true mixture would not do: far from all
    modes they still name one with certainty.

    Args:
        x: [replicates, rows, dim].
        modes: at least two, each [points, dim].

    Returns:
        [replicates].
    """
    from scipy.spatial import KDTree

    rows = x.reshape(-1, x.shape[-1])
    distances = np.stack([KDTree(mode).query(rows)[0] for mode in modes])
    nearest, second = np.partition(distances, 1, axis=0)[:2]
    share: np.ndarray = (nearest > second / 2).reshape(x.shape[:-1]).mean(axis=1)
    return share


def nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The point of `centres`, [points, dim], nearest to each row of x, [replicates, rows, dim], in its place."""
    from scipy.spatial import KDTree

    found: np.ndarray = centres[KDTree(centres).query(x.reshape(-1, x.shape[-1]))[1]].reshape(x.shape)
    return found


def dimension(shape: Shape) -> int:
    """Coordinates of a row."""
    return 3 if shape == "swiss_roll" else 2


def draw(centres: np.ndarray, blur: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Independent rows of the blurred shape, [*shape, dim]."""
    chosen = centres[rng.integers(0, len(centres), shape)]
    rows: np.ndarray = chosen + blur * rng.standard_normal((*shape, centres.shape[1]))
    return rows
