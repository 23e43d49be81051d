"""Section: scaling laws per policy and generation, where a study has a ladder of sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.report import style, tables
from analysis.report.context import Exhibit, Picture, ReportContext, Section
from analysis.stats import size_ladders

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


_LEAST = 0.5
"""Share of generations with an accepted fit below which a ladder is not shown."""


def build(study: ReportContext) -> Section | None:
    """α and E against generation; nothing without four sizes that differ in nothing else."""
    import pandas as pd

    parts = [
        size_ladders.laws(curves, family, study.seed, study.thresholds.confidence)
        for family, metric, curves in study.judged
        if metric.name == "test_loss"
    ]
    found = pd.concat([p for p in parts if not p.empty] or [pd.DataFrame()], ignore_index=True)
    if found.empty:
        return None
    fitted = found.groupby("ladder")["alpha"].transform(lambda a: a.notna().mean()) >= _LEAST
    rejected = found[~fitted].drop_duplicates("ladder")
    found = found[fitted]
    text = [
        "L(N) = E + A·N^−α over model sizes, by policy and generation, with studentised bootstrap intervals over "
        "cells. A best exponent at an end of its grid is rejected and left empty. The verdict is definition 5's: the "
        "law changes if exponent or floor has moved from generation 1 with an interval that excludes 0 (two tests, "
        f"Bonferroni); it does not if both lie within {size_ladders.TOLERANCE:.0%}.",
    ]
    if len(rejected):
        text.append(f"No law of this form fits {len(rejected)} ladders: {', '.join(_whose(rejected))}.")
    if found.empty:
        return Section("scaling", "Scaling laws", text)
    pictures = [_picture(str(family), rows) for family, rows in found.groupby("family", sort=True)]
    exhibit = Exhibit("scaling", "Exponents, floors and their changes.", found, _shown(found))
    return Section("scaling", "Scaling laws", text, pictures, [exhibit])


def _whose(rejected: pd.DataFrame) -> list[str]:
    names = rejected[["family", "architecture", "policy"]].drop_duplicates().itertuples(index=False, name=None)
    return [" ".join(str(part) for part in name if part) for name in names]


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    names = list(found.columns[1 : list(found.columns).index("configs")])
    shown = found[[*names, "generation", "sizes", "cells"]].copy()
    for name, label in (("alpha", "α"), ("floor", "E"), ("alpha_change", "α change"), ("floor_change", "E change")):
        columns = found[[name, f"{name}_low", f"{name}_high"]].itertuples(index=False, name=None)
        shown[label] = [tables.interval(*values) if values[0] == values[0] else "rejected" for values in columns]
    shown["definition 5"] = found["verdict"]
    first = found["generation"] == found.groupby("ladder")["generation"].transform("min")
    shown.loc[first, ["α change", "E change"]] = ""
    return shown[[c for c in shown.columns if shown[c].astype(str).str.len().gt(0).any()]]


def _picture(family: str, rows: pd.DataFrame) -> Picture:
    caption = f"{family}: exponent α and floor E of the scaling law against generation, with intervals."
    return Picture(f"scaling-{family}", caption, rows, lambda f: _paint(f, rows), 7.2, 3.2)


def _paint(figure: Figure, rows: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    pair = figure.subplots(1, 2)
    looks = style.looks(rows["policy"])
    for axes, name, label in zip(pair, ("alpha", "floor"), ("exponent α", "floor E (loss)"), strict=True):
        for _, own in rows.groupby("ladder", sort=True):
            look = looks[own["policy"].iloc[0]]
            n = own["generation"]
            axes.plot(n, own[name], color=look.color, marker=look.marker, label=own["policy"].iloc[0])
            axes.fill_between(n, own[f"{name}_low"], own[f"{name}_high"], color=look.color, alpha=0.18, linewidth=0)
        axes.set_xlabel("generation")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles = dict(zip(*reversed(pair[0].get_legend_handles_labels()), strict=True))
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=min(4, len(handles)))
