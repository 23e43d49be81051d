"""The least width that an outlook can have: a bound for every interval that holds what is true under each law.

An interval's expected width is the integral over θ of the chance that it holds θ (Pratt 1961, "Length of confidence
intervals"). One that holds θ in 1 − α of studies under every law that leads to θ holds it under the truth in at least
1 − Φ(d − z) of them, z = Φ⁻¹(1 − α), d the distance of the truth from the nearest such law in standard errors: 1 less
the power of the best test of size α between the two curves (Neyman & Pearson 1933). The noise is taken as known, which
makes the bound smaller still; with heavy tails its information is Fisher's, twice that of normal noise.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.stats.law_set import LATEST, Law, approach, exponential, late, plateau, power, slowest, sums
from benchmarks.verdict_truths import APART, Setting, curve

Array = npt.NDArray[np.float64]
FAR = 5.0
"""Standard errors beyond which no interval has to hold a value."""
PLACES = 2001
"""Values θ between which widths are summed."""


def least(setting: Setting, coverage: float) -> float:
    """The expected width that every interval has which holds the truth in `coverage` of studies under each law
    a + b·g(n) of the outlook, and under the truth's own."""
    return _width(setting, _laws(setting.generations), coverage)


def known(setting: Setting, coverage: float) -> float:
    """The same where only a and b of the truth's own law are unknown."""
    return _width(setting, np.empty((0, 2 * setting.generations)), coverage)


def _width(setting: Setting, laws: Array, coverage: float) -> float:
    truth = curve(setting.truth, setting.generations, 2)
    predicted, error, misfit = _fits(setting, truth, np.stack([*laws, truth]))
    near = misfit < FAR**2
    predicted, error, misfit = predicted[near], error[near], misfit[near]
    ends = (predicted - FAR * error).min(), (predicted + FAR * error).max()
    places = np.linspace(*ends, PLACES)
    apart = (places - predicted[:, None]) / error[:, None]
    distance = np.sqrt((misfit[:, None] + apart**2).min(axis=0))
    return float(np.trapezoid(stats.norm.cdf(stats.norm.ppf(coverage) - distance), places))


def _fits(setting: Setting, truth: Array, shapes: Array) -> tuple[Array, Array, Array]:
    """What each law says of the horizon where it is fitted to the truth itself, its standard error, and the law's
    squared distance from the truth, [laws] each."""
    generations = setting.generations
    root = np.linalg.cholesky(_covariance(setting, truth[:generations]) / setting.seeds)
    white = np.linalg.solve(root, np.concatenate([np.ones((1, generations)), shapes[:, :generations]]).T).T
    seen = np.linalg.solve(root, truth[:generations])
    one, length = white[0] / np.linalg.norm(white[0]), np.linalg.norm(white[0])
    own = white[1:] - np.outer(white[1:] @ one, one)
    size = np.linalg.norm(own, axis=1)
    free = size > 1e-9 * np.linalg.norm(white[1:], axis=1)  # all but a constant
    unit = np.where(free[:, None], own / np.where(free, size, 1.0)[:, None], 0.0)
    reach = np.where(free, (shapes[:, -1] - white[1:] @ one / length) / np.where(free, size, 1.0), 0.0)
    predicted = seen @ one / length + reach * (unit @ seen)
    rest = seen - (seen @ one) * one
    misfit = ((rest - (unit @ rest)[:, None] * unit) ** 2).sum(axis=1)
    return predicted, np.sqrt(1 / length**2 + reach**2), misfit


def _covariance(setting: Setting, truth: Array) -> Array:
    """Of one recursion, or the inverse of its information, [G, G]."""
    n = np.arange(1, setting.generations + 1, dtype=float)
    if setting.kind == "random walk":
        return np.asarray(setting.noise**2 * np.minimum.outer(n, n))
    white = setting.noise**2 * np.eye(setting.generations)
    if setting.kind == "heavy tails":
        return white / 2
    if setting.kind == "slopes":
        return np.asarray(white + APART**2 * np.outer(truth - truth[0], truth - truth[0]))
    if setting.kind == "levels":
        return np.asarray(white + APART**2)
    return white


@lru_cache(maxsize=8)
def _laws(generations: int) -> Array:
    """The outlook's laws up to the horizon, without oscillations, [laws, 2·G]."""
    n = np.arange(1, 2 * generations + 1, dtype=float)
    found: list[Law] = [approach(n, c) for c in np.geomspace(0.35, slowest(generations), 100)]
    found += [power(n, -p) for p in np.linspace(0.5, 2.0, 31)]
    found += [plateau(n, end) for end in np.linspace(2.0, 1 + LATEST * (generations - 1), 60)]
    found += [power(n, p) for p in np.linspace(0.1, 1.75, 67)]
    found += [exponential(n, generations, folds) for folds in np.linspace(0.75, 3.75, 61)]
    found += [late(n, generations, share) for share in np.linspace(0.2, 0.6, 41)]
    plain = [np.ones_like(n), n, np.log(n), sums(n, 1.0), sums(n, 2.0)]
    return np.stack([*plain, *(law.shape for law in found)])
