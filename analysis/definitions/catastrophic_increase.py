"""Definition 1: a catastrophic increase of population risk."""

from __future__ import annotations

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, mean_of, unsupported
from analysis.stats import first, last

BASELINES = ("uniform_loss", "constant_loss")
"""Metrics that hold the loss of a model that has learned nothing."""


def measure(case: Case, threshold: float) -> Measure:
    """Last held-out loss over the lesser of κ times the first one and the uninformed baseline; above 1 is met."""
    loss = case.curves["test_loss"]
    limit = np.where(first(loss.values) > 0, threshold * first(loss.values), np.inf)
    baseline = case.first_of(BASELINES)
    if baseline is not None:
        limit = np.minimum(limit, float(np.nanmean(baseline.values)))
    if not np.isfinite(limit).any() or (limit <= 0).any():
        return unsupported("the first loss is not positive, and there is no baseline")
    return mean_of(last(loss.values) / limit, 1.0, case, "test_loss")


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
