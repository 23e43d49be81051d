"""The outlook: where a curve may lead at twice its generations, over every law that the evidence does not exclude.

Each law a + b·g(n) is fitted by generalised least squares (`analysis.stats.noise`). Its prediction is kept with the
half-width that its excess of squared misfit over the best law's leaves: an approximate profile likelihood over laws
(Cox & Hinkley 1974, section 9.3), so that the interval holds the doubt about the law. Between two laws of a family's
grid misfits and predictions are interpolated by a cubic spline, and near each family's best law by a parabola, whose
curvature tells how far the parameter may lie: precise curves know it far better than any grid. Laws beyond those of
`law_set`: a constant, oscillation. Recursions that lie at different levels know the shape of their curve no worse:
beyond what may drift, levels are no errors of it, and their mean has an interval of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.stats import noise
from analysis.stats.exclusion import model_freedom
from analysis.stats.law_set import LATEST, Law, approach, exponential, late, plateau, power, slowest, sums

Array = npt.NDArray[np.float64]
AHEAD = 2
"""The horizon, in runs."""
FINER = 6
"""Points between two laws of a grid."""
ALLOWED = 1.0
"""Factor on the excess of misfit that a kept law may have."""
REACH = 4.0
"""Steps of the grid, half of which reach from any vertex beyond both of its neighbours."""
WALKING, LONG, GROWS = 2.2, 10, 0.27
"""The factor where errors accumulate, whose model is known less well; beyond so many generations it grows as this power
of their number, as the oscillations do that such errors look like."""
LARGER = 0.75
"""Quantile of the ratio of variances beyond which recursions differ by more than the noise model says."""
LEVELS = 4.0
"""Variance of recursions' levels over that of an error, up to which they count as errors: levels drift, and what does
not show yet may later."""


@dataclass(frozen=True)
class Outlook:
    """What several curves may be at the horizon, [studies] each.

    Attributes:
        horizon: generation.
        estimate: mean over laws, weighted by likelihood.
        low, high: interval over every kept law.
        excess: squared misfit of each law over the best one's, in noise variances, [studies, laws].
        weights: of each law, by likelihood, [studies, laws].
    """

    horizon: int
    estimate: Array
    low: Array
    high: Array
    excess: Array
    weights: Array


@dataclass(frozen=True)
class _Fits:
    """Linear maps of whitened values: predictions [laws, G], their errors, and orthonormal bases [laws, 3, G]."""

    predict: Array
    bases: Array


def outlook(values: Array, found: noise.Noise, confidence: float = 0.95) -> Outlook:
    """The outlook of each study.

    Args:
        values: [studies, recursions, generations], finite, at least two recursions.
        found: its noise.
        confidence: of the interval.
    """
    studies, _, generations = values.shape
    fine, linear = _finer(generations)
    shape = studies, fine.shape[0] + 5 * len(_smooth(generations))
    predicted, half, excess = np.empty(shape), np.empty(shape), np.empty(shape)
    for model in np.unique(found.model):
        rows = np.flatnonzero(found.model == model)
        predicted[rows], half[rows], excess[rows] = _at(values[rows], int(model), fine, linear, confidence)
    kept = np.isfinite(half)
    weights = np.exp(-excess / 2)
    weights /= weights.sum(axis=1, keepdims=True)
    return Outlook(
        AHEAD * generations,
        (weights * predicted).sum(axis=1),
        np.where(kept, predicted - half, np.inf).min(axis=1),
        np.where(kept, predicted + half, -np.inf).max(axis=1),
        excess[:, linear.argmax(axis=0)],
        _on_grid(weights, linear),
    )


def _at(values: Array, model: int, fine: Array, linear: Array, confidence: float) -> tuple[Array, Array, Array]:
    """Predictions, half-widths (NaN where a law is excluded) and excesses of misfit, [studies, laws]."""
    runs, generations = values.shape[1:]
    fits = _fits(model, generations)
    freedom = runs - 1 + model_freedom(0, runs, generations)
    prior = model_freedom(model, runs, generations)
    most = float(stats.f.ppf(confidence, 1, freedom)) * (_walking(generations) if noise.walks(model) else ALLOWED)
    whitener = noise.whitener(model, generations, levels=True)
    white = values @ whitener.T
    mean = white.mean(axis=1)
    apart = white - mean[:, None]
    variance, levels = _levels_left_out(apart, whitener.sum(axis=1))
    total = (mean**2).sum(axis=1)[:, None]
    left = total - ((mean @ fits.bases.reshape(-1, generations).T).reshape(len(mean), -1, 3) ** 2).sum(axis=2)
    misfit = left / np.maximum(variance, 1e-12 * total[:, 0] + 1e-300)[:, None] * runs @ fine.T
    predicted = mean @ fits.predict.T @ fine.T
    expected = np.outer(variance, (fits.predict**2).sum(axis=1))
    wide = _half(apart @ fits.predict.T, levels, expected, prior, confidence) @ linear.T
    parts = [_near(misfit[:, own], predicted[:, own], wide[:, own], most, generations) for own in _smooth(generations)]
    misfit, predicted, wide = (
        np.concatenate(held, axis=1) for held in zip((misfit, predicted, wide), *parts, strict=True)
    )
    best = misfit.min(axis=1, keepdims=True)
    excess = (misfit - best) / _scale(best, generations)
    half = np.where(excess <= most * (1 + 1e-9), wide * np.sqrt(np.maximum(1 - excess / most, 0.0)), np.nan)
    return predicted, half, excess


def _walking(generations: int) -> float:
    return float(WALKING * max(generations / LONG, 1.0) ** GROWS)


def _levels_left_out(apart: Array, constant: Array) -> tuple[Array, Array]:
    """Variance of a whitened error, [studies], and how far each recursion's level lies from their mean, [studies,
    recursions]; 0 where levels differ by no more than `LEVELS` says, and are counted as errors.

    Args:
        apart: whitened values less their mean, [studies, recursions, generations].
        constant: a whitened level of 1, [generations].
    """
    freedom, generations = apart.shape[1] - 1, apart.shape[2]
    levels = apart @ constant / (constant @ constant)
    whole = (apart**2).sum(axis=(1, 2))
    within = np.maximum(whole - (levels**2).sum(axis=1) * (constant @ constant), 0.0) / (generations - 1)
    variance = np.minimum(whole / generations, (1 + LEVELS) * within)
    differ = variance < whole / generations
    return variance / freedom, np.where(differ[:, None], levels, 0.0)


def _half(apart: Array, levels: Array, expected: Array, prior: float, confidence: float) -> Array:
    """Half-widths of predictions, [studies, laws]: by their variance between recursions, moderated by the noise model's
    as in `analysis.stats.exclusion`; by the recursions' own alone where that is clearly larger and gives more, as where
    slopes differ. Levels add a variance of their own, by the recursions alone: two intervals' squares (Zou & Donner
    2008).

    Args:
        apart: predictions less their mean, [studies, recursions, laws].
        levels: what of it is due to levels, [studies, recursions].
        expected: variance of a recursion's prediction by the noise model, [studies, laws].
        prior: degrees of freedom that the model counts for.
    """
    runs = apart.shape[1]
    tail = (1 + confidence) / 2
    own, rest = ((held**2).sum(axis=1) / (runs - 1) for held in (apart, apart - levels[:, :, None]))
    level = (levels**2).sum(axis=1)[:, None] / (runs - 1)
    moderated = (prior * expected + (runs - 1) * rest) / (prior + runs - 1)
    alone, shared, shifted = (
        stats.t.ppf(tail, freedom) * np.sqrt(variance / runs)
        for freedom, variance in ((runs - 1, own), (prior + runs - 1, moderated), (runs - 1, level))
    )
    shared = np.hypot(shared, shifted)
    larger = own > stats.f.ppf(LARGER, runs - 1, prior) * (expected + level)
    return np.asarray(np.where(larger, np.maximum(alone, shared), shared))


def _on_grid(weights: Array, linear: Array) -> Array:
    """Weights of the grids' laws, of finer ones shared by what lies on either side, [studies, laws]; without what was
    added near vertices."""
    found = np.asarray(weights[:, : len(linear)] @ linear)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _scale(best: Array, generations: int) -> Array:
    """What excesses are divided by: more than 1 where even the best law misses more than noise does."""
    return np.maximum(1.0, best / max(generations - 3, 1) / 2)


def _near(misfit: Array, predicted: Array, wide: Array, most: float, generations: int) -> tuple[Array, Array, Array]:
    """Misfits, predictions and widths at the vertex of a family's misfit and at either side of it, half and all of the
    way to where the misfit is no longer allowed, [studies, 5]."""
    rows = np.arange(len(misfit))
    place = np.clip(misfit.argmin(axis=1), 1, misfit.shape[1] - 2)
    left, middle, right = (misfit[rows, place + step] for step in (-1, 0, 1))
    bend = np.maximum((left + right) / 2 - middle, 1e-12 * np.maximum(middle, 1e-300))
    with np.errstate(over="ignore"):
        vertex = np.clip((left - right) / (4 * bend), -1.0, 1.0)
    least = middle + vertex * (right - left) / 2 + bend * vertex**2
    allowed = most * _scale(least, generations)
    reach = np.sqrt(allowed / np.maximum(bend, allowed / REACH**2))
    places = np.clip(vertex[:, None] + np.outer(reach, (-1.0, -0.5, 0.0, 0.5, 1.0)), -1.0, 1.0)
    before, here, after = (predicted[rows, place + step][:, None] for step in (-1, 0, 1))
    ahead = here + places * (after - before) / 2 + places**2 * ((before + after) / 2 - here)
    found = middle[:, None] + places * (right - left)[:, None] / 2 + places**2 * bend[:, None]
    return found, ahead, np.repeat(wide[rows, place][:, None], 5, axis=1)


@lru_cache(maxsize=32)
def _smooth(generations: int) -> tuple[slice, ...]:
    """Where the finer grids of families lie that may be interpolated."""
    found, start = [], 0
    for family, smooth in families(generations):
        count = (len(family) - 1) * FINER + 1 if smooth else len(family)
        found += [slice(start, start + count)] * smooth
        start += count
    return tuple(found)


@lru_cache(maxsize=32)
def families(generations: int) -> tuple[tuple[tuple[tuple[Law, ...], ...], bool], ...]:
    """Grids of laws up to the horizon, each law as its columns beside the constant; whether a grid may be
    interpolated."""
    n = np.arange(1, AHEAD * generations + 1, dtype=float)
    ends = np.linspace(2.0, 1 + LATEST * (generations - 1), 25 if generations > 10 else 12)
    starts = np.linspace(0.2, 0.6, 9 if generations <= 20 else 21)
    return (
        (((),), False),
        (tuple((approach(n, c),) for c in np.geomspace(0.35, slowest(generations), 32)), True),
        (tuple((power(n, -p),) for p in np.geomspace(0.35, 2, 9)), True),
        (((Law("Σ1/i²", "a + b·Σ1/i²", sums(n, 2.0)),),), False),
        (tuple((plateau(n, end),) for end in ends), False),
        (((Law("logarithm", "a + b·ln n", np.log(n)),), (Law("Σ1/i", "a + b·Σ1/i", sums(n, 1.0)),)), False),
        (((Law("line", "a + b·n", n),),), False),
        (tuple((power(n, p),) for p in np.linspace(0.1, 1.75, 23)), True),
        (tuple((exponential(n, generations, folds),) for folds in np.linspace(0.75, 3.75, 27)), True),
        (tuple((late(n, generations, share),) for share in starts), False),
        (tuple(_wave(n, rate) for rate in np.linspace(min(2 / generations, 0.19), 0.34, 4 * generations)), True),
    )


def _wave(n: Array, rate: float) -> tuple[Law, Law]:
    text = f"a + b·sin(2π·n/{1 / rate:.3g} + c)"
    turn = 2 * np.pi * rate * n
    return Law("oscillation", text, np.sin(turn)), Law("oscillation", text, np.cos(turn))


@lru_cache(maxsize=32)
def grid(generations: int) -> tuple[tuple[Law, ...], ...]:
    """Every law of the grids; the constant as a law of its own."""
    flat = Law("constant", "a", np.zeros(AHEAD * generations))
    return tuple(columns or (flat,) for family, _ in families(generations) for columns in family)


@lru_cache(maxsize=32)
def _finer(generations: int) -> tuple[Array, Array]:
    """Maps from the grids to finer ones, by cubic splines and by straight lines, [finer, laws]."""
    from scipy.interpolate import CubicSpline
    from scipy.linalg import block_diag

    splines, lines = [], []
    for family, smooth in families(generations):
        places = np.arange(len(family))
        between = np.linspace(0, len(family) - 1, (len(family) - 1) * FINER + 1) if smooth else places
        splines.append(CubicSpline(places, np.eye(len(family)))(between) if smooth else np.eye(len(family)))
        lines.append(np.stack([np.interp(between, places, row) for row in np.eye(len(family))], axis=1))
    return np.asarray(block_diag(*splines)), np.asarray(block_diag(*lines))


@lru_cache(maxsize=128)
def _fits(model: int, generations: int) -> _Fits:
    white = noise.whitener(model, generations, levels=True)
    predict, bases = [], []
    for columns in grid(generations):
        shapes = [law.shape for law in columns if law.family != "constant"]
        design = np.stack([np.ones(AHEAD * generations), *shapes], axis=1)
        seen = white @ design[:generations]
        length = np.linalg.norm(seen, axis=0)
        predict.append((design[-1] / length) @ np.linalg.pinv(seen / length))
        basis = np.zeros((3, generations))
        basis[: seen.shape[1]] = np.linalg.qr(seen / length)[0].T
        bases.append(basis)
    return _Fits(np.stack(predict), np.stack(bases))
