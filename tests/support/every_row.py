"""A recursion of means worked out row by row: second moments of all rows of one coordinate, by enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import numpy as np

from trainables import Cell


class EveryRow:
    """E x_i x_j of every row that a recursion has seen, real rows of mean 0 and variance 1.

    A model is the weighted mean of its corpus and E of the (biased or unbiased) variance about it; its samples have
    that mean and `bias` times that variance. Random draws are enumerated, all choices as likely.

    Attributes:
        error: E μ̂² by (generation, member).
        spread: expected variance of the model, by (generation, member).
    """

    def __init__(self, cell: Cell, *, unbiased: bool = False, widen: float = 0.0, redrawn: bool = False) -> None:
        self.cell, self.unbiased, self.widen, self.redrawn = cell, unbiased, widen, redrawn
        self.moments = np.zeros((0, 0))
        self.places: dict[Any, list[int]] = {}
        self.means: dict[tuple[int, int], np.ndarray] = {}
        self.error: dict[tuple[int, int], float] = {}
        self.spread: dict[tuple[int, int], float] = {}
        for n in range(1, cell.generations + 1):
            for member in cell.members:
                if n > 1:
                    self._sample(n - 1, member)
            for member in cell.members:
                self._fit(n, member)

    def apart(self, n: int) -> float:
        """E(μ̂_a − μ̂_b)² at generation n, a mean over pairs of members."""
        pairs = list(combinations(self.cell.members, 2))
        return float(np.mean([self._gap(self.means[n, a], self.means[n, b]) for a, b in pairs]))

    def _gap(self, one: np.ndarray, other: np.ndarray) -> float:
        step = self._padded(one) - self._padded(other)
        return float(step @ self.moments @ step)

    def _padded(self, weights: np.ndarray) -> np.ndarray:
        return np.pad(weights, (0, len(self.moments) - len(weights)))

    def _sample(self, n: int, member: int) -> None:
        sampling = self.cell.recipe(n + 1, member).sampling
        assert sampling is not None
        kept = 1.0 if sampling.correct is None else 1 / (1 + sampling.correct)
        old, mean = len(self.moments), self._padded(self.means[n, member])
        own = sampling.bias * self.spread[n, member]
        square = kept**2 * self.error[n, member] + own
        if self.redrawn:
            square = kept * (self.error[n, member] + own) + (1 - kept)
        self._grow(sampling.rows, square, kept**2 * self.error[n, member], kept * (mean @ self.moments))
        self.places[n, member] = list(range(old, old + sampling.rows))

    def _grow(self, rows: int, square: float, between: float, across: np.ndarray) -> None:
        new = np.full((rows, rows), between)
        np.fill_diagonal(new, square)
        side = np.tile(across, (rows, 1))
        self.moments = np.block([[self.moments, side.T], [side, new]])

    def _real(self, position: int) -> int:
        """The row at a position of the seed's order of real rows."""
        if ("real", position) not in self.places:
            self.places["real", position] = [len(self.moments)]
            self._grow(1, 1.0, 0.0, np.zeros(len(self.moments)))
        return self.places["real", position][0]

    def _pool(self, draw: Any, member: int) -> list[int]:
        """Rows that a draw chooses from."""
        if draw.batches[0] < 0:
            return [self._real(self.cell.rows + draw.start + k) for k in range(draw.rows)]
        found: list[int] = []
        for batch in draw.batches:
            origin = self.cell.origin(member)
            if batch == 0:
                found += [self._real(origin + k) for k in range(self.cell.rows)]
            else:
                found += self.places[batch, getattr(draw, "source", member)]
        return found

    def _fit(self, n: int, member: int) -> None:
        draws = self.cell.draws(self.cell.recipe(n, member), member)
        pools = [self._pool(draw, member) for draw in draws]
        size = len(self.moments)
        rows = [len(pool) if d.rows is None else d.rows for d, pool in zip(draws, pools, strict=True)]
        loads = np.array([count * d.weight for count, d in zip(rows, draws, strict=True)])
        shares = [
            np.array([np.bincount(choice, minlength=size) / len(choice) for choice in _choices(d, pool)])
            for d, pool in zip(draws, pools, strict=True)
        ]
        mean, second = np.zeros(size), np.zeros((size, size))
        for alpha, weights in zip(loads / loads.sum(), shares, strict=True):
            own = weights.mean(axis=0)
            mean += alpha * own
            second += alpha**2 * (weights.T @ weights / len(weights) - np.outer(own, own))
        second += np.outer(mean, mean)
        error = float((second * self.moments).sum())
        spread = float(mean @ np.diagonal(self.moments)) - error
        if self.unbiased:
            squares = sum(count * d.weight**2 for count, d in zip(rows, draws, strict=True))
            spread /= 1 - squares / loads.sum() ** 2
        self.means[n, member], self.error[n, member], self.spread[n, member] = mean, error, spread + self.widen


def _choices(draw: Any, pool: list[int]) -> Iterator[tuple[int, ...]]:
    """The rows that a draw may come to, each choice as likely."""
    if draw.how == "subsample":
        return combinations(pool, draw.rows)
    if draw.how == "bootstrap":
        return product(pool, repeat=draw.rows)
    return iter([tuple(pool[: draw.rows])])
