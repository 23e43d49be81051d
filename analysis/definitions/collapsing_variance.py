"""Definition 4: the variance of what is generated collapses."""

from __future__ import annotations

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, ratio_of, unsupported
from analysis.stats import first, last


def measure(case: Case, threshold: float) -> Measure:
    """Mean last over mean first value of the family's measure of spread; below τ is met."""
    spread = case.first_of("spread")
    if spread is None:
        return unsupported("no measure of spread is recorded")
    start = first(spread.values)
    if not np.nanmean(start) > 0:
        return unsupported(f"{spread.metric} starts at zero")
    return ratio_of(last(spread.values), start, threshold, case, spread.metric)


DEFINITION = Definition(
    number=4,
    name="collapsing_variance",
    title="collapsing variance",
    statistic="last over first variance",
    threshold=0.5,
    grid=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    meaning="τ, share of the first variance",
    beyond="below",
    measure=measure,
)
