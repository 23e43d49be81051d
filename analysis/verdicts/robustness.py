"""The robustness assessment: growth, ratio and verdict for every configuration, policy and judged metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import special

from analysis.data import BROKEN, DOUBT, FAILED, NAMES, STOPPED, Metric, configurations, in_order, metrics
from analysis.stats import Curves, Interval, by_policy, curves_of, first, holm, intervals, slope, whole_block
from analysis.verdicts.evidence import gather, mean_of
from analysis.verdicts.rules import UNDECIDED, Thresholds, judge

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Replicates = Mapping[str, Mapping[str, Array]]
"""Values of every replicate, [replicates, generations], by cell key and metric."""

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
    if frame.attrs.get(DOUBT):
        table = _withheld(table, frame.attrs[DOUBT])
    return in_order(_adjust(table).sort_values(["metric", "policy"], kind="stable"), names)


def _cells(whole: Curves) -> dict[tuple[str, str], Mapping[Any, Any]]:
    """Seeds, generations, and cells that ended early, failed or were stopped, of each (configuration, policy); counted
    for all at once."""
    keys = ["config", "policy"]
    once = whole.runs.assign(reach=whole.reaches).drop_duplicates("cell")
    furthest = once.groupby(keys)["reach"].transform("max")
    once = once.assign(
        short=once["reach"] < furthest, failed=once["status"].isin((FAILED, BROKEN)), stopped=once["status"] == STOPPED
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
    theory = mean_of(_theory_slope(group))
    return {
        "metric": metric.name,
        "unit": metric.growth_unit,
        "growth": shown.estimate,
        "growth_low": shown.low,
        "growth_high": shown.high,
        "growth_error": growth.error,
        "growth_relative": shown.estimate / evidence.scale if evidence.scale else np.nan,
        "first": mean_of(first(group.values)),
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
        "notes": _stops(cells) + (NOTE if _shared(whole_block(group.values)) else ""),
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


def _theory_slope(group: Curves) -> Array:
    """Slope of the closed form, [runs]; NaN where it is not known at every generation that was measured."""
    unknown = (np.isfinite(group.values) & ~np.isfinite(group.theory)).any(axis=1)
    return np.where(unknown, np.nan, slope(group.theory, group.generations))


def _worded(table: pd.DataFrame, limits: Thresholds) -> pd.DataFrame:
    """The words, with the chances of a false "collapses" and of a false "levels off" held over the table (Holm)."""
    collapses, levels = (
        holm(table[name].to_numpy()) if limits.corrected else table[name].to_numpy()
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


def _withheld(table: pd.DataFrame, doubt: str) -> pd.DataFrame:
    """Without a word for losses of which nobody knows which way is for the worse; what diverged did either way."""
    open_ = (table["metric"] == "test_loss") & (table["diverged"] == 0)
    for column, value in (("verdict", UNDECIDED), ("verdict_alone", UNDECIDED), ("reason", doubt)):
        table[column] = table[column].mask(open_, value)
    return table


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    """Holm's (family-wise error) and Benjamini–Hochberg's (false discovery) p-values over the rows of each metric."""
    from statsmodels.stats.multitest import multipletests

    table = table.assign(p_holm=np.nan, p_bh=np.nan)
    for _, rows in table.groupby("metric"):
        known = rows.index[rows["p_rise"].notna()]
        if len(known):
            p = rows.loc[known, "p_rise"].to_numpy()
            table.loc[known, "p_holm"] = holm(p)
            table.loc[known, "p_bh"] = multipletests(p, method="fdr_bh")[1]
    return table


def _turned(interval: Interval, worse: int) -> Interval:
    """The interval in the metric's own direction again."""
    if worse > 0:
        return interval
    return Interval(-interval.estimate, -interval.high, -interval.low, interval.error, interval.runs, interval.p_rise)
