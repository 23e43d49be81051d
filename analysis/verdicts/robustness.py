"""The robustness assessment: growth, ratio and verdict for every configuration, policy and judged metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.data import NAMES, STOPPED, Metric, configurations, in_order, metrics
from analysis.stats import (
    Curves,
    Interval,
    by_policy,
    curves_of,
    exclusion,
    first,
    intervals,
    last,
    ratio,
    slope,
    t_interval,
)
from analysis.verdicts.rules import Evidence, Thresholds, judge

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
JUMPED = "it jumped, and grows on by more than any approach to a bound; more generations would tell"
"""Where diverging laws are excluded, and bounded ones miss the curve."""
FEW = 50
"""Recursions up to which noise that all share is looked for; with more, what no law of the set describes is seen."""
JUMPS = 2
"""Generations in which a curve may jump."""
CORRELATED = 2.31
"""Third differences of independent errors that are worth one independent value: Σ ρ_k², ρ = 1, −¾, 0.3, −0.05."""
SHARED = 1e-3
"""Level of the test for it."""
NOTE = (
    "; the mean is rougher than seeds' own noise leaves it: they share some, which no interval here holds, or it swings"
)
BATCHES, BATCH = 20, 11
"""Batches whose medians stand for recursions there, at most, and the recursions of each, at least."""


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
        scheduler; see `analysis.data.censoring`), diverged (recursions); p_rise and its adjustments p_holm,
        p_bh over all rows of the metric; p_collapses, p_levels (of the contrary of these words), excluded (families of
        laws), margin; needed_runs, needed_generations (either would tell a bound from none; 0 where that is not
        known); detectable (growth found with 80 % power); theory_growth, theory_z; verdict, verdict_alone
        (without correction for the number of rows), reason.
    """
    import pandas as pd

    limits = thresholds or Thresholds()
    names = configurations(frame)
    named = names[list(NAMES)].to_dict("index")
    rows = []
    for family, part in frame.groupby("family", sort=True):
        for metric in metrics.judged(str(family), frame):
            held = {cell: found[metric.name] for cell, found in (replicates or {}).items() if metric.name in found}
            whole = curves_of(part, metric.name, held)
            cells = _cells(whole)
            rows += [
                {"config": config, **named[config], "policy": policy}
                | _row(group, metric, cells[config, policy], limits)
                for (config, policy), group in by_policy(whole)
            ]
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    table = _worded(table, limits)
    return in_order(_adjust(table).sort_values(["metric", "policy"], kind="stable"), names)


def _cells(whole: Curves) -> dict[tuple[str, str], Mapping[Any, Any]]:
    """Seeds, generations, and cells that ended early, failed or were stopped, of each (configuration, policy); counted
    for all at once."""
    keys = ["config", "policy"]
    once = whole.runs.assign(reach=whole.lengths).drop_duplicates("cell")
    furthest = once.groupby(keys)["reach"].transform("max")
    once = once.assign(
        short=once["reach"] < furthest, failed=once["status"] == "failed", stopped=once["status"] == STOPPED
    )
    grouped = once.groupby(keys)
    counts = grouped[["short", "failed", "stopped"]].sum().astype(int)
    counts = counts.assign(seeds=grouped["seed"].nunique(), generations=grouped["reach"].max(), cells=grouped.size())
    held: list[tuple[str, str]] = list(counts.index)
    return dict(zip(held, counts.to_dict("records"), strict=True))


def _row(group: Curves, metric: Metric, cells: Mapping[Any, Any], limits: Thresholds) -> dict[str, Any]:
    evidence, basis = gather(group, metric.worse, limits)
    growth, alone = evidence.growth, judge(evidence, limits)
    shown = _turned(growth, metric.worse)
    theory = _mean(_theory_slope(group))
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
        "seeds": cells["seeds"],
        "runs": growth.runs,
        "basis": basis,
        "generations": cells["generations"],
        "short": cells["short"],
        "failed": cells["failed"],
        "stopped": cells["stopped"],
        "diverged": evidence.diverged,
        "p_rise": growth.p_rise,
        "p_collapses": evidence.p_collapses,
        "p_levels": evidence.p_levels,
        "excluded": ", ".join(evidence.excluded),
        "margin": evidence.margin,
        "needed_runs": evidence.needed[0],
        "needed_generations": evidence.needed[1],
        "detectable": intervals.detectable(growth.error, growth.runs, limits.confidence),
        "theory_growth": theory,
        "theory_z": (shown.estimate - theory) / growth.error if growth.error > 0 else np.nan,
        "verdict": alone.word,
        "verdict_alone": alone.word,
        "reason": alone.reason,
        "notes": _stops(cells) + (NOTE if _shared(_whole(group.values, group.lengths)) else ""),
        "evidence": evidence,
    }


def _shared(values: Array) -> bool:
    """Whether the mean curve is rougher than independent recursions leave it: what all share at a generation, as seeds
    that were judged or trained on the same draws do, shrinks with no number of them.

    Third differences leave out what is smooth; F test of the mean's against those of the deviations, after the first
    `JUMPS` generations.
    """
    runs, generations = values.shape
    if runs < 2 or runs > FEW or generations < JUMPS + 6:
        return False
    rough = np.diff(values[:, JUMPS:], n=3, axis=1)
    apart = rough - rough.mean(axis=0)
    own, shared = (apart**2).sum() / (runs - 1), runs * (rough.mean(axis=0) ** 2).sum()
    count = rough.shape[1] / CORRELATED
    return bool(special.fdtrc(count, count * (runs - 1), shared / max(own, 1e-300)) < SHARED)


def _stops(cells: Mapping[Any, Any]) -> str:
    """What a reader must know of a group of which a scheduler stopped cells."""
    if not cells["stopped"]:
        return ""
    return (
        f"; a scheduler stopped {cells['stopped']} of {cells['cells']} cells, judged over the {cells['generations']} "
        "generations of all"
    )


def gather(group: Curves, worse: int, limits: Thresholds) -> tuple[Evidence, str]:
    """What the verdict rests on, turned so that growth is for the worse, and how the interval was made.

    Contrasts that need whole curves (exclusion of laws, late rise) are taken of the recursions and generations that
    hold most values; growth and ratio of all that have two generations.
    """
    values = worse * group.values
    heavy = bool(group.runs["heavy"].to_numpy().any())
    interval = intervals.median_interval if heavy else t_interval
    growth = interval(slope(values, group.generations), limits.confidence)
    whole = _whole(values, group.lengths)
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
        scale=abs(_mean(first(group.values))),
        generations=whole.shape[1],
        diverged=int(group.runs["diverged"].to_numpy().sum()),
        separated=float(group.runs["separated"].to_numpy().mean()),
    )
    if growth.runs < limits.min_runs and not heavy and np.isfinite(group.errors).any():
        return _bounded(group, values, evidence, limits), BOUND
    if worse < 0 and (whole < 0).all():
        whole = -np.log(-whole)  # towards 0 is without bound
    return _excluding(evidence, medians(whole) if heavy else whole, limits), basis


def _whole(values: Array, lengths: npt.NDArray[np.int64]) -> Array:
    """The block of recursions and first generations that holds most values; a few recursions that went further than the
    others cost no more than what they have beyond these."""
    reaches = np.unique(lengths)
    held = [(lengths >= reach).sum() * reach for reach in reaches]
    reach = reaches[::-1][int(np.argmax(held[::-1]))]  # of equal blocks the longest
    block = values[lengths >= reach]
    found: Array = block[:, np.isfinite(block).all(axis=0)]
    return found


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
        scale=abs(_mean(values[:, 0])),
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


def _theory_slope(group: Curves) -> Array:
    """Slope of the closed form, [runs]; NaN where it is not known at every generation that was measured."""
    unknown = (np.isfinite(group.values) & ~np.isfinite(group.theory)).any(axis=1)
    return np.where(unknown, np.nan, slope(group.theory, group.generations))


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


def _worded(table: pd.DataFrame, limits: Thresholds) -> pd.DataFrame:
    """The words, with the chances of a false "collapses" and of a false "levels off" held over the table (Holm)."""
    from statsmodels.stats.multitest import multipletests

    collapses, levels = (
        multipletests(table[name].to_numpy(), method="holm")[1] if limits.corrected else table[name].to_numpy()
        for name in ("p_collapses", "p_levels")
    )
    found = [judge(e, limits, p, q) for e, p, q in zip(table["evidence"], collapses, levels, strict=True)]
    reasons = [
        verdict.reason + (f"; {alone} but for the correction over {len(table)} rows" if alone != verdict.word else "")
        for verdict, alone in zip(found, table["verdict_alone"], strict=True)
    ]
    return table.assign(verdict=[v.word for v in found], reason=reasons + table["notes"]).drop(
        columns=["notes", "evidence"]
    )


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
