"""Which categories are left: the exact law of each one's count under `replace`, as a chain on 0 … N.

A category's count in the next batch is binomial, whatever the others do (Wright 1931; Fisher 1930), and exactly one
category can hold all rows, so what holds of "one is left" is a sum over categories.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

LARGEST = 400
"""Rows up to which the chain is evaluated: its matrix has their square."""


def lost(probabilities: np.ndarray, rows: int, generations: int) -> np.ndarray:
    """P(category k has no row in model n), [generations, categories]."""
    return _hit(probabilities, rows, generations, 0)


def survivors(probabilities: np.ndarray, rows: int, generations: int) -> np.ndarray:
    """Expected number of categories that model n still has, [generations]."""
    found: np.ndarray = (1 - lost(probabilities, rows, generations)).sum(axis=1)
    return found


def one_left(probabilities: np.ndarray, rows: int, generations: int) -> np.ndarray:
    """P(model n has one category alone), [generations]."""
    found: np.ndarray = _hit(probabilities, rows, generations, rows).sum(axis=1)
    return found


def mean_forgetting_time(probabilities: np.ndarray, rows: int) -> float:
    """Expected number of fits until one category is left.

    With u_m(i) the chance that a category of i rows holds all N of them m batches later, h = Σ_m (i/N − u_m) solves
    (I − P)h = i/N inside and is 0 at both ends; E T = 1 + Σ_k E h(X_k), X_k ~ Binomial(N, p_k).
    """
    inside = slice(1, rows)
    h = np.zeros(rows + 1)
    h[inside] = np.linalg.solve(np.eye(rows - 1) - _chain(rows)[inside, inside], np.arange(1, rows) / rows)
    return 1.0 + float((_binomial(probabilities, rows) @ h).sum())


def _hit(probabilities: np.ndarray, rows: int, generations: int, end: int) -> np.ndarray:
    """P(a category's count is `end`, which it never leaves, by generation n), [generations, categories]."""
    first, at = _binomial(probabilities, rows), np.zeros(rows + 1)
    at[end] = 1.0
    found = np.empty((generations, len(probabilities)))
    for n in range(generations):
        found[n] = first @ at
        at = _chain(rows) @ at
    return found


@lru_cache(maxsize=2)
def _chain(rows: int) -> np.ndarray:
    return _binomial(np.arange(rows + 1) / rows, rows)


def _binomial(chances: np.ndarray, rows: int) -> np.ndarray:
    """Laws of Binomial(rows, chance), [chances, rows + 1]."""
    from scipy.stats import binom

    return np.asarray(binom.pmf(np.arange(rows + 1), rows, chances[:, None]))
