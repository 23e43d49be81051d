"""Counts fitted by their mean. The variance of a Poisson law is its mean, which is a martingale: batches have the real
rows' variance in expectation at every generation, and errors add up as those of means of known variance.

Replacing, the sum of N rows is the generation size of a branching process with Poisson(1) offspring (Galton & Watson
1875; Harris 1963, "The theory of branching processes", chapter I), which dies out for certain.
"""

from __future__ import annotations

import math
from typing import Any

from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History


def absorbed(mean: float, rows: int, generations: int) -> tuple[float, ...]:
    """P(model n's mean is 0) = exp(−N·λ·(1 − f_{n−1})), f_0 = 0, f_m = exp(f_{m−1} − 1)."""
    found, extinct = [], 0.0
    for _ in range(generations):
        found.append(math.exp(-rows * mean * (1 - extinct)))
        extinct = math.exp(extinct - 1)
    return tuple(found)


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`test_loss` = (λ̂ − λ)² and `variance_ratio` = λ̂/λ of whole batches; under `replace` `absorbed`, too."""
    if not past.whole() or any(lam != 1 for lam in past.bias.values()):
        return []
    errors = averages(past, "known", redrawn=True).error
    source = "averages of means of known variance"
    known = [
        Curve("test_loss", tuple(family.mean * error for error in errors), source),
        Curve("variance_ratio", (1.0,) * len(errors), "the mean is a martingale"),
    ]
    if not past.kept and past.only_latest() and all(past.sizes[n] == rows for n in range(len(past.corpora))):
        known.append(Curve("absorbed", absorbed(family.mean, rows, len(errors)), "Galton & Watson 1875"))
    return known
