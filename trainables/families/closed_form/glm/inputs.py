"""Inputs that labels are drawn at, and what a corpus comes to on them: sums of weights and of weighted labels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from trainables.sources.tables import Simulated


@dataclass(frozen=True)
class Inputs:
    """Rows of covariates, the constant foremost.

    Attributes:
        name: equal for equal rows.
        x: columns first, [1 or replicates, coefficients, rows].
    """

    name: Hashable
    x: np.ndarray

    @property
    def rows(self) -> int:
        """How many."""
        return int(self.x.shape[2])

    def predict(self, coefficients: np.ndarray) -> np.ndarray:
        """Linear predictors x·β of coefficients [replicates, coefficients]; [replicates, rows]."""
        if len(self.x) == 1:
            shared: np.ndarray = coefficients @ self.x[0]
            return shared
        own: np.ndarray = (coefficients[:, None, :] @ self.x)[:, 0]
        return own


def draw(rng: np.random.Generator, source: Simulated, replicates: int, rows: int) -> np.ndarray:
    """Covariates of unit variance with a constant before them, [replicates, dim + 1, rows]."""
    x = np.empty((replicates, source.dim + 1, rows))
    x[:, 0] = 1.0
    if source.inputs == "signs":
        x[:, 1:] = rng.integers(0, 2, (replicates, source.dim, rows)) * 2.0 - 1.0
        return x
    for one in x:
        rng.standard_normal(out=one[1:])
    for column in range(2, source.dim + 1 if source.correlation else 0):
        fresh = np.sqrt(1 - source.correlation**2) * x[:, column]
        x[:, column] = source.correlation * x[:, column - 1] + fresh
    return x


@dataclass(frozen=True)
class Tally:
    """What a likelihood needs of labels drawn at the same inputs.

    Attributes:
        inputs: where they were drawn.
        weights: sums of row weights by input, [1 or replicates, rows].
        sums: of weight times label, [replicates, rows].
    """

    inputs: Inputs
    weights: np.ndarray
    sums: np.ndarray

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.inputs, self.weights + other.weights, self.sums + other.sums)


Tallies = dict[Hashable, Tally]
"""By the name of their inputs."""


def added(one: Tallies, other: Tallies) -> Tallies:
    """Both."""
    total = dict(one)
    for name, tally in other.items():
        total[name] = total[name] + tally if name in total else tally
    return total


def tally(inputs: Inputs, index: np.ndarray | None, weights: np.ndarray, labels: np.ndarray) -> Tally:
    """The sums of labelled rows.

    Args:
        inputs: that the rows are of.
        index: of each row's input, [1 or replicates, rows]; None where rows follow the inputs from the start, again
            and again.
        weights: [1 or replicates, rows].
        labels: [replicates, rows].
    """
    if index is None:
        return Tally(inputs, _folded(weights, inputs.rows), _folded(weights * labels, inputs.rows))
    shape = np.broadcast_shapes(index.shape, labels.shape)
    index, weights = np.broadcast_to(index, shape), np.broadcast_to(weights, shape)
    return Tally(inputs, _gathered(index, weights, inputs.rows), _gathered(index, weights * labels, inputs.rows))


def _folded(values: np.ndarray, rows: int) -> np.ndarray:
    """Sums over repetitions of the inputs, [.., rows]."""
    if values.shape[1] == rows:
        return values
    whole = np.zeros((len(values), -(-values.shape[1] // rows) * rows))
    whole[:, : values.shape[1]] = values
    summed: np.ndarray = whole.reshape(len(values), -1, rows).sum(axis=1)
    return summed


def _gathered(index: np.ndarray, values: np.ndarray, rows: int) -> np.ndarray:
    cells = index + np.arange(len(index))[:, None] * rows
    return np.bincount(cells.ravel(), values.ravel(), len(index) * rows).reshape(len(index), rows)


def stacked(tallies: Tallies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, weights and sums of them all side by side, as `newton.maximise` takes them."""
    held = list(tallies.values())
    if len(held) == 1:
        return held[0].inputs.x, held[0].weights, held[0].sums
    x = _beside([each.inputs.x for each in held])
    return x, _beside([each.weights for each in held]), _beside([each.sums for each in held])


def _beside(arrays: list[np.ndarray]) -> np.ndarray:
    replicates = max(map(len, arrays))
    return np.concatenate([np.broadcast_to(a, (replicates, *a.shape[1:])) for a in arrays], axis=-1)
