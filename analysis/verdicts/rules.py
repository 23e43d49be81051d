"""One word per configuration and policy: "collapses", "rises", "stable" or "undecided", by fixed rules.

All figures are turned so that growth is for the worse (`Metric.worse`). L₁ is the mean first value.

1. Fewer than `min_runs` independent recursions, or no interval: undecided.
2. The lower bound of growth is above 0, there are at least `min_generations`, and the last value is more than `factor`
   times as bad as the first (lower bound of last/first, or of first/last where falling is for the worse): collapses.
3. The upper bound of growth is at most `margin`·|L₁| per generation, and `whole`·|L₁| over all: stable (it does not
   grow).
4. The lower bound of growth is above 0, there are at least `min_generations`, and the mean curve does not level off:
   collapses.
5. The mean curve levels off, and the upper bound of "rise in the second half less `late_share` of the whole rise" is
   at most 0: stable (it rose to a bound).
6. The lower bound of growth is above 0: rises (it grows; whether to a bound can't be told from these generations).
7. Anything else: undecided.

A mean curve levels off when a + b·Σ1/i², the law of accumulation, fits it better (least squares, equal number of
parameters) than a + b·n and a + b·Σ1/i, the laws of replacement at fixed and at growing corpus size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis.stats import Interval

Array = npt.NDArray[np.float64]
COLLAPSES, RISES, STABLE, UNDECIDED = "collapses", "rises", "stable", "undecided"
WORDS = (COLLAPSES, RISES, STABLE, UNDECIDED)
"""From worst to least known."""


@dataclass(frozen=True)
class Thresholds:
    """What the rules compare with; printed beside every table.

    Attributes:
        confidence: of every interval.
        min_runs: independent recursions (seeds, or replicates) below which nothing is decided.
        min_generations: below this a rise can't be told from one that levels off.
        margin: growth per generation, as a share of the first loss, that counts as none.
        whole: growth over all generations, as a share of the first loss, beyond which the margin shrinks: over hundreds
            of generations half a per cent of each would let a loss treble, and a variance vanish.
        late_share: a curve has levelled off if the second half of its generations made at most this share of its rise.
        factor: by how many times as bad (ratio of means) makes a collapse even if the curve levels off; far above
            π²/2 − 2 ≈ 2.93, the largest of the policies known to be bounded (accumulate_subsample; Kazdan et al. 2024).
    """

    confidence: float = 0.95
    min_runs: int = 3
    min_generations: int = 6
    margin: float = 0.005
    whole: float = 0.5
    late_share: float = 0.2
    factor: float = 10.0

    def tolerated(self, generations: int) -> float:
        """Growth per generation over so many generations, as a share of the first loss, that counts as none."""
        return min(self.margin, self.whole / max(generations - 1, 1))


@dataclass(frozen=True)
class Evidence:
    """What the rules look at, turned so that growth is for the worse.

    Attributes:
        growth: per generation.
        ratio: last over first; without interval where the first value is not positive.
        fold: how many times as bad the last value is as the first, at least; NaN where the first is not positive.
        late: `curves.late_excess`.
        scale: |L₁|.
        generations: that the curves have.
        levels_off: see `levels_off`.
    """

    growth: Interval
    ratio: Interval
    fold: float
    late: Interval
    scale: float
    generations: int
    levels_off: bool


@dataclass(frozen=True)
class Verdict:
    """A word, and the rule it came from in a few words."""

    word: str
    reason: str


def judge(evidence: Evidence, thresholds: Thresholds) -> Verdict:
    """Apply the rules in the module's docstring, in order."""
    growth, limits = evidence.growth, thresholds
    if growth.runs < limits.min_runs:
        return Verdict(UNDECIDED, f"too few seeds ({growth.runs} of {limits.min_runs})")
    if not np.isfinite(growth.low):
        return Verdict(UNDECIDED, "no interval")
    long = evidence.generations >= limits.min_generations
    if growth.low > 0 and long and evidence.fold > limits.factor:
        return Verdict(COLLAPSES, f"ends more than {limits.factor:g} times as bad as it began")
    if growth.high <= limits.tolerated(evidence.generations) * evidence.scale:
        return Verdict(STABLE, "does not grow")
    if growth.low > 0 and not long:
        return Verdict(RISES, "too few generations to tell whether it levels off")
    if growth.low > 0 and not evidence.levels_off:
        return Verdict(COLLAPSES, "rises and does not level off")
    if evidence.levels_off and evidence.late.high <= 0:
        return Verdict(STABLE, "rises to a bound")
    if growth.low > 0:
        return Verdict(RISES, "not clear whether it levels off")
    return Verdict(UNDECIDED, "interval too wide")


def levels_off(mean: Array) -> bool:
    """Whether Σ1/i² fits a mean curve over generations 1, 2, … better than n and Σ1/i; False below four values."""
    if len(mean) < 4 or not np.isfinite(mean).all():
        return False
    n = np.arange(1, len(mean) + 1)
    bounded, *diverging = (_misfit(mean, shape) for shape in (np.cumsum(1 / n**2), n.astype(float), np.cumsum(1 / n)))
    return bounded < min(diverging)


def _misfit(y: Array, x: Array) -> float:
    """Residual sum of squares of a straight line in x."""
    centred = x - x.mean()
    left = y - y.mean()
    return float(((left - centred * (centred @ left) / (centred @ centred)) ** 2).sum())
