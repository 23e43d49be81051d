"""The robustness table as markup: entries with chips, one row per configuration and metric."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

from analysis.data import NAMES, order, title
from analysis.report import tables
from analysis.verdicts import COLLAPSES, DIVERGED, LEVELS, RISES, SEPARATED, SLOW, STABLE

if TYPE_CHECKING:
    import pandas as pd

ROWS = 150
"""Rows shown of a family at most; the files hold all."""
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
    """Markup of the robustness table, one table per family."""
    return "".join(_table(own) for _, own in assessment.groupby("family", sort=False))


def _table(assessment: pd.DataFrame) -> str:
    """One family's."""
    policies = order(assessment["policy"])
    head = "".join(f"<th scope=col>{escape(p)}</th>" for p in policies)
    groups = [group for _, group in assessment.groupby(["config", "metric"], sort=False)]
    rows = "".join(_row(group, policies) for group in groups[:ROWS])
    more = len(groups) - ROWS
    note = f"<p class=note>{more} more rows are in robustness.csv.</p>" if more > 0 else ""
    return (
        '<div class="wide"><table class="verdicts"><thead><tr><th scope=col>configuration</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>{note}"
    )


def _row(group: pd.DataFrame, policies: list[str]) -> str:
    first = group.iloc[0]
    rest = title(first[[n for n in NAMES if n != "family"]].reindex(NAMES).fillna(""))
    unit = f"{first['metric']}, {first['unit']}"
    name = f"<b>{escape(str(first['family']))}</b> {escape(rest)}<small>{escape(unit)}</small>"
    held = {row.policy: row for row in group.itertuples()}
    cells = "".join(f"<td>{_entry(held[p]) if p in held else ''}</td>" for p in policies)
    return f"<tr><th scope=row>{name}</th>{cells}</tr>"


def _entry(row: Any) -> str:
    word = f"{tables.SYMBOLS.get(row.verdict, '○')} {row.verdict}"
    chip = f'<span class="chip {_CHIP.get(row.verdict, "open")}">{word}</span>'
    growth = tables.interval(row.growth, row.growth_low, row.growth_high)
    parts = [f"last/first {tables.number(row.ratio)}"] if math.isfinite(row.ratio) else []
    parts.append(f"{row.runs} {'replicates' if row.basis.startswith('replicates') else 'seeds'}" if row.runs else "")
    if math.isfinite(row.theory_growth):
        z = f" (z {row.theory_z:+.1f})" if math.isfinite(row.theory_z) else ""
        parts.append(f"theory {tables.number(row.theory_growth)}{z}")
    if row.failed or row.short:
        parts.append(f"{max(row.failed, row.short)} ended early")
    detail = " · ".join(p for p in parts if p)
    return f"{chip}<span class=num>{escape(growth)}</span><small>{escape(detail)}<br>{escape(row.reason)}</small>"
