"""Which laws the evidence excludes: the test of every law of a class against the laws of the other one.

For a law g of the class and a rival h, the contrast is the part of h that a + b·g can't follow, in whitened values;
its mean over recursions is 0 under g and above 0 under h, whatever a and b are. A rival excludes the class if it
excludes each of its laws (intersection–union; Berger 1982), and the class is excluded if one rival does that. The price
of choosing the rival is a factor on the p-value, set on simulated bounded and diverging truths (`benchmarks.verdicts`).

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
from analysis.stats.law_set import BOUNDED, DIVERGING, Law

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
MISFIT = 6.0
"""Excess of squared misfit, in noise variances, by which a mixture of two bounded laws must beat every diverging law
for these to count as not describing the curve."""
EXPLAINED = 0.8
"""Share of the mean curve's variation that a diverging law must explain to be named."""


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
        described: whether a diverging law describes the curve.
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


@dataclass(frozen=True)
class _Design:
    """Contrasts on plain values, [rivals · laws, G], and shapes whitened to unit length.

    Attributes:
        bounded, diverging: contrasts against the laws of a class.
        shapes: diverging laws, [laws, G − 1].
        pairs: orthonormal bases of every two of a few bounded laws, [2, pairs, G − 1].
        approaches: bounded laws on finer grids.
        growing: orthonormal bases of each of the few with each rival that diverges, whose own part is second.
        jumps: diverging laws after a jump.
        against_jumps: contrasts of these against bounded laws.
    """

    bounded: Array
    diverging: Array
    shapes: Array
    pairs: Array
    approaches: Array
    growing: Array
    jumps: Array
    against_jumps: Array


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
    design, prior = _design(model, generations), model_freedom(model, runs, generations)
    own = mean, covariance, variance, runs, prior
    laws = len(law_set.bounded(generations)), len(law_set.diverging(generations))
    bounded, diverging = (
        _statistics(contrasts, *own).reshape(len(mean), -1, count)
        for contrasts, count in zip((design.bounded, design.diverging), laws, strict=True)
    )
    each, whole = bounded.max(axis=1), bounded.min(axis=2).max(axis=1)
    white, error = mean @ noise.whitener(model, generations).T, variance / runs
    described, jumped = _described(white, error, design), _jumped(white, error, design)
    whole[jumped & ~described] = -np.inf
    for row in np.flatnonzero(jumped):
        one = slice(row, row + 1)
        after = _statistics(design.against_jumps, mean[one], covariance[one], variance[one], runs, prior)
        after = after.reshape(-1, laws[0])
        each[row], whole[row] = np.maximum(each[row], after.max(axis=0)), max(whole[row], after.min(axis=1).max())
    kept = _bounded_described(white, error, design)
    freedom = np.full(len(mean), prior + runs - 1)
    return each, diverging.max(axis=1), whole, diverging.min(axis=2).max(axis=1), described | jumped, kept, freedom


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
    for kind, contrasts in ((BOUNDED, _design(0, generations).bounded), (DIVERGING, _design(0, generations).diverging)):
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
        design = _design(model, count)
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


def _described(white: Array, variance: Array, design: _Design) -> npt.NDArray[np.bool_]:
    """Whether the best diverging law explains most of the mean curve, and no two bounded laws do so much better."""
    size = white.shape[1]
    total = (white**2).sum(axis=1)
    left = total - ((white @ design.shapes.T) ** 2).max(axis=1)
    mixed = total - sum((white @ part.T) ** 2 for part in design.pairs).max(axis=1)
    true = np.maximum(total - size * variance, 1e-12 * total + 1e-300)
    explains = np.maximum(left - (size - 1) * variance, 0.0) <= (1 - EXPLAINED) * true
    beaten = (left > stats.chi2.ppf(0.99, size - 1) * variance) & (left - mixed > MISFIT * variance)
    return np.asarray(explains & ~beaten)


def _bounded_described(white: Array, variance: Array, design: _Design) -> npt.NDArray[np.bool_]:
    """Whether some bounded law meets the mean curve, or one beside growth does no better, or two do better than that: a
    jump that a line follows is less like any one diverging law than like an approach, and is not bounded for that."""
    size = white.shape[1]
    total = (white**2).sum(axis=1)
    left = total - ((white @ design.approaches.T) ** 2).max(axis=1)
    first, growth = (white @ part.T for part in design.growing)
    growing = total - (first**2 + np.maximum(growth, 0.0) ** 2).max(axis=1)
    mixed = total - sum((white @ part.T) ** 2 for part in design.pairs).max(axis=1)
    missed = left > stats.chi2.ppf(0.99, size - 1) * variance
    better = (left - growing > MISFIT * variance) & (growing - mixed <= MISFIT * variance)
    return np.asarray(~(missed & better))


def _jumped(white: Array, variance: Array, design: _Design) -> npt.NDArray[np.bool_]:
    """Whether a jump and a line describe the mean curve, better than every two bounded laws do."""
    size = white.shape[1]
    total = (white**2).sum(axis=1)
    left = total - (np.maximum(white @ design.jumps.T, 0.0) ** 2).max(axis=1)
    mixed = total - sum((white @ part.T) ** 2 for part in design.pairs).max(axis=1)
    true = np.maximum(total - size * variance, 1e-12 * total + 1e-300)
    explains = np.maximum(left - (size - 1) * variance, 0.0) <= (1 - EXPLAINED) * true
    return np.asarray(explains & (mixed - left > MISFIT * variance))


@lru_cache(maxsize=256)
def _design(model: int, generations: int) -> _Design:
    white = noise.whitener(model, generations)
    bounded = _unit(law_set.bounded(generations), white)
    diverging = _unit(law_set.diverging(generations), white)
    against_bounded = _contrasts(bounded, _unit(law_set.rivals(DIVERGING, generations), white))
    against_diverging = _contrasts(diverging, _unit(law_set.rivals(BOUNDED, generations), white))
    few = bounded[[0, 4, 7, 10, 13, 14, 17, 20, 22, 25, 28]]
    growing = _beside(few, _unit(law_set.rivals(DIVERGING, generations), white))
    jumps = _unit(law_set.jumps(generations), white)
    against_jumps = _contrasts(bounded, jumps) @ white
    pairs = _pairs(few)
    finer = _unit(law_set.approaches(generations), white)
    return _Design(
        against_bounded @ white, against_diverging @ white, diverging, pairs, finer, growing, jumps, against_jumps
    )


def _unit(laws: tuple[Law, ...], white: Array) -> Array:
    shapes = np.stack([law.shape for law in laws]) @ white.T
    return np.asarray(shapes / np.linalg.norm(shapes, axis=1, keepdims=True))


def _contrasts(laws: Array, rivals: Array) -> Array:
    """The part of each rival that each law can't follow, to unit length, [rivals · laws, G − 1]; 0 where none is."""
    parts = rivals[:, None] - (rivals @ laws.T)[..., None] * laws[None]
    length = np.linalg.norm(parts, axis=2, keepdims=True)
    kept = np.where(length > 1e-6, parts / np.maximum(length, 1e-12), 0.0)
    return np.asarray(kept.reshape(-1, laws.shape[1]))


def _pairs(laws: Array) -> Array:
    """Orthonormal bases of every two laws, [2, pairs, G − 1]."""
    one, two = np.triu_indices(len(laws), 1)
    rest = laws[two] - (laws[one] * laws[two]).sum(axis=1, keepdims=True) * laws[one]
    return np.stack([laws[one], rest / np.linalg.norm(rest, axis=1, keepdims=True)])


def _beside(laws: Array, others: Array) -> Array:
    """Orthonormal bases of every law with every one of some others, whose own part is second, [2, pairs, G − 1]."""
    one, two = (part.ravel() for part in np.indices((len(laws), len(others))))
    rest = others[two] - (laws[one] * others[two]).sum(axis=1, keepdims=True) * laws[one]
    return np.stack([laws[one], rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-12)])
