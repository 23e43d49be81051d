"""Whether laws of a class describe a mean curve: where none does, that the other class is excluded says nothing.

Curves are whitened, [studies, G − 1]; variances are of their mean over recursions, [studies].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.stats.contrasts import Design

Array = npt.NDArray[np.float64]

MISFIT = 6.0
"""Excess of squared misfit, in noise variances, by which a mixture of two bounded laws must beat every diverging law
for these to count as not describing the curve."""
EXPLAINED = 0.8
"""Share of the mean curve's variation that a diverging law must explain to be named."""


def diverging_described(white: Array, variance: Array, design: Design) -> npt.NDArray[np.bool_]:
    """Whether the best diverging law explains most of the mean curve, and no two bounded laws do so much better."""
    size, total = white.shape[1], _total(white)
    left = total - ((white @ design.shapes.T) ** 2).max(axis=1)
    beaten = (left > stats.chi2.ppf(0.99, size - 1) * variance) & (left - _mixed(white, design) > MISFIT * variance)
    return np.asarray(_explains(left, white, variance) & ~beaten)


def bounded_described(white: Array, variance: Array, design: Design) -> npt.NDArray[np.bool_]:
    """Whether some bounded law meets the mean curve, or one beside growth does no better, or two do better than that: a
    jump that a line follows is less like any one diverging law than like an approach, and is not bounded for that."""
    size, total = white.shape[1], _total(white)
    left = total - ((white @ design.approaches.T) ** 2).max(axis=1)
    first, growth = (white @ part.T for part in design.growing)
    growing = total - (first**2 + np.maximum(growth, 0.0) ** 2).max(axis=1)
    missed = left > stats.chi2.ppf(0.99, size - 1) * variance
    better = (left - growing > MISFIT * variance) & (growing - _mixed(white, design) <= MISFIT * variance)
    return np.asarray(~(missed & better))


def jumped(white: Array, variance: Array, design: Design) -> npt.NDArray[np.bool_]:
    """Whether a jump and a line describe the mean curve, better than every two bounded laws do."""
    left = _total(white) - (np.maximum(white @ design.jumps.T, 0.0) ** 2).max(axis=1)
    return np.asarray(_explains(left, white, variance) & (_mixed(white, design) - left > MISFIT * variance))


def grown(white: Array, variance: Array, design: Design) -> npt.NDArray[np.bool_]:
    """Whether a jump and growth that does not slow down describe the mean curve, better than every two bounded laws."""
    jump, growth = (white @ part.T for part in design.quickening)
    held = np.where((growth > 0) & (jump > growth * design.leaning), jump**2 + growth**2, 0.0)
    left = _total(white) - held.max(axis=1)
    return np.asarray(_explains(left, white, variance) & (_mixed(white, design) - left > MISFIT * variance))


def _total(white: Array) -> Array:
    return np.asarray((white**2).sum(axis=1))


def _mixed(white: Array, design: Design) -> Array:
    """What the best mixture of two bounded laws leaves of the squared curve, [studies]."""
    return np.asarray(_total(white) - sum((white @ part.T) ** 2 for part in design.pairs).max(axis=1))


def _explains(left: Array, white: Array, variance: Array) -> npt.NDArray[np.bool_]:
    """Whether laws that leave so much explain `EXPLAINED` of what is not noise."""
    size, total = white.shape[1], _total(white)
    true = np.maximum(total - size * variance, 1e-12 * total + 1e-300)
    return np.asarray(np.maximum(left - (size - 1) * variance, 0.0) <= (1 - EXPLAINED) * true)
