"""X·diag(w)·Xᵀ, its Cholesky factor, and solutions by it, for a few columns of some hundred rows, as compiled loops.
Importing this module loads numba."""

from __future__ import annotations

import math

import numpy as np

from trainables.runtime.jit import compiled

RIDGE = 1e-10
"""Share of a diagonal that is added to a Hessian whose pivots are lost, as separation makes them."""


def information(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """X·diag(w)·Xᵀ of each replicate.

    Args:
        x: inputs, columns first, [1 or replicates, columns, rows].
        weights: [replicates, rows].

    Returns:
        [replicates, columns, columns].
    """
    found = np.empty((len(weights), x.shape[1], x.shape[1]))
    _information(np.ascontiguousarray(x), np.ascontiguousarray(weights), found)
    return found


@compiled
def _information(x: np.ndarray, weights: np.ndarray, found: np.ndarray) -> None:
    for r in range(len(found)):
        square(x[r if len(x) > 1 else 0], weights[r], 0.0, found[r])
        for j in range(found.shape[1]):
            for k in range(j):
                found[r, k, j] = found[r, j, k]


@compiled
def predict(x: np.ndarray, beta: np.ndarray, eta: np.ndarray) -> None:
    """βᵀX into `eta`."""
    eta[:] = 0.0
    for j in range(len(beta)):
        b, column = beta[j], x[j]
        for i in range(len(eta)):
            eta[i] += b * column[i]


@compiled
def times(x: np.ndarray, values: np.ndarray, found: np.ndarray) -> None:
    """X·values."""
    for j in range(len(found)):
        found[j] = dot(x[j], values)


@compiled
def dot(one: np.ndarray, other: np.ndarray) -> float:
    total = 0.0
    for i in range(len(one)):
        total += one[i] * other[i]
    return total


@compiled
def square(x: np.ndarray, curve: np.ndarray, penalty: float, hessian: np.ndarray) -> None:
    """Lower triangle of X·diag(curve)·Xᵀ, the penalty added; what is written above the diagonal is not read."""
    width = len(x)
    fours = width - width % 4
    for j in range(0, width - 1, 2):
        upto = min((j + 5) // 4 * 4, fours)
        for k in range(0, upto, 4):
            _eight(x, j, k, curve, hessian)
        for k in range(upto, j + 2):
            hessian[j, k], hessian[j + 1, k] = _two(x, j, k, curve)
    if width % 2:
        for k in range(width):
            hessian[width - 1, k] = _weighed(x[width - 1], x[k], curve)
    for j in range(1, width):
        hessian[j, j] += penalty


@compiled
def _eight(x: np.ndarray, j: int, k: int, curve: np.ndarray, hessian: np.ndarray) -> None:
    """Products of two rows with four, in one pass over them."""
    row, below, one, two, three, four = x[j], x[j + 1], x[k], x[k + 1], x[k + 2], x[k + 3]
    a = b = c = d = e = f = g = h = 0.0
    for i in range(len(curve)):
        upper, lower = row[i] * curve[i], below[i] * curve[i]
        a += upper * one[i]
        b += upper * two[i]
        c += upper * three[i]
        d += upper * four[i]
        e += lower * one[i]
        f += lower * two[i]
        g += lower * three[i]
        h += lower * four[i]
    hessian[j, k], hessian[j, k + 1], hessian[j, k + 2], hessian[j, k + 3] = a, b, c, d
    hessian[j + 1, k], hessian[j + 1, k + 1], hessian[j + 1, k + 2], hessian[j + 1, k + 3] = e, f, g, h


@compiled
def _two(x: np.ndarray, j: int, k: int, curve: np.ndarray) -> tuple[float, float]:
    upper = lower = 0.0
    for i in range(len(curve)):
        value = curve[i] * x[k, i]
        upper += x[j, i] * value
        lower += x[j + 1, i] * value
    return upper, lower


@compiled
def _weighed(one: np.ndarray, other: np.ndarray, curve: np.ndarray) -> float:
    total = 0.0
    for i in range(len(curve)):
        total += one[i] * curve[i] * other[i]
    return total


@compiled
def lift(hessian: np.ndarray) -> None:
    for j in range(len(hessian)):
        hessian[j, j] += RIDGE * hessian[j, j] + 1e-300


@compiled
def factor(a: np.ndarray, strict: bool) -> bool:
    """The lower triangle's Cholesky factor in its place; whether no pivot is lost to rounding."""
    for j in range(len(a)):
        whole = a[j, j]
        for k in range(j):
            a[j, j] -= a[j, k] * a[j, k]
        if not a[j, j] > (1e-12 if strict else 1e-14) * whole:
            return False
        a[j, j] = math.sqrt(a[j, j])
        for i in range(j + 1, len(a)):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
    return True


@compiled
def solve(factor: np.ndarray, b: np.ndarray) -> None:
    """Solve with a Cholesky factor, in place."""
    for j in range(len(b)):
        for k in range(j):
            b[j] -= factor[j, k] * b[k]
        b[j] /= factor[j, j]
    for j in range(len(b) - 1, -1, -1):
        for k in range(j + 1, len(b)):
            b[j] -= factor[k, j] * b[k]
        b[j] /= factor[j, j]
