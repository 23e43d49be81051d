"""DEFINITION CONTRACT: what a definition of collapse measures, and how a measure becomes a word.

A definition turns one configuration under one policy (a `Case`) into one number with an interval, and says at which
boundary it is met. `find` gives the word: met (the interval lies beyond the boundary), not met (it lies on the safe
side), undecided (it straddles it, or there are too few recursions), not supported (the family records nothing that
the definition speaks of). Nothing is ever decided by a point estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from analysis.data import metrics
from analysis.stats import Curves, Fit, block_of, first, fit, intervals, last, t_interval

if TYPE_CHECKING:
    from trainables.families import Role

Array = npt.NDArray[np.float64]
MET, NOT_MET, UNDECIDED, UNSUPPORTED = "met", "not met", "undecided", "not supported"


@dataclass(frozen=True)
class Case:
    """One configuration under one policy.

    Attributes:
        family: its kind.
        config: configuration id.
        policy: label.
        curves: by metric; only metrics that were recorded.
        scaling: figures of the ladder that the configuration belongs to, see `changed_scaling`; empty without one.
        confidence: of intervals.
        min_runs: recursions below which nothing is decided.
        seed: of resampling.
    """

    family: str
    config: str
    policy: str
    curves: Mapping[str, Curves]
    scaling: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95
    min_runs: int = 3
    seed: int = 0

    def first_of(self, role: Role) -> Curves | None:
        """The first recorded metric that has this role in the family, see `Metric.role`."""
        return next((self.curves[name] for name in metrics.of_role(self.family, role) if name in self.curves), None)

    @cached_property
    def law(self) -> Fit | None:
        """Growth law of the held-out loss."""
        loss = self.curves["test_loss"]
        runs, reached = block_of(loss.values)
        return fit(loss.values[runs][:, reached], loss.generations[reached], self.confidence)


@dataclass(frozen=True)
class Measure:
    """What a definition measured.

    Attributes:
        estimate, low, high: the statistic and its interval.
        boundary: beyond it the definition is met.
        allowance: how far beyond the boundary the whole interval may reach and still count as not met.
        runs: recursions it rests on.
        metric: what it was taken from.
        unsupported: why there is none, empty where there is one.
        diverged: whether a recursion's loss went to infinity or to no number.
    """

    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan
    boundary: float = np.nan
    allowance: float = 0.0
    runs: int = 0
    metric: str = ""
    unsupported: str = ""
    diverged: bool = False


@dataclass(frozen=True)
class Finding:
    """A word with the measure behind it."""

    word: str
    measure: Measure
    threshold: float


@dataclass(frozen=True)
class Definition:
    """One definition of collapse.

    Attributes:
        number: in the literature's list.
        name: of the module.
        title: in few words.
        statistic: what is measured, for tables.
        threshold: default.
        grid: thresholds of the sensitivity plot.
        meaning: what the threshold is, for axes.
        beyond: on which side of the boundary it is met.
        measure: of a case, at a threshold.
    """

    number: int
    name: str
    title: str
    statistic: str
    threshold: float
    grid: tuple[float, ...]
    meaning: str
    beyond: Literal["above", "below"]
    measure: Callable[[Case, float], Measure]

    def find(self, case: Case, threshold: float | None = None) -> Finding:
        """Judge a case at a threshold (default: the definition's own)."""
        level = self.threshold if threshold is None else threshold
        found = self.measure(case, level)
        return Finding(self._word(found, case.min_runs), found, level)

    def _word(self, found: Measure, min_runs: int) -> str:
        if found.unsupported:
            return UNSUPPORTED
        if found.diverged:
            return MET
        if found.runs < min_runs or not np.isfinite(found.low):
            return UNDECIDED
        if self.beyond == "above":
            if found.low > found.boundary:
                return MET
            return NOT_MET if found.high <= found.boundary + found.allowance else UNDECIDED
        if found.high < found.boundary:
            return MET
        return NOT_MET if found.low >= found.boundary - found.allowance else UNDECIDED


def mean_of(values: Array, boundary: float, case: Case, metric: str) -> Measure:
    """The mean of one value per recursion with Student's interval."""
    found = t_interval(values, case.confidence)
    return Measure(found.estimate, found.low, found.high, boundary, 0.0, found.runs, metric)


def ratio_of(above: Array, below: Array, boundary: float, case: Case, metric: str) -> Measure:
    """The ratio of two means over recursions; the mean of their ratios is larger wherever `below` comes near 0."""
    found = intervals.ratio_interval(above, below, case.confidence)
    return Measure(found.estimate, found.low, found.high, boundary, 0.0, found.runs, metric)


def share_left(role: Role, what: str) -> Callable[[Case, float], Measure]:
    """A measure: mean last over mean first value of the family's figure of this role; below τ is met."""

    def measure(case: Case, threshold: float) -> Measure:
        found = case.first_of(role)
        if found is None:
            return unsupported(f"no measure of {what} is recorded")
        start = first(found.values)
        if not np.nanmean(start) > 0:
            return unsupported(f"{found.metric} starts at zero")
        return ratio_of(last(found.values), start, threshold, case, found.metric)

    return measure


def unsupported(reason: str) -> Measure:
    """The measure of a case that a definition does not speak of."""
    return replace(Measure(), unsupported=reason)
