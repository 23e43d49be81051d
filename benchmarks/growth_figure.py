"""Small multiples of the growth curves: a row for each cost, a column for what it grows with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analysis.report.style import INK, MARKERS, MUTED, SERIES, figure, logarithmic
from benchmarks.growth_series import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from benchmarks.growth import Curve

NAMES = {"seconds": "processor time", "memory": "peak memory", "disk": "disk"}


def draw(found: list[Curve], path: Path) -> None:
    """Each curve relative to its first point, beside lines of slope 1 and 2, on logarithmic axes."""
    axes = list(dict.fromkeys(curve.series.axis for curve in found))
    with figure("growth", 2.7 * len(axes), 7.6) as made:
        grid = made.subplots(len(QUANTITIES), len(axes), squeeze=False)
        for row, quantity in enumerate(QUANTITIES):
            for column, axis in enumerate(axes):
                here = [
                    c for c in found if c.series.axis == axis and c.quantity == quantity and c.visible and len(c.ys) > 2
                ]
                _panel(grid[row][column], here, first=row == 0, axis=axis)
            grid[row][0].set_ylabel(NAMES[quantity])
        note = "both axes: times the smallest; dashes and dots: slopes 1 and 2; in the legends: fitted exponents"
        made.supxlabel(note, color=MUTED, fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.savefig(path, dpi=110, facecolor="white")


def _panel(panel: Axes, here: list[Curve], *, first: bool, axis: str) -> None:
    if first:
        panel.set_title(axis)
    if not here:
        panel.text(
            0.5, 0.5, "none, or too little to see", color=MUTED, ha="center", va="center", transform=panel.transAxes
        )
        panel.set_xticks([])
        panel.set_yticks([])
        return
    panel.set_xscale("log")
    logarithmic(panel)
    panel.xaxis.set_major_formatter(panel.yaxis.get_major_formatter())
    panel.xaxis.set_minor_formatter(panel.yaxis.get_minor_formatter())
    for number, curve in enumerate(here):
        xs = [x / curve.series.xs[0] for x in curve.series.xs]
        ys = [y / curve.ys[0] for y in curve.ys]
        label = f"{curve.series.name.split(' (')[0]} {curve.exponent[0]:.2f}"
        style = {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)]}
        panel.plot(xs, ys, label=label, **style)
    _guides(panel, max(curve.series.xs[-1] / curve.series.xs[0] for curve in here))
    panel.legend(fontsize=6.5, handlelength=1.2, loc="upper left", borderaxespad=0.1, labelspacing=0.2)


def _guides(panel: Axes, span: float) -> None:
    """Lines of slope 1 and 2, and room for the legend above the curves."""
    low, high = panel.get_ylim()
    for power, dashes in ((1, (4, 2)), (2, (1, 2))):
        panel.plot([1, span], [1, span**power], color=INK, alpha=0.35, linewidth=0.9, dashes=dashes)
    low, high = min(low, 0.5), max(high, 10)
    panel.set_ylim(low, high * (high / low) ** 0.75)
