"""Section: differences between policies, paired by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.data import NAMES
from analysis.report import tables
from analysis.report.context import Exhibit, ReportContext, Section

if TYPE_CHECKING:
    import pandas as pd


def build(study: ReportContext) -> Section | None:
    """The table of paired differences; nothing where no two policies share a seed."""
    found = study.differences
    if found.empty:
        return None
    text = [
        "First policy minus second, within a seed: both start from the very same generation 1, so what seeds have in "
        "common cancels. `growth` is the difference of slopes per generation, `last` the difference at the last "
        "generation that both reached. Where a recursion diverged, the mean has no growth, and nothing is tested."
    ]
    exhibit = Exhibit("paired", "Paired differences with intervals and Holm-adjusted p-values.", found, shown(found))
    return Section("pairs", "Paired differences", text, (), [exhibit])


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The table for people."""
    table = found[[*NAMES, "metric"]].copy()
    table["pair"] = found["policy"] + " − " + found["other"]
    table["pairs"] = found["pairs"]
    for name in ("growth", "last"):
        columns = found[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False, name=None)
        table[name] = [tables.interval(*values) for values in columns]
    sides = (("policy", "diverged"), ("other", "other_diverged"))
    table["diverged"] = [
        ", ".join(f"{row[count]} of {row[policy]}" for policy, count in sides if row[count])
        for row in found.to_dict("records")
    ]
    table["p (Holm)"] = found["p_holm"].map(tables.probability)
    return table[[c for c in table.columns if table[c].astype(str).str.len().gt(0).any()]]
