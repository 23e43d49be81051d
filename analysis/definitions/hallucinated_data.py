"""Definition 8: generated data lie outside the real support."""

from __future__ import annotations

import numpy as np

from analysis.definitions.base import Case, Definition, Measure, mean_of, unsupported
from analysis.stats import first, last


def measure(case: Case, threshold: float) -> Measure:
    """Rise of the share of samples outside the real support; above τ is met."""
    outside, inside = case.first_of("outside"), case.first_of("inside")
    found = outside if outside is not None else inside
    if found is None:
        return unsupported("no support is recorded")
    rise = np.asarray(last(found.values) - first(found.values))
    return mean_of(rise if found is outside else -rise, threshold, case, found.metric)


DEFINITION = Definition(
    number=8,
    name="hallucinated_data",
    title="hallucinated data",
    statistic="rise of the share outside the real support",
    threshold=0.05,
    grid=(0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    meaning="τ, rise of the share outside",
    beyond="above",
    measure=measure,
)
