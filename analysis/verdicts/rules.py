"""One word per configuration and policy, from what the evidence excludes.

All figures are turned so that growth is for the worse (`Metric.worse`). In this order:

1. A recursion's loss went to infinity, or to no number: diverged. A share `separated` of the recursions ends on labels
   that their model fits perfectly, which it then repeats for ever: separated, whatever the held-out loss does.
2. Fewer than `min_runs` independent recursions, or no interval: undecided.
3. It grows, over at least `min_generations`, and every bounded law is excluded while a diverging one describes the
   curve; or less than `vanished` is left of a metric that falls for the worse: collapses.
4. It grows, over as many, every diverging law is excluded, and a bounded one describes the curve at least as well as
   one beside growth does: levels off.
5. The upper bounds of the rise over all generations, and over their second half, are within the margin: stable where
   the interval of growth holds 0 or lies below it, else grows slowly.
6. The lower bound of growth is above 0: rises (the two classes of laws can't be told apart yet).
7. Anything else: undecided.

What falls for the worse and is positive is tested on the scale of its logarithm: a variance that goes to 0 has no
bound. No rule looks at the level of a loss, so that a constant added to every loss changes no word: the margin is
stated in movements, the standard deviation of a recursion's change from one generation to the next, or in the metric's
own unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.stats import Interval, exclusion

DIVERGED, COLLAPSES, RISES, SLOW = "diverged", "collapses", "rises", "grows slowly"
LEVELS, STABLE, UNDECIDED, SEPARATED = "levels off", "stable", "undecided", "separated"
WORDS = (DIVERGED, SEPARATED, COLLAPSES, RISES, SLOW, LEVELS, STABLE, UNDECIDED)
"""From worst to least known."""
BAD = frozenset({DIVERGED, COLLAPSES})
"""Words that say that a curve has no bound."""
GOOD = frozenset({LEVELS, STABLE})
"""Words that say that it has one."""
EXPLAINED = {
    DIVERGED: "in at least one recursion the loss went to infinity or to no number",
    SEPARATED: "the labels of recursions became ones that a model fits perfectly, and are repeated from then on",
    COLLAPSES: "it grows, and every bounded law is excluded",
    RISES: "it grows, but these generations and seeds can't tell whether to a bound",
    SLOW: "it grows, by less than the margin",
    LEVELS: "it grew, and every diverging law is excluded",
    STABLE: "any rise is shown to be less than the margin",
    UNDECIDED: "neither growth nor its absence could be shown",
}
"""One sentence a word."""


@dataclass(frozen=True)
class Thresholds:
    """What the rules compare with; printed beside every table.

    Attributes:
        confidence: of every interval and exclusion.
        min_runs: independent recursions (seeds, or replicates) below which nothing is decided.
        min_generations: below this a rise can't be told from one that levels off.
        margin: rise over the whole run, in movements, that counts as none. √2 movements are two standard deviations of
            an independent error.
        absolute: the same in the metric's own unit, in place of `margin`; None: none is stated.
        vanished: share of its first value at which a metric that falls for the worse counts as gone.
        separated: share of recursions whose last labels are fitted perfectly, from which on that is the word.
        corrected: whether "collapses" and "levels off" are corrected for the number of rows (Holm).
    """

    confidence: float = 0.95
    min_runs: int = 3
    min_generations: int = 6
    margin: float = 2**0.5
    absolute: float | None = None
    vanished: float = 0.1
    separated: float = 0.05
    corrected: bool = True


@dataclass(frozen=True)
class Evidence:
    """What the rules look at, turned so that growth is for the worse.

    Attributes:
        growth: per generation.
        ratio: last over first; without interval where the first value is not positive.
        left: upper bound of the share that is left of a metric that falls for the worse; NaN for others.
        highest: the larger upper bound, one-sided, of the rise over all generations and over their second half.
        margin: what rise counts as none, in the metric's unit.
        scale: |L₁|.
        generations: that the curves have.
        diverged: recursions that did.
        separated: share of recursions whose last labels are fitted perfectly.
        p_collapses: of "it does not grow, or some bounded law holds"; 1 where no diverging law describes the curve.
        p_levels: of "it does not grow, or some diverging law holds".
        excluded: families of laws of which every member is excluded.
        more: what would tell a bound from none, in a few words; empty where that is not known.
        needed: recursions, and generations in all, either of which would tell; 0 where that is not known.
        falls: whether the metric falls for the worse, so that what grows here is a fall to a reader.
    """

    growth: Interval
    ratio: Interval
    left: float
    highest: float
    margin: float
    scale: float
    generations: int
    diverged: int = 0
    separated: float = 0.0
    p_collapses: float = 1.0
    p_levels: float = 1.0
    excluded: Sequence[str] = ()
    more: str = ""
    needed: tuple[int, int] = (0, 0)
    falls: bool = False


@dataclass(frozen=True)
class Verdict:
    """A word, and the rule it came from in a few words."""

    word: str
    reason: str


def reached_from(limits: Thresholds | None = None) -> dict[str, int]:
    """Generations from which on a curve can get each word that rests on its growth."""
    long = max((limits or Thresholds()).min_generations, exclusion.FEWEST)
    return {word: long if word in (COLLAPSES, LEVELS) else 2 for word in (COLLAPSES, LEVELS, RISES, SLOW, STABLE)}


def judge(
    evidence: Evidence, thresholds: Thresholds, p_collapses: float | None = None, p_levels: float | None = None
) -> Verdict:
    """Apply the rules in the module's docstring, in order; p-values are the evidence's where none are given."""
    growth, limits, level = evidence.growth, thresholds, 1 - thresholds.confidence
    grows, grew, rise = ("falls", "fell", "fall") if evidence.falls else ("grows", "grew", "rise")
    if evidence.diverged:
        many = "recursion" if evidence.diverged == 1 else "recursions"
        return Verdict(DIVERGED, f"{evidence.diverged} {many} went to infinity or to no number")
    if evidence.separated >= limits.separated:
        return Verdict(SEPARATED, f"labels are fitted perfectly in {evidence.separated:.0%} of recursions")
    if growth.runs < limits.min_runs:
        return Verdict(UNDECIDED, f"too few seeds ({growth.runs} of {limits.min_runs})")
    if not np.isfinite(growth.low):
        return Verdict(UNDECIDED, "no interval")
    long = evidence.generations >= limits.min_generations
    if growth.low > 0 and long:
        if evidence.left < limits.vanished:
            return Verdict(COLLAPSES, f"less than {limits.vanished:.0%} of it is left")
        if (evidence.p_collapses if p_collapses is None else p_collapses) < level:
            return Verdict(COLLAPSES, f"{grows}, and every bounded law is excluded")
        if (evidence.p_levels if p_levels is None else p_levels) < level:
            return Verdict(LEVELS, f"{grew}, and every diverging law is excluded")
    if evidence.highest <= evidence.margin:
        word, by = (SLOW, f"it {grows}, by little") if growth.low > 0 else (STABLE, f"no {rise} is shown")
        return Verdict(word, f"{by}, at most {evidence.highest:.3g} (margin {evidence.margin:.3g})")
    if growth.low > 0:
        why = "too few generations to tell" if not long else "not clear"
        more = f"; {evidence.more}" if evidence.more else ""
        return Verdict(RISES, f"{why} whether it levels off{more}")
    return Verdict(UNDECIDED, f"a {rise} of {evidence.highest:.3g} is not excluded (margin {evidence.margin:.3g})")
