"""Scaling laws per policy and generation: L(N) = E + A·N^−α over model sizes, with bootstrap intervals.

With rows D varied as well: L(N, D) = E + A·N^−α + B·D^−β (Hoffmann et al. 2022, arXiv 2203.15556, approach 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SIZES = 4
"""Distinct sizes below which nothing is fitted: three numbers through three points leave no error."""
DRAWS = 1000
_GRID = tuple(np.geomspace(0.02, 3.0, 160).tolist())
_COARSE = tuple(np.geomspace(0.02, 3.0, 40).tolist())
_STEPS = 2
"""Of Gauss–Newton, for each exponent: from a cell of the grid they lead to the last digits."""
_ROUNDING = 1e-9
"""Share by which sums of squares of equal fits differ by their last digits."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; NaN where a fit was rejected."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Fits:
    """Least-squares fits of several response vectors on the same points.

    Attributes:
        exponents: α (and β), [responses, terms]; NaN where the best value lies at an end of the grid.
        floor: E, [responses].
        factors: A (and B), [responses, terms].
        errors: delta-method standard errors of (E, exponents…), [responses, 1 + terms].
    """

    exponents: Array
    floor: Array
    factors: Array
    errors: Array


@dataclass(frozen=True)
class Law:
    """A scaling law at several generations, with bootstrap intervals.

    Attributes:
        alpha, floor, beta: by generation; `beta` is empty where rows do not vary.
        alpha_change, floor_change: against the first generation; the two share their error (Bonferroni), so that a
            law that has not changed is found changed no more often than one interval allows.
        factor: A by generation.
    """

    alpha: list[Estimate]
    floor: list[Estimate]
    beta: list[Estimate]
    alpha_change: list[Estimate]
    floor_change: list[Estimate]
    factor: list[float]


def fit(sizes: Array, losses: Array, rows: Array | None = None) -> Fits:
    """Least squares over a grid of exponents, refined by a parabola through the best three of each, then together by
    steps of Gauss–Newton: two exponents lie in a valley aslant to both.

    Args:
        sizes: N of each point, [points].
        losses: one response vector per row, [responses, points].
        rows: D of each point where it varies.
    """
    scaled = [sizes / np.exp(np.log(sizes).mean())]
    if rows is not None:
        scaled.append(rows / np.exp(np.log(rows).mean()))
    grid = _GRID if rows is None else _COARSE
    left = _profile(tuple(map(tuple, scaled)), losses, grid)
    shape = (len(losses), *[len(grid)] * len(scaled))
    exponents = _refine(left.reshape(shape), np.log(np.array(grid)))
    exponents = _descended(scaled, losses, exponents, grid)
    return _solve(scaled, losses, exponents, sizes, rows)


def bootstrap(
    sizes: Array, losses: Array, rows: Array | None = None, seed: int = 0, confidence: float = 0.95, draws: int = DRAWS
) -> Law | None:
    """The law at every generation, from cells that each have a size and a curve.

    Residuals of whole cells (all generations together) are resampled, so that changes between generations keep what
    generations of a cell share. They are inflated by √(points / (points − parameters)), and intervals are studentised.

    Args:
        sizes: N of each cell, [cells].
        losses: [cells, generations], complete.
        rows: D of each cell where it varies.
        seed: of the bootstrap.
        confidence: of the intervals.
        draws: bootstrap samples.

    Returns:
        None with fewer than `SIZES` distinct sizes, or no spare point.
    """
    parameters = 3 if rows is None else 5
    if len(np.unique(sizes)) < SIZES or len(sizes) <= parameters:
        return None
    found = fit(sizes, losses.T, rows)
    fitted = _predict(found, sizes, rows)
    residuals = (losses.T - fitted) * np.sqrt(len(sizes) / (len(sizes) - parameters))
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(sizes), (draws, len(sizes)))
    generations = losses.shape[1]
    drawn = [fit(sizes, fitted[g] + residuals[g][picked], rows) for g in range(generations)]
    return _law(found, drawn, confidence)


def _law(found: Fits, drawn: list[Fits], confidence: float) -> Law:
    def of(column: int, change: bool) -> list[Estimate]:
        estimates = []
        for g, resample in enumerate(drawn):
            value, error = _column(found, column)[g], found.errors[g, column]
            values, errors = _column(resample, column), resample.errors[:, column]
            if change:
                value, error = value - _column(found, column)[0], np.hypot(error, found.errors[0, column])
                values = values - _column(drawn[0], column)
                errors = np.hypot(errors, drawn[0].errors[:, column])
            level = (1 + confidence) / 2 if change else confidence
            estimates.append(_studentised(value, error, values, errors, level))
        return estimates

    terms = found.exponents.shape[1]
    return Law(
        alpha=of(1, False),
        floor=of(0, False),
        beta=of(2, False) if terms == 2 else [],
        alpha_change=of(1, True),
        floor_change=of(0, True),
        factor=[float(v) for v in found.factors[:, 0]],
    )


def _column(fits: Fits, column: int) -> Array:
    return fits.floor if column == 0 else fits.exponents[:, column - 1]


def _studentised(value: float, error: float, values: Array, errors: Array, confidence: float) -> Estimate:
    """Bootstrap-t interval; NaN where the fit, or more than a tenth of the resamples, was rejected."""
    usable = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not np.isfinite(value) or not error > 0 or usable.mean() < 0.9:
        return Estimate(float(value), np.nan, np.nan)
    pivot = (values[usable] - value) / errors[usable]
    low, high = np.quantile(pivot, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(value), float(value - high * error), float(value - low * error))


def _profile(points: tuple[tuple[float, ...], ...], losses: Array, grid: tuple[float, ...]) -> Array:
    """Residual sum of squares at every combination of exponents, [responses, combinations]."""
    bases = _bases(points, grid)
    centred = losses - losses.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1, keepdims=True)
    return np.asarray(total - ((centred @ bases) ** 2).reshape(len(losses), -1, len(points)).sum(axis=2))


@lru_cache(maxsize=64)
def _bases(points: tuple[tuple[float, ...], ...], grid: tuple[float, ...]) -> Array:
    """Orthonormal bases of the power terms, orthogonal to the constant, [points, combinations × terms]."""
    columns = []
    for exponents in product(grid, repeat=len(points)):
        terms = np.stack([np.array(x) ** -e for x, e in zip(points, exponents, strict=True)], axis=1)
        columns.append(np.linalg.qr(terms - terms.mean(axis=0))[0])
    return np.concatenate(columns, axis=1)


def _refine(left: Array, logs: Array) -> Array:
    """Exponents at the minimum, [responses, terms]; NaN at an end of the grid."""
    terms = left.ndim - 1
    flat = left.reshape(len(left), -1).argmin(axis=1)
    place = np.stack(np.unravel_index(flat, left.shape[1:]), axis=1)
    found = np.full((len(left), terms), np.nan)
    everyone = np.arange(len(left))
    for term in range(terms):
        inside = (place[:, term] > 0) & (place[:, term] < len(logs) - 1)
        around = []
        for shift in (-1, 0, 1):
            at = place.copy()
            at[:, term] = np.clip(at[:, term] + shift, 0, len(logs) - 1)
            around.append(left[(everyone, *at.T)])
        before, here, after = around
        with np.errstate(invalid="ignore", divide="ignore"):
            bend = before - 2 * here + after
            move = np.where(bend > 0, 0.5 * (before - after) / bend, 0.0)
        step = logs[1] - logs[0]
        found[:, term] = np.where(inside, np.exp(logs[place[:, term]] + np.clip(move, -1, 1) * step), np.nan)
    return found


def _descended(scaled: list[Array], losses: Array, exponents: Array, grid: tuple[float, ...]) -> Array:
    """Exponents after steps of Gauss–Newton, each at most the grid's; NaN where they leave it. A step that fits worse
    is not taken, and the next one is half as long."""
    found, known = exponents.copy(), np.isfinite(exponents).all(axis=1)
    most, now, held = grid[1] / grid[0], exponents[known], losses[known]
    logs = np.log(np.stack(scaled))
    length, left = np.ones((len(now), 1)), _left(logs, held, now)
    for _ in range(_STEPS * len(scaled)):
        tried = np.clip(now + length * _step(logs, held, now), now / most, now * most)
        fits = _left(logs, held, tried)
        better = fits <= left * (1 + _ROUNDING)
        now, left = np.where(better[:, None], tried, now), np.where(better, fits, left)
        length = np.where(better[:, None], 1.0, length / 2)
    found[known] = np.where((now > grid[0]) & (now < grid[-1]), now, np.nan)
    return found


def _step(logs: Array, losses: Array, exponents: Array) -> Array:
    """A step of Gauss–Newton from these exponents; floor and factors, which the law is linear in, are solved for
    beside it (Golub & Pereyra 1973)."""
    terms = len(logs)
    powers = np.exp(-exponents[:, :, None] * logs)
    columns = np.concatenate([np.ones_like(powers[:, :1]), powers, -powers * logs], axis=1)
    basis, triangle = np.linalg.qr(np.swapaxes(columns, 1, 2))  # their products would have no digits left
    ends = np.einsum("rii->ri", triangle)
    ends[ends == 0] = np.finfo(float).tiny  # of like terms there is no inverse
    seen, linear = np.swapaxes(basis, 1, 2) @ losses[..., None], 1 + terms
    with np.errstate(all="ignore"):
        factors = np.linalg.solve(triangle[:, :linear, :linear], seen[:, :linear])[:, 1:, 0]
        return np.asarray(np.linalg.solve(triangle, seen)[:, linear:, 0] / factors)


def _left(logs: Array, losses: Array, exponents: Array) -> Array:
    """Residual sum of squares at given exponents, [responses]; NaN where one is none."""
    powers = np.exp(-exponents[:, :, None] * logs)
    columns = np.concatenate([np.ones_like(powers[:, :1]), powers], axis=1)
    basis = np.linalg.qr(np.swapaxes(columns, 1, 2))[0]
    fitted = basis @ (np.swapaxes(basis, 1, 2) @ losses[..., None])
    return np.asarray(((losses - fitted[..., 0]) ** 2).sum(axis=1))


def _solve(scaled: list[Array], losses: Array, exponents: Array, sizes: Array, rows: Array | None) -> Fits:
    """Floor, factors and delta-method errors at given exponents."""
    count, terms = exponents.shape
    floor, factors = np.full(count, np.nan), np.full((count, terms), np.nan)
    errors = np.full((count, 1 + terms), np.nan)
    known = np.isfinite(exponents).all(axis=1)
    if known.any():
        powers = [x[None, :] ** -exponents[known, t, None] for t, x in enumerate(scaled)]
        design = np.stack([np.ones_like(powers[0]), *powers], axis=2)
        solved = np.linalg.pinv(design) @ losses[known][..., None]
        floor[known], factors[known] = solved[:, 0, 0], solved[:, 1:, 0]
        bends = [-factors[known, t, None] * np.log(x) * powers[t] for t, x in enumerate(scaled)]
        jacobian = np.concatenate([design, np.stack(bends, axis=2)], axis=2)
        spare = max(losses.shape[1] - jacobian.shape[2], 1)
        noise = ((losses[known][..., None] - design @ solved)[..., 0] ** 2).sum(axis=1) / spare
        spread = np.linalg.pinv(np.swapaxes(jacobian, 1, 2) @ jacobian)
        variance = np.diagonal(spread, axis1=1, axis2=2) * noise[:, None]
        errors[known] = np.sqrt(variance[:, [0, *range(1 + terms, 1 + 2 * terms)]])
        middles = [np.exp(np.log(x).mean()) for x in (sizes, rows) if x is not None]
        factors[known] *= np.stack([m ** exponents[known, t] for t, m in enumerate(middles)], axis=1)
    return Fits(exponents, floor, factors, errors)


def _predict(found: Fits, sizes: Array, rows: Array | None) -> Array:
    """Fitted losses, [responses, points]; the mean where a fit was rejected."""
    terms = [x for x in (sizes, rows) if x is not None]
    fitted = found.floor[:, None] + sum(
        found.factors[:, t, None] * x[None, :] ** -found.exponents[:, t, None] for t, x in enumerate(terms)
    )
    return np.asarray(fitted)
