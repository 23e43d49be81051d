"""Intervals of a mean over independent recursions, and what so many recursions can detect."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Array = npt.NDArray[np.float64]
POWER = 0.8
MOST_RUNS = 10_000
"""Recursions beyond which nothing is counted."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval at a stated confidence.

    Attributes:
        estimate: the mean.
        low: lower bound, NaN where there is no interval.
        high: upper bound.
        error: standard error.
        runs: independent recursions it rests on.
        p_rise: one-sided p-value of "the mean is not above 0".
    """

    estimate: float
    low: float
    high: float
    error: float
    runs: int
    p_rise: float


def t_interval(values: Array, confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of independent values; NaNs are left out.

    Without spread the bounds are the mean itself. With fewer than two values there is no interval.
    """
    held = values[np.isfinite(values)]
    runs = len(held)
    if runs == 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0, np.nan)
    mean = float(held.mean())
    if runs == 1:
        return Interval(mean, np.nan, np.nan, np.nan, 1, np.nan)
    error = float(held.std(ddof=1) / np.sqrt(runs))
    half = float(special.stdtrit(runs - 1, (1 + confidence) / 2)) * error  # the t quantile, without scipy.stats' checks
    p = float(special.stdtr(runs - 1, -mean / error)) if error > 0 else float(mean <= 0)
    return Interval(mean, mean - half, mean + half, error, runs, p)


def median_interval(values: Array, confidence: float = 0.95) -> Interval:
    """Distribution-free interval of the median, from order statistics; NaNs are left out.

    Coverage is at least nominal (binomial; Conover 1999, section 3.2); below six values no 95 % interval exists.
    `error` is that of a normal variable with this interval; `p_rise` the sign test's.
    """
    held = np.sort(values[np.isfinite(values)])
    runs = len(held)
    if runs == 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, 0, np.nan)
    below = int(stats.binom.ppf((1 - confidence) / 2, runs, 0.5))
    below -= int(stats.binom.cdf(below - 1, runs, 0.5) > (1 - confidence) / 2) if below else 0
    p = float(stats.binomtest(int((held > 0).sum()), runs, 0.5, alternative="greater").pvalue)
    if below == 0:
        return Interval(float(np.median(held)), np.nan, np.nan, np.nan, runs, p)
    low, high = float(held[below - 1]), float(held[runs - below])
    error = (high - low) / 2 / float(stats.norm.ppf((1 + confidence) / 2))
    return Interval(float(np.median(held)), low, high, error, runs, p)


def ratio_interval(above: Array, below: Array, confidence: float = 0.95) -> Interval:
    """Interval of a ratio of means, Σ above / Σ below, over paired independent values; pairs with a NaN are left out.

    The mean of single ratios is larger, without bound where denominators come near 0 (Jensen). Linearised variance:
    Cochran 1977, "Sampling techniques", equation 6.13. No interval where the mean of `below` is not positive.
    """
    held = np.isfinite(above) & np.isfinite(below)
    above, below = above[held], below[held]
    if not len(below) or below.mean() <= 0:
        return Interval(np.nan, np.nan, np.nan, np.nan, len(below), np.nan)
    estimate = float(above.mean() / below.mean())
    spread = t_interval((above - estimate * below) / below.mean(), confidence)
    low, high = estimate + spread.low, estimate + spread.high
    return Interval(estimate, low, high, spread.error, len(below), np.nan)


def bound_interval(estimate: float, weights: Array, errors: Array, runs: int, confidence: float = 0.95) -> Interval:
    """A conservative interval of a weighted sum over generations from standard errors alone.

    How the generations of a recursion correlate is not known, so the sum's standard error is bounded by
    Σ|w_n|·se_n, which it reaches only under full correlation: coverage is at least nominal.

    Args:
        estimate: the sum.
        weights: w_n, [generations].
        errors: se_n, [generations].
        runs: replicates the standard errors rest on.
        confidence: of the interval.
    """
    error = float(np.abs(weights) @ errors)
    half = float(stats.norm.ppf((1 + confidence) / 2)) * error
    p = float(stats.norm.sf(estimate / error)) if error > 0 else float(estimate <= 0)
    return Interval(estimate, estimate - half, estimate + half, error, runs, p)


def detectable(error: float, runs: int, confidence: float = 0.95, power: float = POWER) -> float:
    """The smallest true mean that so many recursions of this spread find above 0 with this power (two-sided test)."""
    return _effect(runs, confidence, power) * error * float(np.sqrt(runs)) if runs >= 2 else float("nan")


def power_of(effect: float, deviation: float, runs: int, confidence: float = 0.95) -> float:
    """The chance that so many recursions find a true mean of `effect` in a two-sided t-test; 0 below two of them.

    1 − β of the noncentral t distribution with noncentrality √n·effect/deviation (Cohen 1988, section 2.2).
    """
    if runs < 2:
        return 0.0
    if deviation <= 0:
        return 1.0
    critical = float(stats.t.ppf((1 + confidence) / 2, runs - 1))
    shift = effect / deviation * float(np.sqrt(runs))
    return _above(critical, runs - 1, shift) + _above(critical, runs - 1, -shift)


def _above(critical: float, freedom: int, shift: float) -> float:
    """P(T > critical) of the noncentral t distribution.

    scipy 1.17, and with it statsmodels' `TTestPower`, gives NaN for the farther tail of noncentralities from 9 on;
    there T = (Z + shift) / S is integrated over S² ~ χ²/ν.
    """
    found = float(stats.nct.sf(critical, freedom, shift))
    if np.isfinite(found):
        return found
    scale = stats.chi(freedom, scale=freedom**-0.5)
    return float(scale.expect(lambda s: stats.norm.sf(critical * s - shift), lb=0.0, ub=scale.isf(1e-12)))


def runs_needed(effect: float, deviation: float, confidence: float = 0.95, power: float = POWER) -> int:
    """Recursions needed to find a mean of `effect` with this power, `MOST_RUNS` at most; `deviation` is one's.

    Raises:
        ValueError: the effect is not positive.
    """
    if effect <= 0:
        raise ValueError(f"effect: {effect} must be positive")
    runs = range(2, MOST_RUNS)
    return 2 + bisect_left(runs, True, key=lambda count: _effect(count, confidence, power) * deviation <= effect)


@lru_cache(maxsize=4096)
def _effect(runs: int, confidence: float, power: float = POWER) -> float:
    """Standardised effect with this power in a one-sample t-test of `runs` values (root of the noncentral t)."""
    from scipy.optimize import brentq

    df = runs - 1
    critical = float(stats.t.ppf((1 + confidence) / 2, df))
    root: float = brentq(lambda d: _above(critical, df, d * np.sqrt(runs)) - power, 1e-6, 1e3)
    return root
