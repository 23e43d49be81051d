"""Small multiples of curves: one panel per configuration, one line per policy; as pictures and as charts."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.report import charts, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3


def paint(figure: Figure, table: pd.DataFrame, titles: Mapping[str, str], units: Sequence[str], columns: int) -> None:
    """Draw the panels.

    Args:
        figure: an empty one.
        table: columns config, policy, generation, mean, low, high, theory.
        titles: of the panels, by config, in order.
        units: what each panel's ordinate says; one that equals its left neighbour's is left out.
        columns: panels side by side.
    """
    rows = math.ceil(len(titles) / columns)
    grid = figure.subplots(rows, columns, squeeze=False)
    looks = style.looks(table["policy"])
    for place, (config, title) in enumerate(titles.items()):
        axes = grid.flat[place]
        panel(axes, table[table["config"] == config], looks)
        axes.set_title(wrap(title, 34 if columns < 4 else 27))
        if place % columns == 0 or units[place] != units[place - 1]:
            axes.set_ylabel(wrap(units[place], 26))
        if place + columns >= len(titles):
            axes.set_xlabel("generation")
    for axes in list(grid.flat)[len(titles) :]:
        axes.set_visible(False)
    legend(figure, grid.flat, looks)


def panel(axes: Axes, table: pd.DataFrame, looks: Mapping[str, style.Look]) -> None:
    """One configuration's lines with their bands; closed forms dashed."""
    from matplotlib.ticker import MaxNLocator

    for policy, look in looks.items():
        own = table[table["policy"] == policy]
        if own.empty:
            continue
        n = own["generation"].to_numpy()
        every = max(1, len(n) // 10)
        axes.plot(n, own["mean"], color=look.color, marker=look.marker, markevery=every, label=policy)
        axes.fill_between(n, own["low"], own["high"], color=look.color, alpha=0.18, linewidth=0)
        if own["theory"].notna().any():
            dashed = (0, (4, 3))
            axes.plot(n, own["theory"], color=look.color, linestyle=dashed, linewidth=1.0)
    axes.set_xlim(*span(table))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    means: Any = table["mean"].to_numpy()
    if means.min() > 0 and means.max() > charts.LOGARITHMIC * means.min():
        style.logarithmic(axes)


def chart(
    table: pd.DataFrame, titles: Mapping[str, str], units: Sequence[str], names: Mapping[str, Mapping[str, str]]
) -> list[charts.Panel]:
    """The same panels as a chart.

    Args:
        table: as for `paint`.
        titles: as for `paint`.
        units: of each panel, whole.
        names: family and metric of each panel, by config.
    """
    shown = table.rename(columns={"generation": "x", "mean": "y"})
    return [
        charts.Panel(title, shown[shown["config"] == config], "generation", unit, names.get(config, {}))
        for (config, title), unit in zip(titles.items(), units, strict=True)
    ]


def span(table: pd.DataFrame) -> tuple[float, float]:
    """Limits of the abscissa: all generations, and a little room."""
    first, last = float(table["generation"].min()), float(table["generation"].max())
    room = 0.04 * (last - first) or 0.5
    return first - room, last + room


def legend(figure: Figure, panels: Any, looks: Mapping[str, style.Look]) -> None:
    """One legend over all panels, policies in their order."""
    handles = {h.get_label(): h for axes in panels for h in axes.get_lines() if not h.get_label().startswith("_")}
    ordered = [p for p in looks if p in handles]
    columns = min(4 if figure.get_figwidth() < 8 else 6, len(ordered))
    figure.legend([handles[p] for p in ordered], ordered, loc="outside upper left", ncols=columns)


def side_by_side(panels: int) -> int:
    """Panels in a row; four look better in two rows of two than in three and one."""
    return 2 if panels == 4 else min(_COLUMNS, panels)


def wrap(title: str, width: int = 34) -> str:
    """The title on at most two lines."""
    return "\n".join(textwrap.wrap(title, width, max_lines=2, placeholder=" …"))
