"""Definition 3: asymptotically diverging risk."""

from __future__ import annotations

from analysis.definitions.base import Case, Definition, Measure, unsupported
from analysis.stats import MINIMUM
from analysis.verdicts import BAD, GOOD, Thresholds, gather, judge


def measure(case: Case, threshold: float) -> Measure:
    """The verdict's own test at this confidence, as a number from −1 to 1: the confidence with which every bounded law
    is excluded, less that with which the loss is shown to be bounded.

    Met where every bounded law is excluded or a recursion went to infinity; not met where every diverging law is
    excluded or the loss is shown not to grow; undecided between, where the interval is all of [−1, 1].
    """
    loss = case.curves["test_loss"]
    gone = bool(loss.runs["diverged"].any())
    if case.law is None and not gone:
        return unsupported(f"needs {MINIMUM} generations")
    limits = Thresholds(confidence=threshold, min_runs=case.min_runs)
    evidence, _ = gather(loss, 1, limits)
    word = judge(evidence, limits).word
    if word in BAD:
        score = 1.0 if gone else 1 - evidence.p_collapses
        return Measure(score, score, score, threshold, runs=evidence.growth.runs, metric="test_loss", diverged=gone)
    if word in GOOD:
        score = -max(threshold, 1 - evidence.p_levels)
        return Measure(score, score, score, threshold, runs=evidence.growth.runs, metric="test_loss")
    score = evidence.p_levels - evidence.p_collapses
    return Measure(score, -1.0, 1.0, threshold, runs=evidence.growth.runs, metric="test_loss")


DEFINITION = Definition(
    number=3,
    name="diverging_risk",
    title="asymptotically diverging risk",
    statistic="confidence that no bounded law holds, less that the loss is bounded",
    threshold=0.95,
    grid=(0.8, 0.9, 0.95, 0.99),
    meaning="confidence required",
    beyond="above",
    measure=measure,
)
