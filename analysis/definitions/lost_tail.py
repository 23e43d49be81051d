"""Definition 7: the tail of the real distribution disappears."""

from __future__ import annotations

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, ratio_of, unsupported
from analysis.stats import first, last


def measure(case: Case, threshold: float) -> Measure:
    """Mean last over mean first value of the family's measure of the tail; below τ is met."""
    tail = case.first_of("tail")
    if tail is None:
        return unsupported("no measure of the tail is recorded")
    start = first(tail.values)
    if not np.nanmean(start) > 0:
        return unsupported(f"{tail.metric} starts at zero")
    return ratio_of(last(tail.values), start, threshold, case, tail.metric)


DEFINITION = Definition(
    number=7,
    name="lost_tail",
    title="disappearance of the real tail",
    statistic="last over first tail coverage",
    threshold=0.5,
    grid=(0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95),
    meaning="τ, share of the first tail",
    beyond="below",
    measure=measure,
)
