"""The robustness table as markup: entries with chips, one row per configuration and metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.data import NAMES, metrics, order, title
from analysis.report import tables
from analysis.report.page.html import templates
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE

if TYPE_CHECKING:
    import pandas as pd

ROWS = 150
"""Rows shown of a family at most; the files hold all."""
WIDEST = 6
"""Policies that stand side by side on a wide screen; entries of more flow over several lines."""
_CHIP = {
    DIVERGED: "bad",
    SEPARATED: "bad",
    COLLAPSES: "bad",
    RISES: "warn",
    SLOW: "warn",
    LEVELS: "good",
    STABLE: "good",
}


def verdict_table(assessment: pd.DataFrame) -> str:
    """Markup of the robustness table, one table per set of policies that families share."""
    policies = assessment.groupby("family")["policy"].agg(lambda p: "\0".join(order(p)))
    group = assessment["family"].map(policies)
    shown = templates().get_template("parts.html").module
    return "".join(str(shown.verdicts(_table(own))) for _, own in assessment.groupby(group, sort=False))  # type: ignore[attr-defined]


def _table(assessment: pd.DataFrame) -> dict[str, Any]:
    """What the template needs of one table."""
    policies = order(assessment["policy"])
    rows, more = [], 0
    for _, own in assessment.groupby("family", sort=False):
        groups = [group for _, group in own.groupby(["config", "metric"], sort=False)]
        rows += [_row(group, policies) for group in groups[:ROWS]]
        more += max(0, len(groups) - ROWS)
    fit = len(policies) if len(policies) <= WIDEST else "many"
    return {"policies": policies, "rows": rows, "more": more, "fit": fit}


def _row(group: pd.DataFrame, policies: list[str]) -> dict[str, Any]:
    first = group.iloc[0]
    held = {row.policy: row for row in group.itertuples()}
    return {
        "family": str(first["family"]),
        "metric": str(first["metric"]),
        "rest": title(first[[n for n in NAMES if n != "family"]].reindex(NAMES).fillna("")),
        "unit": f"{metrics.describe(str(first['metric']), str(first['family'])).label}, {first['unit']}",
        "entries": [_entry(held[p]) if p in held else {"policy": p, "growth": ""} for p in policies],
    }


def _entry(row: Any) -> dict[str, Any]:
    growth, _, interval = tables.interval(row.growth, row.growth_low, row.growth_high).partition(" ")
    return {
        "policy": row.policy,
        "chip": _CHIP.get(row.verdict, "open"),
        "word": f"{tables.SYMBOLS.get(row.verdict, '○')} {row.verdict}",
        "growth": growth or "–",
        "value": f"{row.growth:.6g}",
        "range": interval,
        "detail": _detail(row),
        "reason": row.reason,
    }


def _detail(row: Any) -> str:
    parts = [f"last/first {tables.number(row.ratio)}"] if math.isfinite(row.ratio) else []
    if row.runs:
        parts.append(f"{row.runs:,} {'replicates' if row.basis.startswith('replicates') else 'seeds'}")
    if math.isfinite(row.theory_growth):
        z = f" (z {row.theory_z:+.1f})" if math.isfinite(row.theory_z) else ""
        parts.append(f"theory {tables.number(row.theory_growth)}{z}")
    if row.failed or row.short:
        parts.append(f"{max(row.failed, row.short)} ended early")
    return " · ".join(parts)
