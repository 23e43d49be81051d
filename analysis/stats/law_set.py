"""The laws that a verdict tells apart: what a loss over generations 1 … G may follow, a + b·g(n), as bounded or as
diverging.

A class of laws has to say where it ends, or nothing could ever be excluded: an approach slow enough is a line, and
n^−p with p → 0 is the logarithm. Bounded laws here reach their bound with a time constant of at most half the run or
9.75 generations (a real share of 5 %), whichever is more, as n^−p with p ≥ ½, or along a line that ends by 75 % of the
run. Mixtures of several bounded laws are not in the class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BOUNDED, DIVERGING = "bounded", "diverging"
LEAST_SHARE = 0.05
"""Real share a below which an approach counts as diverging; of the first error (1 − a)^2n is left."""
LATEST = 0.75
"""Share of the run by which a line must have ended to count as bounded."""


@dataclass(frozen=True)
class Law:
    """One shape.

    Attributes:
        family: what it is called in reports; laws that differ in a parameter share it.
        text: formula with its parameter.
        shape: g(n), [generations].
    """

    family: str
    text: str
    shape: Array


def slowest(generations: int) -> float:
    """The largest time constant, in generations, that counts as bounded."""
    return max(generations / 2, -1 / (2 * math.log1p(-LEAST_SHARE)))


def sums(n: Array, power: float) -> Array:
    """Σ_{i≤n} i^−power for whole n from 1 on."""
    return np.asarray(np.cumsum(np.arange(1, int(n.max()) + 1, dtype=float) ** -power)[n.astype(int) - 1])


def approach(n: Array, constant: float) -> Law:
    """The geometric approach of a policy that keeps a share of real data."""
    return Law("geometric approach", f"a − b·exp(−n/{constant:.3g})", -np.exp(-n / constant))


def plateau(n: Array, end: float) -> Law:
    """A line that ends."""
    return Law("late plateau", f"a + b·min(n, {end:.3g})", np.minimum(n, end))


def power(n: Array, exponent: float) -> Law:
    """n^exponent: an approach where it is negative."""
    name, sign = ("power approach", "−") if exponent < 0 else ("power", "+")
    return Law(name, f"a {sign} b·n^{exponent:.3g}", np.sign(exponent) * n**exponent)


def exponential(n: Array, generations: int, folds: float) -> Law:
    """Growth by e^folds over the run."""
    rate = folds / generations
    return Law("exponential", f"a + b·exp({rate:.3g}·n)", np.exp(rate * (n - generations)))


def late(n: Array, generations: int, share: float) -> Law:
    """A line that starts after a share of the run."""
    start = 1 + share * (generations - 1)
    return Law("late start", f"a + b·max(n − {start:.3g}, 0)", np.maximum(n - start, 0.0))


def jump(n: Array, generations: int, share: float, constant: float) -> Law:
    """An approach beside a line that makes this share of the rise."""
    quick = (1 - np.exp(-(n - 1) / constant)) / (1 - math.exp(-(generations - 1) / constant))
    line = (n - 1) / (generations - 1)
    return Law("jump and line", f"a + b·({share:.3g}·line + jump)", (1 - share) * quick + share * line)


@lru_cache(maxsize=64)
def bounded(generations: int) -> tuple[Law, ...]:
    """Bounded laws over generations 1 … G. A family's grid may be coarse: between two of its laws lies no law that is
    more like a diverging one than both are."""
    n = np.arange(1, generations + 1, dtype=float)
    found = [approach(n, c) for c in np.geomspace(0.35, slowest(generations), 14)]
    found += [power(n, -p) for p in (0.5, 0.6, 0.75, 1.0, 1.5, 2.0)]
    found += [Law("Σ1/i²", "a + b·Σ1/i²", sums(n, 2.0))]
    return (*found, *(plateau(n, end) for end in np.linspace(2.0, 1 + LATEST * (generations - 1), 8)))


@lru_cache(maxsize=64)
def approaches(generations: int) -> tuple[Law, ...]:
    """Bounded laws on finer grids, for what has to describe a precise curve."""
    n = np.arange(1, generations + 1, dtype=float)
    found = [approach(n, c) for c in np.geomspace(0.3, slowest(generations), 80)]
    found += [power(n, -p) for p in np.linspace(0.5, 2.5, 21)]
    found += [Law("Σ1/i²", "a + b·Σ1/i²", sums(n, 2.0))]
    return (*found, *(plateau(n, end) for end in np.linspace(2.0, 1 + LATEST * (generations - 1), 40)))


@lru_cache(maxsize=64)
def diverging(generations: int) -> tuple[Law, ...]:
    """Diverging laws over generations 1 … G."""
    n = np.arange(1, generations + 1, dtype=float)
    found = [Law("logarithm", "a + b·ln n", np.log(n)), Law("Σ1/i", "a + b·Σ1/i", sums(n, 1.0))]
    found += [power(n, p) for p in (0.15, 0.3, 0.5, 0.75, 1.25, 1.5, 2.0)]
    found += [Law("line", "a + b·n", n)]
    found += [exponential(n, generations, folds) for folds in (1.0, 2.0, 4.0, 8.0)]
    return (*found, *(late(n, generations, share) for share in (0.25, 0.5, 0.75)))


@lru_cache(maxsize=64)
def rivals(kind: str, generations: int) -> tuple[Law, ...]:
    """The few laws of a class towards which the other class is tested; between them they lie near all of it."""
    n = np.arange(1, generations + 1, dtype=float)
    if kind == DIVERGING:
        return (Law("logarithm", "", np.log(n)), power(n, 0.5), Law("line", "", n), power(n, 2.0))
    quick = [approach(n, generations / part) for part in (8, 4, 2)]
    sudden = [plateau(n, 1 + part * (generations - 1)) for part in (0.5, LATEST)]
    return (*quick, power(n, -1.0), power(n, -0.5), Law("Σ1/i²", "", sums(n, 2.0)), *sudden)


@lru_cache(maxsize=64)
def jumps(generations: int) -> tuple[Law, ...]:
    """A jump, within a generation or two, and then growth by as much each time: diverging, and like no law of one
    term."""
    n = np.arange(1, generations + 1, dtype=float)
    return tuple(
        jump(n, generations, share, constant) for share in (0.25, 0.4, 0.55, 0.7) for constant in (0.5, 1.0, 2.0)
    )


@lru_cache(maxsize=64)
def quickening(generations: int) -> tuple[tuple[Law, ...], tuple[Law, ...]]:
    """Jumps, within a generation or two, and growth that does not slow down after them, to be weighed freely."""
    n = np.arange(1, generations + 1, dtype=float)
    sudden = tuple(approach(n, constant) for constant in (0.5, 1.0, 2.0))
    return sudden, tuple(power(n, exponent) for exponent in (1.0, 1.25, 1.5, 2.0))
