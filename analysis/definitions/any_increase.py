"""Definition 2: any increase of population risk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, mean_of, unsupported
from analysis.stats import first, last

ALLOWANCE = 0.01
"""A rise beyond δ of at most this share of the first loss counts as none: "no increase at all" can't be shown."""


def measure(case: Case, threshold: float) -> Measure:
    """Rise of the held-out loss from first to last generation, as a share of the mean first loss, over seeds; met, too,
    by a loss that went to infinity."""
    loss = case.curves["test_loss"]
    if loss.runs["diverged"].any():
        return Measure(np.inf, np.inf, np.inf, threshold, 0.0, len(loss.values), "test_loss", diverged=True)
    start = first(loss.values)
    scale = abs(float(np.nanmean(start)))
    if scale == 0:
        return unsupported("the first loss is zero")
    found = mean_of((last(loss.values) - start) / scale, threshold, case, "test_loss")
    return replace(found, allowance=ALLOWANCE)


DEFINITION = Definition(
    number=2,
    name="any_increase",
    title="any increase of risk",
    statistic="rise of the loss, as a share of the first",
    threshold=0.0,
    grid=(0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    meaning="δ, least rise that counts",
    beyond="above",
    measure=measure,
)
