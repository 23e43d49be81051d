"""The picture a report opens with: held-out loss of all configurations against generation, as small multiples.

Up to `PANELS` configurations get a panel each, with a line per policy. Of more, each family and policy gets a panel,
with a line per configuration of its loss relative to generation 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.data import Metric, order
from analysis.report import panels, style
from analysis.report.charts import Panel
from analysis.report.context import Picture, ReportContext

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12
LINES = 120
"""Lines of a panel at most; of more configurations, evenly spaced ones by their last value."""
WIDTH = 9.5
_COLUMNS = 4


def picture_of(study: ReportContext) -> Picture | None:
    """The picture; nothing where no held-out loss is judged."""
    import pandas as pd

    parts = []
    for family, metric, table in study.curves:
        if metric.name == "test_loss":
            named = table["config"].map(study.titles)
            parts.append(table.assign(family=family, unit=_unit(metric), configuration=named))
    if not parts:
        return None
    found = pd.concat(parts, ignore_index=True)
    return _each(study, found) if found["config"].nunique() <= PANELS else _all(study, found)


def _unit(metric: Metric) -> str:
    return metric.unit or metric.label


def _each(study: ReportContext, found: pd.DataFrame) -> Picture:
    """A panel per configuration."""
    titles = {str(c): study.titles[c] for c in study.names.index if c in set(found["config"])}
    known = found.drop_duplicates("config").set_index("config")["unit"]
    units = [str(known[c]) for c in titles]
    columns = min(_COLUMNS, len(titles)) if len(titles) not in (5, 6, 9) else 3
    rows = math.ceil(len(titles) / columns)
    caption = (
        "Held-out loss of every configuration against generation, in the unit on its axis: mean over recursions and "
        f"its {study.thresholds.confidence:.0%} interval{', dashed where a closed form is known' * _theory(found)}."
    )

    def paint(figure: Figure) -> None:
        panels.paint(figure, found, titles, units, columns)

    families = found.drop_duplicates("config").set_index("config")["family"]
    names = {config: {"family": str(families[config])} for config in titles}
    chart = panels.chart(found, titles, units, names)
    return Picture("overview", caption, _data(found), paint, WIDTH, 0.45 + 1.65 * rows, chart)


def _theory(found: pd.DataFrame) -> bool:
    return bool(found["theory"].notna().any())


def _data(found: pd.DataFrame) -> pd.DataFrame:
    columns = ["configuration", "policy", "generation", "runs", "mean", "low", "high", "theory", "unit"]
    return found[[c for c in columns if c != "theory" or _theory(found)]]


def _all(study: ReportContext, found: pd.DataFrame) -> Picture:
    """A panel per family and policy."""
    families, policies = sorted(found["family"].unique()), order(found["policy"])
    columns = min(_COLUMNS, len(policies))
    rows = len(families) * math.ceil(len(policies) / columns)
    table = relative(found)
    caption = (
        "Held-out loss of every configuration against generation, relative to its generation 1: a thin line each, "
        "the median and the middle 80 % of configurations on top."
    )

    def paint(figure: Figure) -> None:
        _paint(figure, table, families, policies)

    chart = _chart(table, families, policies)
    return Picture("overview", caption, _data(found), paint, WIDTH, 0.45 + 1.75 * rows, chart)


def relative(found: pd.DataFrame) -> pd.DataFrame:
    """Change since generation 1 as a share of the first loss, column `change`; NaN where that is 0."""
    keys = ["config", "policy"]
    ranked = found.sort_values("generation", kind="stable")
    first = ranked.groupby(keys)["mean"].transform("first")
    return ranked.assign(change=(ranked["mean"] - first) / first.abs().where(first != 0))


def quantiles(own: pd.DataFrame) -> pd.DataFrame:
    """Median and the middle 80 % of configurations, by generation."""
    return own.groupby("generation")["change"].quantile(np.array([0.1, 0.5, 0.9])).unstack()


def _places(families: list[str], policies: list[str]) -> list[tuple[str, str]]:
    return [(family, policy) for family in families for policy in policies]


def _paint(figure: Figure, table: pd.DataFrame, families: list[str], policies: list[str]) -> None:
    columns = min(_COLUMNS, len(policies))
    each = math.ceil(len(policies) / columns)
    grid = figure.subplots(len(families) * each, columns, squeeze=False)
    looks = style.looks(policies)
    for axes in grid.flat:
        axes.set_visible(False)
    for family, policy in _places(families, policies):
        down, column = divmod(policies.index(policy), columns)
        axes = grid[families.index(family) * each + down, column]
        axes.set_visible(True)
        own = table[(table["family"] == family) & (table["policy"] == policy)]
        _lines(axes, own, looks[policy])
        axes.set_title(panels.wrap(f"{family} · {policy}", 30))
        axes.set_xlabel("generation")
        if column == 0:
            axes.set_ylabel("change of loss, share\nof the first loss")


def _shown(own: pd.DataFrame) -> list[str]:
    """Configurations that get a line: all, or `LINES` of them evenly spaced by their last value."""
    last = own.groupby("config", sort=False)["change"].last().fillna(0).sort_values(kind="stable").index
    if len(last) <= LINES:
        return list(last)
    return [last[i] for i in np.linspace(0, len(last) - 1, LINES).round().astype(int)]


def _lines(axes: Axes, own: pd.DataFrame, look: style.Look) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if own.empty or not np.isfinite(own["change"]).any():
        return
    parts = {config: part[["generation", "change"]].to_numpy() for config, part in own.groupby("config", sort=False)}
    middle, color = quantiles(own), look.color
    axes.add_collection(LineCollection([parts[c] for c in _shown(own)], colors=color, linewidths=0.5, alpha=0.35))
    axes.fill_between(middle.index, middle[0.1], middle[0.9], color=color, alpha=0.18, linewidth=0)
    every = max(1, len(middle) // 10)
    axes.plot(middle.index, middle[0.5], color=color, marker=look.marker, markevery=every)
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    axes.set_xlim(*panels.span(own))
    axes.autoscale_view(scalex=False)


def _chart(table: pd.DataFrame, families: list[str], policies: list[str]) -> list[Panel]:
    """The same as a chart; every thin line says which configuration it is."""
    shown = []
    for family, policy in _places(families, policies):
        own = table[(table["family"] == family) & (table["policy"] == policy)]
        if len(own) and np.isfinite(own["change"]).any():
            middle = quantiles(own).reset_index().rename(columns={"generation": "x", 0.1: "low", 0.5: "y", 0.9: "high"})
            each = own[own["config"].isin(_shown(own))].rename(
                columns={"configuration": "name", "generation": "x", "change": "y"}
            )
            title, names = f"{family} · {policy}", {"family": family, "policy": policy}
            unit = "change, share of the first loss"
            shown.append(Panel(title, middle.assign(policy=policy), "generation", unit, names, each, linear=True))
    return shown
