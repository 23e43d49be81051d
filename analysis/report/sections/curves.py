"""Section: each judged metric against generation, one panel per configuration, one line per policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.data import Metric
from analysis.report import panels
from analysis.report.context import Picture, ReportContext, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PANELS = 12


def build(study: ReportContext) -> Section | None:
    """One picture per family and metric."""
    pictures = [_picture(study, *item) for item in study.curves]
    if not pictures:
        return None
    text = [
        "Lines are means over independent recursions, bands their "
        f"{study.thresholds.confidence:.0%} intervals; dashed lines are closed forms where one is known. "
        "Generation 1 is fitted on real data only and is shared by all policies."
    ]
    return Section("curves", "Held-out loss against generation", text, pictures)


def _picture(study: ReportContext, family: str, metric: Metric, table: pd.DataFrame) -> Picture:
    chosen = _chosen(study, family, metric)
    titles = study.titles
    rows = math.ceil(len(chosen) / panels.side_by_side(len(chosen)))
    caption = f"{family}: {metric.axis} against generation."
    total = int((study.names["family"] == family).sum())
    if total > len(chosen):
        caption += f" {len(chosen)} of {total} configurations, evenly spaced over the range of their effects"
        caption += " (the data file has all)."

    shown, titled = table[table["config"].isin(chosen)], {c: titles[c] for c in chosen}
    units = [metric.axis if rows == 1 else metric.label] * len(chosen)

    def paint(figure: Figure) -> None:
        panels.paint(figure, shown, titled, units, panels.side_by_side(len(chosen)))

    named = table.assign(configuration=table["config"].map(titles))
    order = ["configuration", "policy", "generation", "runs", "mean", "low", "high", "theory"]
    order = [c for c in order if c != "theory" or named["theory"].notna().any()]
    name = f"curves-{family}" + ("" if metric.name == "test_loss" else f"-{metric.name}")
    width = 7.2 if len(chosen) > 1 else 5.2
    height = 0.6 + 2.3 * rows if len(chosen) > 1 else 3.4
    held = {config: {"family": family, "metric": metric.name} for config in chosen}
    chart = panels.chart(shown, titled, [metric.axis] * len(chosen), held)
    return Picture(name, caption, named[order], paint, width, height, chart)


def _chosen(study: ReportContext, family: str, metric: Metric) -> list[str]:
    """Configurations to show: all, or `PANELS` of them evenly spaced by their largest growth under any policy."""
    own = study.names.index[study.names["family"] == family]
    if len(own) <= PANELS:
        return [str(c) for c in own]
    rows = study.assessment[study.assessment["metric"] == metric.name]
    effect = (rows["growth_relative"] * metric.worse).groupby(rows["config"]).max().reindex(own)
    ranked = effect.sort_values(kind="stable").index
    return [str(ranked[i]) for i in np.linspace(0, len(ranked) - 1, PANELS).round().astype(int)]
