"""First and second moments of weighted rows, many replicates at once, with the scatter matrix in factored form.

Factors keep their relative precision where a covariance collapses over many generations; sums of scatter
matrices would not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """What a Gaussian fit needs of its rows.

    Attributes:
        weight: sum of row weights, [1 or replicates].
        squares: sum of squared row weights, [1 or replicates].
        mean: weighted mean, [replicates, dim].
        root: lower triangular, root·rootᵀ = Σ w (x − mean)(x − mean)ᵀ, [replicates, dim, dim].
    """

    weight: np.ndarray
    squares: np.ndarray
    mean: np.ndarray
    root: np.ndarray

    def __add__(self, other: Moments) -> Moments:
        """Moments of both sets of rows (Chan, Golub & LeVeque 1983)."""
        weight = self.weight + other.weight
        share = other.weight / np.where(weight > 0, weight, 1)
        step = other.mean - self.mean
        between = step * np.sqrt(self.weight * share)[:, None]
        stack = np.concatenate([self.root.swapaxes(1, 2), other.root.swapaxes(1, 2), between[:, None]], axis=1)
        return Moments(weight, self.squares + other.squares, self.mean + step * share[:, None], factor(stack))

    def covariance_root(self, *, biased: bool) -> np.ndarray:
        """A lower triangular factor of the covariance estimate, [replicates, dim, dim].

        Biased: divided by the sum of weights W. Unbiased: by W − Σw²/W, which is n − 1 for equal weights.
        """
        divisor = self.weight if biased else self.weight - self.squares / self.weight
        root: np.ndarray = self.root / np.sqrt(divisor)[:, None, None]
        return root


def of_rows(rows: np.ndarray, weights: np.ndarray) -> Moments:
    """Moments of rows [replicates, rows, dim] with weights [1 or replicates, rows]; all may be 0."""
    weight = weights.sum(axis=1)
    share = weights / np.where(weight > 0, weight, 1)[:, None]
    mean = (share[:, None, :] @ rows)[:, 0]
    centred = (rows - mean[:, None]) * np.sqrt(weights)[:, :, None]
    return Moments(weight, (weights**2).sum(axis=1), mean, factor(centred))


def factor(stack: np.ndarray) -> np.ndarray:
    """Lower triangular L with L·Lᵀ = stackᵀ·stack, of a [replicates, rows, dim] stack."""
    dim = stack.shape[2]
    if dim == 1:
        scale = np.abs(stack).max(axis=1, keepdims=True)
        unit = np.where(scale > 0, scale, 1)
        norm: np.ndarray = scale * np.sqrt(((stack / unit) ** 2).sum(axis=1, keepdims=True))
        return norm
    upper = np.asarray(np.linalg.qr(stack, mode="r"))
    return padded(upper.swapaxes(1, 2), dim)


def padded(root: np.ndarray, dim: int) -> np.ndarray:
    """A trapezoidal factor [replicates, dim, rank] with columns of zeros added up to [replicates, dim, dim]."""
    missing = dim - root.shape[2]
    square: np.ndarray = np.pad(root, ((0, 0), (0, 0), (0, missing))) if missing > 0 else root
    return square


def joined(pieces: list[Moments]) -> Moments:
    """Moments of consecutive slices of the replicates as one."""
    if len(pieces) == 1:
        return pieces[0]
    fields = [[getattr(p, name) for p in pieces] for name in ("weight", "squares", "mean", "root")]
    sizes = [len(p.mean) for p in pieces]
    weight, squares = ([np.broadcast_to(v, n) for v, n in zip(f, sizes, strict=True)] for f in fields[:2])
    return Moments(np.concatenate(weight), np.concatenate(squares), *(np.concatenate(f) for f in fields[2:]))
