"""The robustness assessment: growth, ratio and verdict for every configuration, policy and judged metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.data import NAMES, STOPPED, configurations, in_order, metrics
from analysis.stats import (
    Curves,
    Interval,
    by_policy,
    curves_of,
    first,
    intervals,
    last,
    late_excess,
    ratio,
    slope,
    t_interval,
)
from analysis.verdicts.rules import Evidence, Thresholds, judge, levels_off

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Replicates = Mapping[str, Mapping[str, Array]]
"""Values of every replicate, [replicates, generations], by cell key and metric."""

SEEDS = "seeds, t-interval"
REPLICATES = "replicates, t-interval"
BOUND = "standard errors of replicates, bound"
MEDIAN = ", median"
"""Added to the basis where a family flags its mean as infinite: medians are judged there."""


def assess(
    frame: pd.DataFrame, thresholds: Thresholds | None = None, replicates: Replicates | None = None
) -> pd.DataFrame:
    """One row per configuration, policy and judged metric.

    Growth is the least-squares slope of a metric per generation, of each independent recursion; its interval is
    Student's over recursions. A cell with replicates is that many recursions where their values are given; where only
    their standard errors are known and there are too few seeds, the interval is a conservative bound. Where a family
    flags an infinite mean, medians are judged. The column `basis` says which it was. Intervals are two-sided at
    `thresholds.confidence`.

    Args:
        frame: as `analysis.load` gives it.
        thresholds: see `analysis.verdicts.rules`.
        replicates: see `analysis.data.replicates.read`.

    Returns:
        Columns: `config`, family, architecture, size, hyperparameters, policy, metric, unit; growth, growth_low,
        growth_high, growth_error, growth_relative (share of the first loss); first, ratio, ratio_low, ratio_high;
        seeds, runs, basis, generations, short (cells that ended early), failed, stopped (early, by a
        scheduler; see `analysis.data.censoring`); p_rise and its adjustments p_holm,
        p_bh over all rows of the metric; detectable (growth found with 80 % power); theory_growth, theory_z;
        verdict, reason.
    """
    import pandas as pd

    limits = thresholds or Thresholds()
    names = configurations(frame)
    rows = []
    for family, part in frame.groupby("family", sort=True):
        for metric in metrics.judged(str(family), frame):
            held = {cell: found[metric.name] for cell, found in (replicates or {}).items() if metric.name in found}
            whole = curves_of(part, metric.name, held)
            rows += [
                {"config": config, **names.loc[config, list(NAMES)], "policy": policy} | _row(group, metric, limits)
                for (config, policy), group in by_policy(whole)
            ]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return in_order(_adjust(table).sort_values(["metric", "policy"], kind="stable"), names)


def _row(group: Curves, metric: metrics.Metric, limits: Thresholds) -> dict[str, Any]:
    evidence, basis = gather(group, metric.worse, limits)
    growth, found = evidence.growth, judge(evidence, limits)
    shown = _turned(growth, metric.worse)
    theory = _mean(_theory_slope(group))
    runs = group.runs.drop_duplicates("cell")
    reached = group.lengths[runs.index]
    return {
        "metric": metric.name,
        "unit": metric.growth_unit,
        "growth": shown.estimate,
        "growth_low": shown.low,
        "growth_high": shown.high,
        "growth_error": growth.error,
        "growth_relative": shown.estimate / evidence.scale if evidence.scale else np.nan,
        "first": _mean(first(group.values)),
        "ratio": evidence.ratio.estimate,
        "ratio_low": evidence.ratio.low,
        "ratio_high": evidence.ratio.high,
        "seeds": runs["seed"].nunique(),
        "runs": growth.runs,
        "basis": basis,
        "generations": int(reached.max()),
        "short": int((reached < reached.max()).sum()),
        "failed": int((runs["status"] == "failed").sum()),
        "stopped": int((runs["status"] == STOPPED).sum()),
        "p_rise": growth.p_rise,
        "detectable": intervals.detectable(growth.error, growth.runs, limits.confidence),
        "theory_growth": theory,
        "theory_z": (shown.estimate - theory) / growth.error if growth.error > 0 else np.nan,
        "verdict": found.word,
        "reason": found.reason + _stops(runs, int(reached.max())),
    }


def _stops(runs: pd.DataFrame, generations: int) -> str:
    """What a reader must know of a group of which a scheduler stopped cells."""
    stopped = int((runs["status"] == STOPPED).sum())
    if not stopped:
        return ""
    return f"; a scheduler stopped {stopped} of {len(runs)} cells, judged over the {generations} generations of all"


def gather(group: Curves, worse: int, limits: Thresholds) -> tuple[Evidence, str]:
    """What the verdict rests on, turned so that growth is for the worse, and how the interval was made.

    Contrasts that need whole curves (late rise, levelling off) are taken of the recursions that reached the group's
    last generation; growth and ratio of all that have two generations.
    """
    values = worse * group.values
    heavy = bool(group.runs["heavy"].any())
    interval = intervals.median_interval if heavy else t_interval
    growth = interval(slope(values, group.generations), limits.confidence)
    whole = group.lengths == group.lengths.max()
    reached = np.isfinite(group.values[whole]).all(axis=0)
    late = interval(late_excess(values[whole][:, reached], limits.late_share), limits.confidence)
    basis = (REPLICATES if bool((group.runs["replicate"] > 0).any()) else SEEDS) + MEDIAN * heavy
    if growth.runs < limits.min_runs and not heavy and np.isfinite(group.errors).any():
        growth, late = _bounded(group, values, growth, late, limits)
        basis = BOUND
    if heavy:
        share = intervals.median_interval(ratio(group.values), limits.confidence)
    else:
        share = intervals.ratio_interval(last(group.values), first(group.values), limits.confidence)
    evidence = Evidence(
        growth=growth,
        ratio=share,
        fold=_fold(share, worse),
        late=late,
        scale=abs(_mean(first(group.values))),
        generations=int(reached.sum()),
        levels_off=levels_off((np.median if heavy else np.mean)(values[whole][:, reached], axis=0)),
    )
    return evidence, basis


def _fold(share: Interval, worse: int) -> float:
    """Lower bound of the factor by which the last value is worse than the first, from the interval of last/first."""
    if worse > 0:
        return share.low
    return np.inf if share.high <= 0 else 1 / share.high


def _theory_slope(group: Curves) -> Array:
    """Slope of the closed form, [runs]; NaN where it is not known at every generation that was measured."""
    unknown = (np.isfinite(group.values) & ~np.isfinite(group.theory)).any(axis=1)
    return np.where(unknown, np.nan, slope(group.theory, group.generations))


def _bounded(
    group: Curves, values: Array, growth: Interval, late: Interval, limits: Thresholds
) -> tuple[Interval, Interval]:
    """Bounds from standard errors of the means over replicates, combined over the few seeds there are."""
    n = group.generations.astype(float)
    held = np.isfinite(group.errors).all(axis=0)
    errors = np.sqrt((group.errors[:, held] ** 2).sum(axis=0)) / len(group.errors)
    runs = int(group.runs["replicates"].sum())
    unit = np.eye(int(held.sum()))
    weights = slope(unit, n[held])
    mean = values[:, held].mean(axis=0)
    rise = late_excess(unit, limits.late_share)
    bound = intervals.bound_interval(float(weights @ mean), weights, errors, runs, limits.confidence)
    if not np.isfinite(rise).all():
        return bound, late
    return bound, intervals.bound_interval(float(rise @ mean), rise, errors, runs, limits.confidence)


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Holm's (family-wise error) and Benjamini–Hochberg's (false discovery) p-values over the rows of each metric."""
    from statsmodels.stats.multitest import multipletests

    table = table.assign(p_holm=np.nan, p_bh=np.nan)
    for _, rows in table.groupby("metric"):
        known = rows.index[rows["p_rise"].notna()]
        if len(known):
            p = rows.loc[known, "p_rise"].to_numpy()
            table.loc[known, "p_holm"] = multipletests(p, method="holm")[1]
            table.loc[known, "p_bh"] = multipletests(p, method="fdr_bh")[1]
    return table


def _turned(interval: Interval, worse: int) -> Interval:
    """The interval in the metric's own direction again."""
    if worse > 0:
        return interval
    return Interval(-interval.estimate, -interval.high, -interval.low, interval.error, interval.runs, interval.p_rise)


def _mean(values: Array) -> float:
    held = values[np.isfinite(values)]
    return float(held.mean()) if len(held) else float("nan")
