"""The chance that planned recursions end in a word: the verdict itself, on simulated curves of a stated truth.

The noise is what a pilot shows, at any number of generations: the model of `analysis.stats.noise`. That its variance is
estimated is part of the simulation: every study draws one from σ²·ν / χ²_ν (assurance; O'Hagan, Stevens & Campbell
2005, "Assurance in clinical trial design").
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.stats import exclusion, law_set, noise
from analysis.verdicts.evidence import found_words
from analysis.verdicts.rules import COLLAPSES, LEVELS, Thresholds

Array = npt.NDArray[np.float64]
Truth = Literal["line", "square_root", "logarithm", "inverse", "inverse_squares"]
SHAPES: dict[Truth, tuple[Callable[[Array], Array], str]] = {
    "line": (lambda n: n, COLLAPSES),
    "square_root": (np.sqrt, COLLAPSES),
    "logarithm": (np.log, COLLAPSES),
    "inverse": (lambda n: -1 / n, LEVELS),
    "inverse_squares": (lambda n: law_set.sums(n, 2.0), LEVELS),
}
"""g(n) of a truth a + b·g(n), and the word that it ought to get."""
STUDIES = 400
"""Simulated; the standard error of a chance is at most 0.025."""
MOST = 20
"""Recursions that are simulated; more are these with less noise each."""
TRIED = (*range(3, 11), 12, 14, 16, 18, MOST, 24, 28, 32, 40, 48, *(64 * 2**k for k in range(11)))
"""Numbers of recursions that are tried where the fewest are asked for."""
LONGER = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
"""Times as many generations that are tried."""
STEP = 1.15
"""Between rises that are tried."""


@dataclass(frozen=True)
class Scatter:
    """The noise of one recursion.

    Attributes:
        model: place in the grid of `analysis.stats.noise`; 0 is independent errors of equal variance.
        variance: of a whitened error; of model 0, of a loss.
        generations: of the pilot.
        freedom: degrees of freedom that the variance rests on; infinite where it is stated.
    """

    model: int
    variance: float
    generations: int = exclusion.FEWEST
    freedom: float = np.inf


def scatter_of(curves: Sequence[Array]) -> Scatter | None:
    """The noise that groups of seeds show about their means; None where no group has two seeds and four generations.

    Args:
        curves: [seeds, generations] of each group; those of the commonest number of generations count.
    """
    usable = [group for group in curves if len(group) > 1 and group.shape[1] >= exclusion.FEWEST]
    if not usable:
        return None
    by_length: dict[int, list[Array]] = {}
    for group in usable:
        by_length.setdefault(group.shape[1], []).append(group - group.mean(axis=0))
    apart = max(by_length.values(), key=lambda groups: sum(len(group) - 1 for group in groups))
    freedom = sum(len(group) - 1 for group in apart)
    covariance = np.sum([group.T @ group for group in apart], axis=0) / freedom
    found = noise.estimate(covariance[None], freedom)
    generations = len(covariance)
    return Scatter(int(found.model[0]), float(found.variance[0]), generations, float(freedom * (generations - 1)))


def root_of(scatter: Scatter, generations: int) -> Array:
    """R with R Rᵀ the covariance of one recursion's noise, [generations, generations]."""
    return noise.root(scatter.model, scatter.variance, scatter.generations, generations)


@lru_cache(maxsize=4096)
def chance(
    truth: Truth, rise: float, scatter: Scatter, runs: int, generations: int, limits: Thresholds, rows: int = 1
) -> float:
    """The chance that the verdict finds the truth.

    Args:
        truth: the law.
        rise: from the first generation to the last, in the loss's unit.
        scatter: noise of one recursion.
        runs: independent recursions.
        generations: of each.
        limits: of the verdict.
        rows: of the table; the chance is that with Holm's correction where no other row finds anything.
    """
    shape, word = SHAPES[truth]
    if runs < limits.min_runs or generations < max(limits.min_generations, exclusion.FEWEST):
        return 0.0
    values = _simulated(shape, rise, scatter, runs, generations)
    return found_words(values, exclusion.exclude(values), limits, rows).count(word) / len(values)


def _simulated(shape: Callable[[Array], Array], rise: float, scatter: Scatter, runs: int, generations: int) -> Array:
    """Curves, [studies, recursions, generations]."""
    rng, count = np.random.default_rng(0), min(runs, MOST)
    n = np.arange(1, generations + 1, dtype=float)
    curve = shape(n)
    truth = rise * (curve - curve[0]) / (curve[-1] - curve[0])
    errors = rng.standard_normal((STUDIES, count, generations))
    errors = errors @ root_of(scatter, generations).T
    if np.isfinite(scatter.freedom):
        errors *= np.sqrt(scatter.freedom / rng.chisquare(scatter.freedom, (STUDIES, 1, 1)))
    return np.asarray(truth + np.sqrt(count / runs) * errors)


def fewest(power: float, of_runs: Callable[[int], float]) -> int | None:
    """The fewest of the numbers tried whose chance reaches the power; None where none does."""
    place = bisect_left(TRIED, True, key=lambda runs: of_runs(runs) >= power)
    return TRIED[place] if place < len(TRIED) else None


def continued(truth: Truth, rise: float, generations: int, longer: int) -> float:
    """The rise over more generations of a truth that goes on."""
    reached = SHAPES[truth][0](np.arange(1, longer + 1, dtype=float))
    return float(rise * (reached[-1] - reached[0]) / (reached[generations - 1] - reached[0]))


def shortest(power: float, generations: int, of_generations: Callable[[int], float]) -> int | None:
    """The fewest generations, of up to four times as many, whose chance reaches the power; None where none does."""
    longer = [math.ceil(share * generations) for share in LONGER]
    place = bisect_left(longer, True, key=lambda count: of_generations(count) >= power)
    return longer[place] if place < len(longer) and longer[place] <= exclusion.LONGEST else None


def smallest(power: float, of_rise: Callable[[float], float], start: float) -> float:
    """The smallest rise, to 15 %, whose chance reaches the power, up to twenty times the start; NaN where
    none does."""
    steps = [start * STEP**k for k in range(-60, 23)]
    place = bisect_left(steps, True, key=lambda rise: of_rise(rise) >= power)
    return steps[place] if place < len(steps) else float("nan")
