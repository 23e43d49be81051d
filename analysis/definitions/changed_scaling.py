"""Definition 5: the scaling law of loss against model size changes."""

from __future__ import annotations

import math

from analysis.definitions.base import Case, Definition, Measure, unsupported
from analysis.stats import SIZES


def measure(case: Case, threshold: float) -> Measure:
    """The larger relative change, of exponent or floor, since generation 1.

    The figures come from the ladder (`analysis.stats.size_ladders`) that the configuration stands on. `low` is the
    larger distance of the two intervals from 0 (below 0 where both hold it), `high` the larger bound: so the definition
    is met exactly if one interval excludes 0, and not met exactly if both lie within the tolerance. A configuration of
    which a recursion diverged is on no law: met.
    """
    if not case.scaling:
        return unsupported(f"needs {SIZES} sizes that differ in nothing else")
    if case.curves["test_loss"].runs["diverged"].any():
        cells = int(case.scaling["cells"])
        return Measure(math.inf, math.inf, math.inf, 0.0, threshold, cells, "test_loss", diverged=True)
    return Measure(
        estimate=float(case.scaling["estimate"]),
        low=float(case.scaling["low"]),
        high=float(case.scaling["high"]),
        boundary=0.0,
        allowance=threshold,
        runs=int(case.scaling["cells"]),
        metric="test_loss",
    )


DEFINITION = Definition(
    number=5,
    name="changed_scaling",
    title="change of scaling law",
    statistic="relative change of exponent or floor",
    threshold=0.1,
    grid=(0.02, 0.05, 0.1, 0.2, 0.5),
    meaning="tolerance of relative change",
    beyond="above",
    measure=measure,
)
