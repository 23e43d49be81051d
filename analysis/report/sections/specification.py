"""Section: the specification curve: every configuration sorted by effect, its choices underneath.

After Simonsohn, Simmons & Nelson 2020, "Specification curve analysis" (Nature Human Behaviour 4).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import NAMES, order, told_apart
from analysis.report import style
from analysis.report.context import Picture, ReportContext, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST = 3
"""Configurations below which there is nothing to sort."""
_VALUES = 6
"""Values of a hyperparameter beyond which it is shown in bands."""


def build(study: ReportContext) -> Section | None:
    """One picture per family: growth under each policy, sorted by the first policy's."""
    loss = study.assessment[study.assessment["metric"] == "test_loss"]
    pictures = []
    for family, own in loss.groupby("family", sort=True):
        if own["config"].nunique() >= LEAST:
            pictures.append(_picture(study, str(family), own))
    if not pictures:
        return None
    text = [
        "Every configuration of a family, sorted by its growth under the first policy named; below, the choices that "
        "make it. An effect that depends on a choice shows as a mark that leans to one side."
    ]
    return Section("specification", "Specification curve", text, pictures)


def choices(study: ReportContext, family: str, ranked: list[str]) -> pd.DataFrame:
    """Choices that vary, as text, one column each, one row per configuration in the order given."""
    runs = study.frame[study.frame["family"] == family].drop_duplicates("config").set_index("config").loc[ranked]
    columns = ["architecture", "size", *(c for c in runs.columns if c == "rows" or c.startswith("family."))]
    chosen = {}
    for column in columns:
        values = runs[column]
        if values.nunique(dropna=False) > 1:
            chosen[column.removeprefix("family.")] = _banded(values)
    import pandas as pd

    table = pd.DataFrame(chosen, index=runs.index)
    return table.loc[:, ~table.apply(lambda c: tuple(pd.factorize(c)[0])).T.duplicated()]


def _banded(values: pd.Series[Any]) -> pd.Series[str]:
    """Few values as they are, many numbers as quarters."""
    import pandas as pd

    if values.nunique() <= _VALUES or not pd.api.types.is_numeric_dtype(values):
        return told_apart(values)
    edges = np.unique(np.quantile(values.astype(float), np.linspace(0, 1, 5)))
    names = [f"{low:.2g} to {high:.2g}" for low, high in pairwise(edges)]
    place = np.clip(np.searchsorted(edges, values.astype(float).to_numpy(), side="left") - 1, 0, len(names) - 1)
    return pd.Series([names[i] for i in place], index=values.index)


def _picture(study: ReportContext, family: str, own: pd.DataFrame) -> Picture:
    policies = order(own["policy"])
    own = own.assign(growth_relative=own["growth_relative"].mask(own["diverged"] > 0))  # seen before, of no growth
    by = own[own["policy"] == policies[0]].set_index("config")["growth_relative"]
    ranked = [str(c) for c in by.sort_values(kind="stable").index]
    table = choices(study, family, ranked)
    scale = own["growth_relative"] / own["growth"].where(own["growth"] != 0)
    data = own.assign(
        low=own["growth_low"] * scale,
        high=own["growth_high"] * scale,
        rank=own["config"].map({c: i for i, c in enumerate(ranked)}),
    )
    data = data[data["rank"].notna()][["rank", *NAMES, "policy", "growth_relative", "low", "high", "verdict", "config"]]
    rows = sum(table[c].nunique() for c in table.columns)
    caption = (
        f"{family}: growth per generation as a share of the first loss, "
        f"configurations sorted by growth under {policies[0]}; what diverged has none, and comes last."
    )
    height = 2.6 + 0.17 * rows + 0.12 * table.shape[1]
    return Picture(f"specification-{family}", caption, data, lambda f: _paint(f, data, table), 7.2, height)


def _paint(figure: Figure, data: pd.DataFrame, table: pd.DataFrame) -> None:
    from matplotlib.ticker import MaxNLocator

    rows = sum(table[c].nunique() for c in table.columns)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 0.15 + 0.17 * rows])
    looks = style.looks(data["policy"])
    for policy, look in looks.items():
        line = data[data["policy"] == policy].sort_values("rank")
        top.plot(
            line["rank"] + 1,
            line["growth_relative"],
            color=look.color,
            marker=look.marker,
            linestyle="",
            markersize=3,
            label=policy,
        )
        top.vlines(line["rank"] + 1, line["low"], line["high"], color=look.color, linewidth=0.8, alpha=0.6)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    top.axhline(0, color=style.MUTED, linewidth=0.8)
    top.set_ylabel("growth per generation\n(share of first loss)")
    _choices(bottom, table)
    figure.legend(loc="outside upper left", ncols=min(4, len(looks)))


def _choices(axes: Axes, table: pd.DataFrame) -> None:
    """One line of marks per value."""
    labels: list[str] = []
    for name in table.columns:
        for value in sorted(table[name].unique(), key=_numeric):
            where = np.flatnonzero(table[name] == value) + 1
            axes.plot(where, np.full(len(where), len(labels)), color=style.INK, marker="|", markersize=5, linestyle="")
            labels.append(f"{name} = {value}" if value else f"{name} –")
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("configuration (rank)")
    axes.grid(axis="x", visible=False)


def _numeric(value: str) -> tuple[float, str]:
    try:
        return float(value.split(" to ")[0]), value
    except ValueError:
        return np.inf, value
