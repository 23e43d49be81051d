"""Definition 1: a catastrophic increase of population risk."""

from __future__ import annotations

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, ratio_of, unsupported
from analysis.stats import first, last


def measure(case: Case, threshold: float) -> Measure:
    """Mean last held-out loss over the lesser of κ times the mean first one and the uninformed baseline; above 1 is
    met, and so is a loss that went to infinity."""
    loss = case.curves["test_loss"]
    if loss.runs["diverged"].any():
        return Measure(np.inf, np.inf, np.inf, 1.0, 0.0, len(loss.values), "test_loss", diverged=True)
    start = first(loss.values)
    limit = threshold * start
    baseline = case.first_of("uninformed")
    if baseline is not None:
        uninformed = float(np.nanmean(baseline.values))
        if not np.nanmean(start) > 0 or uninformed < threshold * float(np.nanmean(start)):
            limit = np.full(len(start), uninformed)
    if not np.nanmean(limit) > 0:
        return unsupported("the first loss is not positive, and there is no baseline")
    return ratio_of(last(loss.values), limit, 1.0, case, "test_loss")


DEFINITION = Definition(
    number=1,
    name="catastrophic_increase",
    title="catastrophic increase of risk",
    statistic="last loss over min(κ · first loss, uninformed baseline)",
    threshold=2.0,
    grid=(1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0),
    meaning="κ, factor of the first loss",
    beyond="above",
    measure=measure,
)
