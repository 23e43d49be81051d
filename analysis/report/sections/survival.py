"""Section: time to collapse, by definitions 1 and 2, with censoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.report import style, tables
from analysis.report.charts import Panel
from analysis.report.context import Exhibit, Picture, ReportContext, Section
from analysis.stats import survival

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def build(study: ReportContext) -> Section | None:
    """Kaplan–Meier curves and medians, of each family that has an event."""
    import pandas as pd

    curves, medians = [], []
    for family, metric, held in study.recursions:
        if metric.name != "test_loss" or held.generations.max() < 3:
            continue
        for event in survival.EVENTS:
            times = survival.times(held, event)
            named = {"family": family, "event": event}
            curves.append(survival.kaplan_meier(times, study.thresholds.confidence).assign(**named))
            medians.append(survival.medians(times).assign(**named, p_logrank=survival.compare(times)))
    if not curves:
        return None
    found, middle = pd.concat(curves, ignore_index=True), pd.concat(medians, ignore_index=True)
    text = [
        "Kaplan–Meier estimates over all recursions of a family. Events: "
        + "; ".join(f"{name.replace('_', ' ')}: {said}" for name, said in survival.EVENTS.items())
        + ". A recursion that diverged has collapsed by then; of recursions side by side in a cell that failed, one "
        "has. Others that end without the event are censored at their last generation, never dropped; where "
        "a scheduler stopped bad ones early, the curve is optimistic, and the median has a bound beside it: as if each "
        "stopped one had collapsed in its next generation.",
    ]
    exhibit = Exhibit(
        "survival", "Median generations to collapse; log-rank test between policies.", middle, _shown(middle)
    )
    pictures = [_picture(str(family), own) for family, own in found.groupby("family", sort=True)]
    return Section("survival", "Time to collapse", text, pictures, [exhibit])


def _shown(middle: pd.DataFrame) -> pd.DataFrame:
    shown = middle[["family", "event", "policy", "recursions", "collapsed", "censored", "ended_early"]].copy()
    shown["median"] = middle["median"].map(lambda v: "not reached" if v == float("inf") else tables.number(v))
    if middle["stopped"].any():
        shown["of these stopped"] = middle["stopped"]
        shown["median, bound"] = middle["median_low"].map(
            lambda v: "not reached" if v == float("inf") else tables.number(v)
        )
    shown["p (log-rank)"] = middle["p_logrank"].map(tables.probability)
    return shown.rename(columns={"ended_early": "of these ended early"})


def _picture(family: str, own: pd.DataFrame) -> Picture:
    caption = f"{family}: share of recursions that have not collapsed, against generation, with intervals."
    return Picture(f"survival-{family}", caption, own, lambda f: _paint(f, own), 7.2, 2.8, _chart(family, own))


def _chart(family: str, own: pd.DataFrame) -> list[Panel]:
    shown = own.rename(columns={"generation": "x", "surviving": "y"})
    names, unit = {"family": family}, "share not collapsed"
    return [
        Panel(str(event).replace("_", " "), part, "generation", unit, names, step=True, linear=True)
        for event, part in shown.groupby("event", sort=False)
    ]


def _paint(figure: Figure, own: pd.DataFrame) -> None:
    looks = style.looks(own["policy"])
    row = figure.subplots(1, own["event"].nunique(), squeeze=False, sharey=True)[0]
    for axes, event in zip(row, survival.EVENTS, strict=False):
        for policy, look in looks.items():
            line = own[(own["policy"] == policy) & (own["event"] == event)]
            n = line["generation"]
            axes.step(n, line["surviving"], where="post", color=look.color, label=policy)
            axes.plot(n, line["surviving"], linestyle="", color=look.color, marker=look.marker, markersize=3)
            axes.fill_between(n, line["low"], line["high"], step="post", color=look.color, alpha=0.15, linewidth=0)
        axes.set_title(event.replace("_", " "), fontsize=8)
        axes.set_xlabel("generation")
        axes.set_xlim(0, own["generation"].max())
        axes.set_ylim(-0.05, 1.05)
    row[0].set_ylabel("share not collapsed")
    handles, names = row[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(4, len(names)))
