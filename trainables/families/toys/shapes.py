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


def dimension(shape: Shape) -> int:
    """Coordinates of a row."""
    return 3 if shape == "swiss_roll" else 2


def draw(centres: np.ndarray, blur: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Independent rows of the blurred shape, [*shape, dim]."""
    chosen = centres[rng.integers(0, len(centres), shape)]
    rows: np.ndarray = chosen + blur * rng.standard_normal((*shape, centres.shape[1]))
    return rows
