"""Paired differences between policies: the same configuration, seed and (where known) replicate under both."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.data import NAMES, configurations, in_order, judged
from analysis.stats import Curves, Interval, curves_of, holm, known_to_diverge, last, slope, t_interval
from analysis.verdicts.robustness import Replicates
from analysis.verdicts.rules import Thresholds

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def differences(
    frame: pd.DataFrame, thresholds: Thresholds | None = None, replicates: Replicates | None = None
) -> pd.DataFrame:
    """One row per configuration, metric and pair of policies: first policy minus second.

    Both policies start from the same generation 1 (shared by lineage), so differences are taken within a seed, over
    the generations that both reached.

    Returns:
        Columns: `config`, family, architecture, size, hyperparameters, metric, policy, other; pairs; diverged,
        other_diverged (pairs in which the policy, the other one, did); growth, growth_low, growth_high (difference of
        slopes per generation); last, last_low, last_high (difference at the last common generation); p (two-sided, of
        growth), p_holm. Where a recursion diverged the mean has no growth: it and its p are NaN there.
    """
    import pandas as pd

    limits = thresholds or Thresholds()
    names = configurations(frame)
    rows = []
    for family, part in frame.groupby("family", sort=True):
        for metric in judged(str(family), frame):
            held = {cell: found[metric.name] for cell, found in (replicates or {}).items() if metric.name in found}
            whole = curves_of(part, metric.name, held)
            for config, places in whole.runs.groupby("config", sort=True).indices.items():
                described = {"config": config, **names.loc[str(config), list(NAMES)], "metric": metric.name}
                rows += [described | row for row in _pairs(whole.select(np.asarray(places)), limits)]
    return in_order(_adjust(pd.DataFrame(rows)), names) if rows else pd.DataFrame()


def _pairs(group: Curves, limits: Thresholds) -> list[dict[str, Any]]:
    keys = list(zip(group.runs["seed"], group.runs["replicate"], strict=True))
    found: dict[str, Mapping[Any, int]] = {
        str(policy): {keys[i]: i for i in places} for policy, places in group.runs.groupby("policy").indices.items()
    }
    rows = []
    for policy, other in combinations(sorted(found), 2):
        shared = [k for k in found[policy] if k in found[other]]
        if shared:
            left, right = (np.array([found[one][k] for k in shared]) for one in (policy, other))
            row = _difference(group.values[left] - group.values[right], group.generations, limits)
            rows.append({"policy": policy, "other": other} | _of_finite(row, group, left, right))
    return rows


def _of_finite(row: dict[str, Any], group: Curves, left: Places, right: Places) -> dict[str, Any]:
    """The row with how many recursions of either side diverged; without growth where any did."""
    gone = known_to_diverge(group.runs)
    counts = {"diverged": int(gone[left].sum()), "other_diverged": int(gone[right].sum())}
    lost = dict.fromkeys(("growth", "growth_low", "growth_high", "p"), np.nan) if any(counts.values()) else {}
    return {"pairs": row["pairs"]} | counts | row | lost


def _difference(values: Array, generations: npt.NDArray[np.int64], limits: Thresholds) -> dict[str, Any]:
    """Of difference curves, [pairs, generations]: NaN where either policy has no value."""
    values = values[np.isfinite(values).sum(axis=1) > 0]
    growth = t_interval(slope(values, generations), limits.confidence)
    end = t_interval(last(values), limits.confidence)
    return {
        "pairs": len(values),
        "growth": growth.estimate,
        "growth_low": growth.low,
        "growth_high": growth.high,
        "last": end.estimate,
        "last_low": end.low,
        "last_high": end.high,
        "p": _two_sided(growth),
    }


def _two_sided(growth: Interval) -> float:
    """p-value of no difference; 1 where all pairs are equal, as of policies that come to the same corpora."""
    if growth.estimate == growth.error == 0:
        return 1.0
    return 2 * min(growth.p_rise, 1 - growth.p_rise) if np.isfinite(growth.p_rise) else np.nan


def _adjust(table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(p_holm=np.nan)
    for _, rows in table.groupby("metric"):
        known = rows.index[rows["p"].notna()]
        if len(known):
            table.loc[known, "p_holm"] = holm(rows.loc[known, "p"].to_numpy())
    return table
