"""What a verdict rests on, gathered from curves of a policy: growth, ratio, bounds, laws that are excluded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.stats import (
    Curves,
    Interval,
    exclusion,
    first,
    intervals,
    known_to_diverge,
    last,
    ratio,
    slope,
    t_interval,
    whole_block,
)
from analysis.verdicts.rules import Evidence, Thresholds, judge

Array = npt.NDArray[np.float64]

SEEDS = "seeds, t-interval"
REPLICATES = "replicates, t-interval"
BOUND = "standard errors of replicates, bound"
MEDIAN = ", median"
"""Added to the basis where a family flags its mean as infinite: medians are judged there."""
JUMPED = "it jumped, and grows on by more than any approach to a bound; more generations would tell"
"""Where diverging laws are excluded, and bounded ones miss the curve."""
BATCHES, BATCH = 20, 11
"""Batches whose medians stand for recursions there, at most, and the recursions of each, at least."""


def gather(group: Curves, worse: int, limits: Thresholds) -> tuple[Evidence, str]:
    """What the verdict rests on, turned so that growth is for the worse, and how the interval was made.

    Contrasts that need whole curves (exclusion of laws, late rise) are taken of the recursions and generations that
    hold most values; growth and ratio of all that have two generations.
    """
    values = worse * group.values
    heavy = bool(group.runs["heavy"].to_numpy().any())
    interval = intervals.median_interval if heavy else t_interval
    growth = interval(slope(values, group.generations), limits.confidence)
    whole = whole_block(values)
    basis = (REPLICATES if bool((group.runs["replicate"].to_numpy() > 0).any()) else SEEDS) + MEDIAN * heavy
    if heavy:
        share = intervals.median_interval(ratio(group.values), limits.confidence)
    else:
        share = intervals.ratio_interval(last(group.values), first(group.values), limits.confidence)
    evidence = Evidence(
        growth=growth,
        ratio=share,
        left=share.high if worse < 0 else np.nan,
        highest=_highest(whole, interval, limits.confidence),
        margin=limits.margin * _movement(whole) if limits.absolute is None else limits.absolute,
        scale=abs(mean_of(first(group.values))),
        generations=whole.shape[1],
        diverged=int(known_to_diverge(group.runs).sum()),
        separated=float(group.runs["separated"].to_numpy().mean()),
        falls=worse < 0,
    )
    if growth.runs < limits.min_runs and not heavy and np.isfinite(group.errors).any():
        return _bounded(group, values, evidence, limits), BOUND
    if worse < 0 and (whole < 0).all():
        whole = -np.log(-whole)  # towards 0 is without bound
    return _excluding(evidence, medians(whole) if heavy else whole, limits), basis


def medians(values: Array) -> Array:
    """Medians of up to `BATCHES` batches of recursions, as recursions of their own, for means that are infinite; the
    recursions themselves where batches of `BATCH` would be fewer than three."""
    count = min(BATCHES, len(values) // BATCH)
    if count < 3:
        return values
    return np.stack([np.median(part, axis=0) for part in np.array_split(values, count)])


def _highest(values: Array, interval: Callable[[Array, float], Interval], confidence: float) -> float:
    """The larger one-sided upper bound of the rise over all generations and of that over their second half (both by
    slopes): a test of equivalence on its upper side."""
    generations = values.shape[1]
    if generations < 2:
        return np.nan
    two_sided = 2 * confidence - 1
    n = np.arange(generations)
    rise = interval(slope(values, n) * (generations - 1), two_sided).high
    middle = generations // 2 - 1
    if generations < 4:
        return float(rise)
    late = interval(slope(values[:, middle:], n[middle:]) * (generations - 1 - middle), two_sided).high
    return float(np.maximum(rise, late))


def _movement(values: Array) -> float:
    """Standard deviation of a recursion's change from one generation to the next about the mean change; 0 without
    spread, NaN with one recursion."""
    if len(values) < 2 or values.shape[1] < 2:
        return np.nan
    return float(np.sqrt(np.diff(values, axis=1).var(axis=0, ddof=1).mean()))


def evidence_of(values: Array, found: exclusion.Exclusion, study: int, limits: Thresholds) -> Evidence:
    """The evidence of whole curves, [runs, generations], of which `found` holds the tests at place `study`."""
    growth = t_interval(slope(values, np.arange(values.shape[1])), limits.confidence)
    evidence = Evidence(
        growth=growth,
        ratio=intervals.ratio_interval(values[:, -1], values[:, 0], limits.confidence),
        left=np.nan,
        highest=_highest(values, t_interval, limits.confidence),
        margin=limits.margin * _movement(values) if limits.absolute is None else limits.absolute,
        scale=abs(mean_of(values[:, 0])),
        generations=values.shape[1],
    )
    return _tested(evidence, found, study)


def found_words(values: Array, found: exclusion.Exclusion, limits: Thresholds, rows: int = 1) -> list[str]:
    """The word of each of many studies, [studies, runs, generations], where "collapses" and "levels off" are corrected
    for so many rows; quick, since rises are not bounded: what is stable is "undecided" here, or "rises"."""
    runs, generations = values.shape[1:]
    slopes = values @ _slope_weights(generations)
    mean, error = slopes.mean(axis=1), slopes.std(axis=1, ddof=1) / np.sqrt(runs)
    half = special.stdtrit(runs - 1, (1 + limits.confidence) / 2) * error
    p = special.stdtr(runs - 1, -mean / np.maximum(error, 1e-300))
    words, none = [], Interval(np.nan, np.nan, np.nan, np.nan, runs, np.nan)
    for study, (middle, width, one) in enumerate(zip(mean, half, p, strict=True)):
        growth = Interval(float(middle), float(middle - width), float(middle + width), np.nan, runs, float(one))
        evidence = _tested(Evidence(growth, none, np.nan, np.inf, 0.0, np.nan, generations), found, study)
        words.append(judge(evidence, limits, rows * evidence.p_collapses, rows * evidence.p_levels).word)
    return words


def _slope_weights(generations: int) -> Array:
    n = np.arange(generations) - (generations - 1) / 2
    return np.asarray(n / (n**2).sum())


def _excluding(evidence: Evidence, values: Array, limits: Thresholds) -> Evidence:
    """The evidence with what it excludes."""
    runs, generations = values.shape
    if runs < max(2, limits.min_runs) or generations < exclusion.FEWEST:
        return evidence
    level = 1 - limits.confidence
    found = exclusion.exclude(values[None])
    tested = _tested(evidence, found, 0)
    tested = replace(tested, excluded=exclusion.excluded(found, 0, generations, level))
    if not evidence.growth.low > 0 or min(tested.p_collapses, tested.p_levels) < level:
        return tested
    needed = exclusion.needed(found, runs, generations, level)
    more = JUMPED if not found.bounded_described[0] and not any(needed) else _more(*needed, runs)
    return replace(tested, more=more, needed=needed)


def _tested(evidence: Evidence, found: exclusion.Exclusion, study: int) -> Evidence:
    rise = min(1.0, 2 * evidence.growth.p_rise)
    bounded = float(found.p_bounded[study]) if found.described[study] else 1.0
    diverging = float(found.p_diverging[study]) if found.bounded_described[study] else 1.0
    return replace(evidence, p_collapses=max(rise, bounded), p_levels=max(rise, diverging))


def _more(runs: int, generations: int, now: int) -> str:
    """What would tell, if the curve goes on as it does."""
    parts = [f"{generations} generations"] * bool(generations) + [f"{runs} recursions in place of {now}"] * bool(runs)
    return f"about {' or '.join(parts)} would tell" if parts else "far more generations are needed"


def _bounded(group: Curves, values: Array, evidence: Evidence, limits: Thresholds) -> Evidence:
    """Bounds from standard errors of the means over replicates, combined over the few seeds there are."""
    n = group.generations.astype(float)
    held = np.isfinite(group.errors).all(axis=0) & np.isfinite(values).all(axis=0)
    errors = np.sqrt((group.errors[:, held] ** 2).sum(axis=0)) / len(group.errors)
    runs = int(group.runs["replicates"].sum())
    weights = slope(np.eye(int(held.sum())), n[held])
    mean = values[:, held].mean(axis=0)
    growth = intervals.bound_interval(float(weights @ mean), weights, errors, runs, limits.confidence)
    span = float(n[held][-1] - n[held][0])
    movement = float(np.sqrt(runs * 2 * (errors**2).mean()))
    margin = limits.margin * movement if limits.absolute is None else limits.absolute
    found = replace(evidence, growth=growth, highest=growth.high * span, margin=margin)
    if held.sum() < exclusion.FEWEST or not (errors > 0).all():
        return found
    bounded, diverging = exclusion.bounds(mean, errors)
    return replace(found, p_collapses=max(2 * growth.p_rise, bounded), p_levels=max(2 * growth.p_rise, diverging))


def mean_of(values: Array) -> float:
    """Of the finite ones; NaN where there are none."""
    held = values[np.isfinite(values)]
    return float(held.mean()) if len(held) else float("nan")
