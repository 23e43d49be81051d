"""Section: what each policy's corpus was made of, generation by generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.data import compositions, order
from analysis.report import style
from analysis.report.context import Picture, ReportContext, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BANDS = 8
"""Synthetic batches that are told apart; older ones are drawn together."""


def build(study: ReportContext) -> Section | None:
    """One picture per family: stacked rows by origin."""
    found = compositions(study.frame, study.store)
    if found.empty:
        return None
    audited = bool(found["audited"].all())
    text = [
        "Rows of the corpus that each generation was fitted on, by where they came from"
        + (", as each record's own audit counts them" if audited else ", from the real fraction alone (no store given)")
        + "; one cell per policy. Green: real rows; darker to lighter blue: the latest synthetic batch to older ones."
    ]
    pictures = [_picture(str(family), own) for family, own in found.groupby("family", sort=True)]
    return Section("composition", "What the corpora held", text, pictures)


def _picture(family: str, own: pd.DataFrame) -> Picture:
    policies = own["policy"].nunique()
    caption = f"{family}: corpus rows by origin against generation, by policy."
    rows = -(-policies // 4)
    return Picture(f"composition-{family}", caption, own, lambda f: _paint(f, own), 7.2, 0.5 + 1.9 * rows)


def _paint(figure: Figure, own: pd.DataFrame) -> None:
    policies = order(own["policy"])
    columns = min(4, len(policies))
    grid = figure.subplots(-(-len(policies) // columns), columns, squeeze=False, sharex=True)
    for axes, policy in zip(grid.flat, policies, strict=False):
        _stack(axes, own[own["policy"] == policy])
        axes.set_title(policy, fontsize=8)
    for axes in list(grid.flat)[len(policies) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("corpus (rows)")
    for axes in grid[-1]:
        axes.set_xlabel("generation")


def _stack(axes: Axes, rows: pd.DataFrame) -> None:
    """Bars: real at the bottom, then fresh real, then synthetic batches by age, the latest on top."""
    from matplotlib.ticker import MaxNLocator

    generations = sorted(rows["generation"].unique())
    age = (rows["generation"] - 1 - rows["batch"]).where(rows["batch"] > 0)
    if not rows["audited"].all():
        age = age.where(age.isna(), 0)
    kind = age.clip(upper=_BANDS - 1).fillna(-1).astype(int).where(rows["batch"] >= 0, -2)
    bottom = dict.fromkeys(generations, 0.0)
    for band in (-1, -2, *range(_BANDS - 1, -1, -1)):
        counts = rows[kind == band].groupby("generation")["rows"].sum()
        if counts.sum() == 0:
            continue
        heights = [float(counts.get(n, 0.0)) for n in generations]
        color, alpha, hatch = _look(band)
        axes.bar(
            generations,
            heights,
            0.9,
            [bottom[n] for n in generations],
            color=color,
            alpha=alpha,
            hatch=hatch,
            linewidth=0,
        )
        bottom = {n: bottom[n] + h for n, h in zip(generations, heights, strict=True)}
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.grid(axis="x", visible=False)


def _look(band: int) -> tuple[str, float, str]:
    """Colour, opacity and hatch: real rows are hatched, so that they stand out without colour."""
    if band < 0:
        return style.SERIES[2], 0.9 if band == -1 else 0.5, "//" if band == -1 else ".."
    return style.SERIES[1], 0.9 * 0.72**band, ""
