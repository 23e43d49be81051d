"""Section: each judged metric against generation, one panel per configuration, one line per policy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import Metric
from analysis.report import style
from analysis.report.context import Picture, Section, Study
from analysis.stats import Curves, by_policy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12
_COLUMNS = 3


def build(study: Study) -> Section | None:
    """One picture per family and metric."""
    pictures = [_picture(study, *item) for item in study.judged]
    if not pictures:
        return None
    text = [
        "Lines are means over independent recursions, bands their "
        f"{study.thresholds.confidence:.0%} intervals; dashed lines are closed forms where one is known. "
        "Generation 1 is fitted on real data only and is shared by all policies."
    ]
    return Section("curves", "Held-out loss against generation", text, pictures)


def summary(curves: Curves, confidence: float) -> pd.DataFrame:
    """Mean, interval and theory per configuration, policy and generation.

    The interval is Student's over recursions; of cells known by mean and standard error only, it is the normal one
    of their pooled standard error.
    """
    import pandas as pd
    from scipy import stats

    parts = []
    for (config, policy), group in by_policy(curves):
        held = np.isfinite(group.values)
        count = held.sum(axis=0)
        keep = count > 0
        own = pd.DataFrame({"config": config, "policy": policy, "generation": curves.generations, "runs": count})[keep]
        values, errors, theory = group.values[:, keep], group.errors[:, keep], group.theory[:, keep]
        n = count[keep]
        mean = np.nansum(values, axis=0) / n
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.sqrt(np.nansum((values - mean) ** 2, axis=0) / (n - 1) / n)
            half = spread * stats.t.ppf((1 + confidence) / 2, np.maximum(n - 1, 1))
            pooled = np.sqrt((errors**2).sum(axis=0)) / n * stats.norm.ppf((1 + confidence) / 2)
            half = np.where(np.isfinite(pooled), pooled, half)
            known = np.isfinite(theory).sum(axis=0)
            closed = np.where(known > 0, np.nansum(theory, axis=0) / known, np.nan)
        parts.append(own.assign(mean=mean, low=mean - half, high=mean + half, theory=closed))
    table: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return table


def _picture(study: Study, family: str, metric: Metric, curves: Curves) -> Picture:
    table = summary(curves, study.thresholds.confidence)
    chosen = _chosen(study, family, metric)
    titles = study.titles
    rows = math.ceil(len(chosen) / _columns(len(chosen)))
    caption = f"{family}: {metric.axis} against generation."
    total = int((study.names["family"] == family).sum())
    if total > len(chosen):
        caption += f" {len(chosen)} of {total} configurations, evenly spaced over the range of their effects"
        caption += " (the data file has all)."

    def paint(figure: Figure) -> None:
        _paint(figure, table[table["config"].isin(chosen)], {c: titles[c] for c in chosen}, metric)

    named = table.assign(configuration=table["config"].map(titles))
    order = ["configuration", "policy", "generation", "runs", "mean", "low", "high", "theory"]
    order = [c for c in order if c != "theory" or named["theory"].notna().any()]
    name = f"curves-{family}" + ("" if metric.name == "test_loss" else f"-{metric.name}")
    width = 7.2 if len(chosen) > 1 else 5.2
    return Picture(name, caption, named[order], paint, width, 0.6 + 2.3 * rows if len(chosen) > 1 else 3.4)


def _chosen(study: Study, family: str, metric: Metric) -> list[str]:
    """Configurations to show: all, or `PANELS` of them evenly spaced by their largest growth under any policy."""
    own = study.names.index[study.names["family"] == family]
    if len(own) <= PANELS:
        return [str(c) for c in own]
    rows = study.assessment[study.assessment["metric"] == metric.name]
    effect = (rows["growth_relative"] * metric.worse).groupby(rows["config"]).max().reindex(own)
    ranked = effect.sort_values(kind="stable").index
    return [str(ranked[i]) for i in np.linspace(0, len(ranked) - 1, PANELS).round().astype(int)]


def _paint(figure: Figure, table: pd.DataFrame, titles: dict[str, str], metric: Metric) -> None:
    columns = _columns(len(titles))
    rows = math.ceil(len(titles) / columns)
    grid = figure.subplots(rows, columns, squeeze=False)
    looks = style.looks(table["policy"])
    for axes, (config, title) in zip(grid.flat, titles.items(), strict=False):
        _panel(axes, table[table["config"] == config], looks)
        axes.set_title(_wrap(title), fontsize=8)
    for axes in list(grid.flat)[len(titles) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(metric.axis if rows == 1 else metric.label)
    for column in range(columns):
        bottom = max(r for r in range(rows) if r * columns + column < len(titles))
        grid[bottom, column].set_xlabel("generation")
    handles = {h.get_label(): h for axes in grid.flat for h in axes.get_lines() if not h.get_label().startswith("_")}
    ordered = [p for p in looks if p in handles]
    figure.legend([handles[p] for p in ordered], ordered, loc="outside upper left", ncols=min(4, len(ordered)))


def _columns(panels: int) -> int:
    """Panels side by side; four look better in two rows of two than in three and one."""
    return 2 if panels == 4 else min(_COLUMNS, panels)


def _panel(axes: Axes, table: pd.DataFrame, looks: dict[str, style.Look]) -> None:
    from matplotlib.ticker import MaxNLocator

    for policy in (p for p in looks if (table["policy"] == p).any()):
        own, look = table[table["policy"] == policy], looks[policy]
        n = own["generation"].to_numpy()
        every = max(1, len(n) // 10)
        axes.plot(n, own["mean"], color=look.color, marker=look.marker, markevery=every, label=policy)
        axes.fill_between(n, own["low"], own["high"], color=look.color, alpha=0.18, linewidth=0)
        axes.plot(n, own["theory"], color=look.color, linestyle=(0, (4, 3)), linewidth=1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    means: Any = table["mean"].to_numpy()
    if means.min() > 0 and means.max() > 50 * means.min():
        style.logarithmic(axes)


def _wrap(title: str, width: int = 34) -> str:
    """The title on at most two lines."""
    import textwrap

    return "\n".join(textwrap.wrap(title, width, max_lines=2, placeholder=" …"))
