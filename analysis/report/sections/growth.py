"""Section: which growth law each policy's loss follows, and where it leads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.data import in_order, order
from analysis.report import style, tables
from analysis.report.context import Exhibit, Picture, Section, Study
from analysis.stats import FORMS, growth

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LAWS = tuple(dict.fromkeys(form.law for form in FORMS))


def build(study: Study) -> Section | None:
    """The table of laws, and how many configurations follow which; nothing below five generations."""
    import pandas as pd

    parts = []
    for family, metric, curves in study.judged:
        if metric.name == "test_loss":
            parts.append(growth.table(curves, study.seed, study.thresholds.confidence).assign(family=family))
    found = pd.concat(parts, ignore_index=True)
    if found.empty:
        return None
    found = in_order(found, study.names)
    found.insert(0, "family", found.pop("family"))
    text = [
        "Laws are fitted to the mean over seeds by weighted least squares and compared by AICc; one with more "
        f"parameters must win by {growth.PARSIMONY:g}, one with a free exponent also in {growth.AGREED:.0%} of "
        "bootstrap resamples of the seeds; a best exponent at an end of its grid is rejected. `support` is the share "
        "of resamples that name the same law; `foresight` the law that best predicts the last quarter of the "
        "generations from the others. `extrapolated` is the loss at twice the generations under the named law; its "
        "interval knows nothing of other laws.",
    ]
    exhibit = Exhibit("growth", "Growth laws with parameters, scores and extrapolation.", found, _shown(study, found))
    return Section("growth", "Growth laws", text, [_picture(found)], [exhibit])


def _shown(study: Study, found: pd.DataFrame) -> pd.DataFrame:
    shown = found[["policy", "law", "form"]].copy()
    shown.insert(0, "configuration", found["config"].map(study.titles))
    shown["c"] = found["c"].map(tables.number)
    shown["support"] = found["support"].map("{:.0%}".format)
    shown["foresight"] = found["foresight"]
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
    hatches = ("", "...", "//", "xx", "||")
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


_COLORS = (style.SERIES[7], style.SERIES[1], style.SERIES[4], style.SERIES[0], style.SERIES[5])
