"""Definition 3: asymptotically diverging risk."""

from __future__ import annotations

from analysis.definitions.base import Case, Definition, Measure, unsupported
from analysis.stats import DRAWS, MINIMUM


def measure(case: Case, threshold: float) -> Measure:
    """Share of bootstrap resamples of the seeds whose mean curve follows a diverging, rising law.

    Laws are chosen by AICc among flat, bounded, logarithmic, linear and power ones (`analysis.stats.growth`). The
    interval is Jeffreys' of the share, for the finite number of resamples; seeds enter through the resampling itself.
    """
    from scipy import stats

    law = case.law
    if law is None:
        return unsupported(f"needs {MINIMUM} generations")
    hits = law.diverging * DRAWS
    tail = (1 - case.confidence) / 2
    share = stats.beta(hits + 0.5, DRAWS - hits + 0.5)
    low, high = float(share.ppf(tail)), float(share.ppf(1 - tail))
    return Measure(law.diverging, low, high, threshold, runs=law.runs, metric="test_loss")


DEFINITION = Definition(
    number=3,
    name="diverging_risk",
    title="asymptotically diverging risk",
    statistic="share of seed resamples that follow a diverging law",
    threshold=0.8,
    grid=(0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
    meaning="share of resamples required",
    beyond="above",
    measure=measure,
)
