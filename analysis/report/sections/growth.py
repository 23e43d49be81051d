"""Section: which growth law each policy's loss follows, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.data import in_order, order
from analysis.report import style, tables
from analysis.report.context import Exhibit, Picture, ReportContext, Section
from analysis.stats import LAWS, growth

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def build(study: ReportContext) -> Section | None:
    """The table of laws, and how many configurations follow which; nothing below five generations."""
    import pandas as pd

    parts = []
    for family, metric, curves in study.judged:
        if metric.name == "test_loss":
            parts.append(growth.table(curves, study.thresholds.confidence).assign(family=family))
    found = pd.concat(parts, ignore_index=True)
    if found.empty:
        return None
    found = in_order(found, study.names)
    found.insert(0, "family", found.pop("family"))
    text = [
        "`class` is what is left when laws are excluded: every bounded law, every diverging one, or neither (open). "
        "Bounded laws are approaches with a time constant of at most half the run (or that of 5 % real data), n^−p "
        "with p ≥ ½, Σ1/i² and lines that end by 75 % of the run; diverging ones ln n, Σ1/i, n^p, lines, exponentials "
        "and lines that start late. `law` is the one that describes the curve best for its number of parameters, "
        "`support` the likelihood's weight on its name. `extrapolated` is the loss at twice the generations over every "
        "law that is not excluded: where the class is open, it is wide. Configurations in which a recursion diverged "
        "are left out.",
    ]
    exhibit = Exhibit("growth", "Growth laws with parameters, scores and extrapolation.", found, _shown(study, found))
    return Section("growth", "Growth laws", text, [_picture(found)], [exhibit])


def _shown(study: ReportContext, found: pd.DataFrame) -> pd.DataFrame:
    shown = found[["policy", "kind", "law", "form"]].rename(columns={"kind": "class"})
    shown.insert(0, "configuration", found["config"].map(study.titles))
    shown["support"] = found["support"].map("{:.0%}".format)
    shown["excluded"] = found["excluded"]
    columns = found[["extrapolated", "extrapolated_low", "extrapolated_high"]].itertuples(index=False, name=None)
    shown["extrapolated"] = [
        f"{tables.interval(value, low, high, sign='-')} at {horizon}"
        for (value, low, high), horizon in zip(columns, found["horizon"], strict=True)
    ]
    return shown


def _picture(found: pd.DataFrame) -> Picture:
    counts = found.groupby(["family", "policy"])["law"].value_counts().rename("configurations").reset_index()
    bars = counts.drop_duplicates(["family", "policy"])
    caption = "Configurations by the growth law that their held-out loss follows."
    return Picture("laws", caption, counts, lambda f: _paint(f, counts), 7.2, 1.2 + 0.32 * len(bars))


def _paint(figure: Figure, counts: pd.DataFrame) -> None:
    axes = figure.subplots()
    wide = counts.pivot(index=["family", "policy"], columns="law", values="configurations").fillna(0)
    rank = {policy: i for i, policy in enumerate(order(counts["policy"]))}
    wide = wide.sort_index(level=["family", "policy"], key=lambda c: c.map(rank) if c.name == "policy" else c)
    names = [f"{family} · {policy}" for family, policy in wide.index]
    start = wide.iloc[:, 0] * 0.0
    hatches = ("", "...", "--", "//", "xx", "||", "++", "oo")
    for law, color, hatch in zip(LAWS, _COLORS, hatches, strict=True):
        if law in wide:
            axes.barh(
                names, wide[law], left=start, color=color, hatch=hatch, edgecolor="#ffffff", linewidth=0, label=law
            )
            start = start + wide[law]
    axes.invert_yaxis()
    axes.set_xlabel("configurations")
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper left", ncols=5)


_COLORS = tuple(style.SERIES[i] for i in (7, 1, 6, 4, 0, 5, 3, 2))
