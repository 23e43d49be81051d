"""Which laws the evidence excludes: the test of every law of a class against the laws of the other one.

A rival law excludes a law by the mean over recursions of their contrast (`contrasts.py`), and the class if it excludes
each of its laws (intersection–union; Berger 1982); one such rival is enough. The price of choosing the rival is a
factor on the p-value, set on simulated bounded and diverging truths (`benchmarks.verdicts`).

A contrast's variance is its own between recursions and the noise model's, weighted by degrees of freedom (Smyth 2004,
"Linear models and empirical Bayes methods"): with few seeds the model carries most, with many the seeds do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from analysis.stats import law_set, noise
from analysis.stats.contrasts import design_of
from analysis.stats.description import bounded_described, diverging_described, grown, jumped
from analysis.stats.law_set import BOUNDED, DIVERGING

Array = npt.NDArray[np.float64]
FEWEST = 4
"""Generations below which no class can be told from the other."""
CHOICE = {BOUNDED: ((7, 2.5), (12, 1.6), (10**9, 2.2)), DIVERGING: ((10**9, 5.0),)}
"""What the choice of a rival costs when a class is excluded: factor on the p-value, up to so many generations."""
WALKING = 2.5
"""The factor where errors accumulate, for bounded laws: their model is known less well."""
FARTHEST = 8.0
"""Times as many recursions or generations beyond which nothing is promised."""
LONGEST = 200
"""Generations up to which more of them are considered."""


@dataclass(frozen=True)
class Exclusion:
    """What several studies exclude; arrays over studies first.

    Attributes:
        p_bounded: of "some bounded law holds", [studies]; small where every bounded law is excluded.
        p_diverging: of "some diverging law holds".
        p_each_bounded: of each bounded law by its strongest rival, [studies, laws].
        p_each_diverging: of each diverging one.
        strength_bounded: the statistic behind `p_bounded`, in standard errors.
        strength_diverging: that behind `p_diverging`.
        described: whether a diverging law describes the curve, or a jump and growth after it do.
        bounded_described: whether a bounded law does, or growth beside one does no better.
        noise: model and variance.
        freedom: degrees of freedom of the tests, [studies].
    """

    p_bounded: Array
    p_diverging: Array
    p_each_bounded: Array
    p_each_diverging: Array
    strength_bounded: Array
    strength_diverging: Array
    described: npt.NDArray[np.bool_]
    bounded_described: npt.NDArray[np.bool_]
    noise: noise.Noise
    freedom: Array


def exclude(values: Array) -> Exclusion:
    """Test both classes.

    Args:
        values: [studies, recursions, generations], at least two recursions and `FEWEST` generations 1, 2, …; finite,
            turned so that growth is for the worse.

    Raises:
        ValueError: too few of either.
    """
    studies, runs, generations = values.shape
    if runs < 2 or generations < FEWEST:
        raise ValueError(f"needs 2 recursions and {FEWEST} generations, not {runs} and {generations}")
    mean = values.mean(axis=1)
    apart = values - mean[:, None]
    covariance = np.swapaxes(apart, 1, 2) @ apart / (runs - 1)
    found = noise.estimate(covariance, runs - 1)
    parts = [
        (rows, _strengths(mean[rows], covariance[rows], found.variance[rows], runs, model))
        for model, rows in _by_model(found.model)
    ]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    bounded, diverging, whole, rest, described, kept, freedom = (
        np.concatenate(held)[order] for held in zip(*(part for _, part in parts), strict=True)
    )
    cost = np.array([_cost(BOUNDED, generations, noise.walks(int(model))) for model in found.model])
    other = np.full(studies, _cost(DIVERGING, generations, False))
    return Exclusion(
        p_bounded=_p(whole, freedom, cost),
        p_diverging=_p(rest, freedom, other),
        p_each_bounded=_p(bounded, freedom[:, None], cost[:, None]),
        p_each_diverging=_p(diverging, freedom[:, None], other[:, None]),
        strength_bounded=whole,
        strength_diverging=rest,
        described=described,
        bounded_described=kept,
        noise=found,
        freedom=freedom,
    )


def _strengths(mean: Array, covariance: Array, variance: Array, runs: int, model: int) -> tuple[Any, ...]:
    """Of studies with one noise model: how strongly each law is excluded, [studies, laws], and each class, both bounded
    first; whether laws of the classes describe the curve, diverging first; degrees of freedom."""
    generations = mean.shape[1]
    design, prior = design_of(model, generations), model_freedom(model, runs, generations)
    own = mean, covariance, variance, runs, prior
    laws = len(law_set.bounded(generations)), len(law_set.diverging(generations))
    bounded, diverging = (
        _statistics(contrasts, *own).reshape(len(mean), -1, count)
        for contrasts, count in zip((design.bounded, design.diverging), laws, strict=True)
    )
    each, whole = bounded.max(axis=1), bounded.min(axis=2).max(axis=1)
    white, error = mean @ noise.whitener(model, generations).T, variance / runs
    described = diverging_described(white, error, design) | grown(white, error, design)
    after_jump = jumped(white, error, design)
    for row in np.flatnonzero(after_jump):
        one = slice(row, row + 1)
        after = _statistics(design.against_jumps, mean[one], covariance[one], variance[one], runs, prior)
        after = after.reshape(-1, laws[0])
        each[row], whole[row] = np.maximum(each[row], after.max(axis=0)), max(whole[row], after.min(axis=1).max())
    kept = bounded_described(white, error, design)
    freedom = np.full(len(mean), prior + runs - 1)
    return each, diverging.max(axis=1), whole, diverging.min(axis=2).max(axis=1), described, kept, freedom


def model_freedom(model: int, runs: int, generations: int) -> float:
    """Degrees of freedom that the noise model's variance counts for beside the recursions' own."""
    own = runs - 1
    return float(own) if noise.walks(model) else min(own * (generations - 2) / 2, 8.0 * own)


def excluded(found: Exclusion, study: int, generations: int, level: float = 0.05) -> tuple[str, ...]:
    """Families of laws of which every member is excluded in a study."""
    open_, names = set(), []
    for laws, p in (
        (law_set.bounded(generations), found.p_each_bounded[study]),
        (law_set.diverging(generations), found.p_each_diverging[study]),
    ):
        names += [law.family for law in laws]
        open_ |= {law.family for law, one in zip(laws, p, strict=True) if one >= level}
    return tuple(name for name in dict.fromkeys(names) if name not in open_)


def bounds(mean: Array, errors: Array) -> tuple[float, float]:
    """p-values of both classes, bounded first, from standard errors of the mean alone; independent noise, full
    correlation allowed for: conservative.

    Args:
        mean: [generations].
        errors: of the mean at each generation.
    """
    generations = len(mean)
    found = []
    for kind, contrasts in (
        (BOUNDED, design_of(0, generations).bounded),
        (DIVERGING, design_of(0, generations).diverging),
    ):
        rivals = len(law_set.rivals(BOUNDED if kind == DIVERGING else DIVERGING, generations))
        spread = np.maximum(np.abs(contrasts) @ errors, 1e-300)
        strength = float(((contrasts @ mean) / spread).reshape(rivals, -1).min(axis=1).max())
        found.append(min(1.0, float(stats.norm.sf(strength)) * _cost(kind, generations, True)))
    return found[0], found[1]


def needed(found: Exclusion, runs: int, generations: int, level: float = 0.05) -> tuple[int, int]:
    """Recursions, and generations, at which the stronger of the two tests of the first study would succeed.

    A test's strength grows as the root of the number of recursions; over generations it is followed for each rival
    law as if that law, at the size of its present contrast, went on. 0 where the answer is beyond eight times as many
    of either, or the evidence points nowhere, or no law of the class that would be left describes the curve.
    """
    freedom, model = float(found.freedom[0]), int(found.noise.model[0])
    best_runs, best_generations = 0, 0
    tests = [(BOUNDED, found.strength_bounded[0])] * bool(found.described[0])
    tests += [(DIVERGING, found.strength_diverging[0])] * bool(found.bounded_described[0])
    for kind, strength in tests:
        wanted = float(stats.t.isf(level / _cost(kind, generations, noise.walks(model)), freedom))
        factor = (wanted / strength) ** 2 if strength > 0 else np.inf
        if factor <= FARTHEST and (not best_runs or factor * runs < best_runs):
            best_runs = max(runs + 1, int(np.ceil(factor * runs)))
            best_generations = _longer(kind, generations, model, wanted / strength)
    return best_runs, best_generations


@lru_cache(maxsize=256)
def _gain(kind: str, generations: int, longer: int, model: int) -> float:
    """How much stronger the test of a class becomes with more generations, at the rival that gains least."""
    gains = []
    for count in (generations, longer):
        design = design_of(model, count)
        rivals = law_set.rivals(DIVERGING if kind == BOUNDED else BOUNDED, count)
        contrasts = (design.bounded if kind == BOUNDED else design.diverging).reshape(len(rivals), -1, count)
        gains.append(np.array([(c @ rival.shape).min() for c, rival in zip(contrasts, rivals, strict=True)]))
    return float(np.min(gains[1] / np.maximum(gains[0], 1e-12)))


def _longer(kind: str, generations: int, model: int, factor: float) -> int:
    for share in (1.25, 1.5, 2, 3, 4):
        longer = int(np.ceil(share * generations))
        if longer <= LONGEST and _gain(kind, generations, longer, model) >= factor:
            return longer
    return 0


def _by_model(model: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    for one in np.unique(model):
        yield int(one), np.flatnonzero(model == one)


def _cost(kind: str, generations: int, walking: bool) -> float:
    factor = next(cost for most, cost in CHOICE[kind] if generations <= most)
    return max(factor, WALKING) if walking and kind == BOUNDED else factor


def _p(strength: Array, freedom: Array, cost: Array) -> Array:
    return np.minimum(1.0, special.stdtr(freedom, -strength) * cost)


def _statistics(contrasts: Array, mean: Array, covariance: Array, variance: Array, runs: int, prior: float) -> Array:
    """Mean of each contrast in its standard errors, [studies, contrasts]."""
    own = ((contrasts @ covariance) * contrasts).sum(axis=2)
    pooled = (prior * variance[:, None] + (runs - 1) * own) / (prior + runs - 1)
    return np.asarray((mean @ contrasts.T) / np.sqrt(np.maximum(pooled, 1e-300) / runs))
