"""Is a configuration a counterexample to a claim? Contrasts of its curves, their tests, and the account of a search.

A claim is one of three assertions about a policy's held-out loss, and each has a contrast per recursion that is above 0
on average only where the assertion is false. L₁ is a recursion's first loss, G its generations:

- `bounded`: refuted where the loss grows by more than what counts as none (`tolerated`) *and* its rise in
  the second half is a larger share of the whole rise than a bounded law leaves. Both must show, so the p-value is the
  larger one (intersection–union test; Berger 1982).
- `diverges`: refuted where the loss grows by less than that margin *or* its late rise is a smaller share than a
  diverging law leaves. Either will do, so the p-value is twice the smaller one (Bonferroni).
- `beats`: refuted where the policy's slope is above its rival's on the same seeds.

The share is halfway between what Σ1/i², the law of accumulation, and Σ1/i, the slowest of the laws of replacement,
leave for the second half of G generations. Seeds are the unit: a cell's replicates enter as their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from analysis.stats import Interval, late_excess, slope, t_interval
from analysis.verdicts.rules import Thresholds

Array = npt.NDArray[np.float64]
MARGIN, WHOLE = 0.005, 0.5
"""Growth that refutes nothing, as a share of the first loss: in a generation, and over all."""
Assertion = Literal["bounded", "diverges", "beats"]


@dataclass(frozen=True)
class Evidence:
    """What some recursions of one configuration say against a claim.

    Attributes:
        effect: mean of the deciding contrast, in units of the first loss, with its interval; above 0 it speaks against
            the claim.
        p: one-sided p-value of "the claim holds here".
        strength: the effect less one standard error; what a search maximises.
    """

    effect: Interval
    p: float
    strength: float


def contrasts(assertion: Assertion, values: Array, rival: Array | None = None) -> list[Array]:
    """The assertion's contrasts of each recursion, [runs] each, in the unit of the loss.

    Args:
        assertion: which one.
        values: the policy's losses, [runs, generations], all finite.
        rival: of `beats`, the rival's on the same seeds.
    """
    generations = values.shape[1]
    number = np.arange(1, generations + 1)
    if assertion == "beats":
        assert rival is not None
        return [slope(values - rival, number) * (generations - 1)]
    margin = tolerated(generations) * (generations - 1) * np.abs(values[:, 0])
    rise = slope(values, number) * (generations - 1) - margin
    late = late_excess(values, late_share(generations))
    return [rise, late] if assertion == "bounded" else [-rise, -late]


def tolerated(generations: int) -> float:
    """Growth per generation over so many generations, as a share of the first loss, that refutes nothing."""
    return min(MARGIN, WHOLE / max(generations - 1, 1))


def weigh(
    assertion: Assertion, values: Array, rival: Array | None = None, limits: Thresholds | None = None
) -> Evidence:
    """The evidence of some recursions against the assertion.

    Args:
        assertion: which one.
        values: the policy's losses, [runs, generations], all finite; at least two runs.
        rival: of `beats`, the rival's on the same seeds.
        limits: fewest generations and confidence.

    Raises:
        ValueError: too few generations for this assertion.
    """
    limits = limits or Thresholds()
    fewest = 2 if assertion == "beats" else limits.min_generations
    if values.shape[1] < fewest:
        raise ValueError(f"generations: “{assertion}” is judged from {fewest} on, not {values.shape[1]}")
    scale = abs(float(values[:, 0].mean())) or 1.0
    found = [t_interval(part / scale, limits.confidence) for part in contrasts(assertion, values, rival)]
    bounds = [part.estimate - part.error for part in found]
    if assertion == "diverges":
        decides = int(np.argmax(bounds))
        return Evidence(found[decides], min(1.0, 2 * min(part.p_rise for part in found)), bounds[decides])
    decides = int(np.argmin(bounds))
    return Evidence(found[decides], max(part.p_rise for part in found), bounds[decides])


@lru_cache(maxsize=256)
def late_share(generations: int) -> float:
    """Share of the whole rise in the second half: the mean of what Σ1/i² and Σ1/i leave for it."""
    n = np.arange(1, generations + 1)
    laws = np.cumsum(np.stack([1 / n**2, 1 / n]), axis=1)
    rises = laws[:, -1] - laws[:, 0]
    return float((late_excess(laws, 0.0) / rises).mean())


def share_bound(drawn: int, suspicious: int, confidence: float = 0.95) -> float:
    """Upper bound on the share of a region that such a search would refute, from independent draws of it.

    Clopper and Pearson's (1934), each draw that was suspicious but not retested counted as a counterexample. With
    none of these it is 1 − (1 − confidence)^(1/drawn), about 3/drawn: the rule of three (Hanley & Lippman-Hand 1983).
    """
    from scipy import stats

    if suspicious >= drawn:
        return 1.0
    return float(stats.beta.ppf(confidence, suspicious + 1, drawn - suspicious))
