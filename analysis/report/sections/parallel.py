"""Section: parallel coordinates of a search: each configuration a line through its hyperparameters to its growth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import order, told_apart
from analysis.report import style, tables
from analysis.report.context import Picture, ReportContext, Section
from analysis.stats import importance

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORDS = 6
"""Values of a hyperparameter that are all named on its axis."""
_MOST: dict[str, Any] = {"colors": style.SERIES[0], "alpha": 0.8, "linewidths": 1.2}
_LEAST: dict[str, Any] = {"colors": style.SERIES[1], "alpha": 0.8, "linewidths": 1.2, "linestyles": (0, (4, 2))}
_ABOVE = 0.12
"""How far above the largest number infinite ones lie, in shares of the numbers' range."""
_REST: dict[str, Any] = {"colors": style.SERIES[7], "alpha": 0.25, "linewidths": 0.8}


def build(study: ReportContext) -> Section | None:
    """One picture per family and policy whose configurations are many and differ in two hyperparameters or more."""
    pictures = []
    loss = study.loss
    if loss.empty:
        return None
    rank = {policy: i for i, policy in enumerate(order(loss["policy"]))}
    loss = loss.sort_values("policy", key=lambda c: c.map(rank), kind="stable")
    loss = loss.assign(growth_relative=loss["growth_relative"].mask(loss["diverged"] > 0, np.inf))
    for (family, policy), own in loss.groupby(["family", "policy"], sort=False):
        held = own[own["growth_relative"].notna()]
        columns = _columns(study, str(family))
        if len(held) >= importance.CONFIGURATIONS and _spread(held["growth_relative"]) and columns.shape[1] >= 2:
            pictures.append(_picture(study, str(family), str(policy), held, columns))
    if not pictures:
        return None
    text = [
        "Each line is a configuration. The quarter that grows most is drawn strongly, the quarter that grows least "
        "dashed, the rest faintly: where lines of a kind meet on an axis, that hyperparameter matters. Configurations "
        "in which a recursion diverged end above all others."
    ]
    return Section("parallel", "Parallel coordinates of the search", text, pictures)


def _spread(growth: pd.Series[float]) -> bool:
    """Whether there is a range of numbers."""
    return bool(growth[np.isfinite(growth)].nunique() > 1)


def _columns(study: ReportContext, family: str) -> pd.DataFrame:
    """Hyperparameters that vary, as they are, by configuration."""
    runs = study.frame[study.frame["family"] == family].drop_duplicates("config").set_index("config")
    kept = [str(c) for c in importance.features(runs).columns]
    return runs[kept].rename(columns=lambda c: str(c).removeprefix("family."))


def _picture(study: ReportContext, family: str, policy: str, own: pd.DataFrame, columns: pd.DataFrame) -> Picture:
    data = columns.reindex(own["config"]).reset_index(drop=True).assign(growth=own["growth_relative"].to_numpy())
    caption = f"{family}, {policy}: hyperparameters and growth per generation (share of the first loss)."
    named = data.assign(configuration=own["config"].map(study.titles).to_numpy())
    width = min(9.5, max(5.2, 1.5 * data.shape[1]))
    return Picture(f"parallel-{family}-{policy}", caption, named, lambda f: _paint(f, data), width, 3.2)


def _paint(figure: Figure, data: pd.DataFrame) -> None:
    from matplotlib.collections import LineCollection

    axes = figure.subplots()
    heights = np.stack([_heights(axes, place, data[name]) for place, name in enumerate(data.columns)], axis=1)
    share = data["growth"].rank(pct=True, method="max").to_numpy()  # all that diverged are among the most
    for low, high, look in ((0.25, 0.75, _REST), (0.0, 0.25, _LEAST), (0.75, 1.0, _MOST)):
        lines = [list(enumerate(line)) for line in heights[(share > low) & (share <= high)]]
        axes.add_collection(LineCollection(lines, **look))
    axes.set_xticks(range(data.shape[1]), [str(c) for c in data.columns])
    axes.set_yticks([])
    axes.set_ylim(-0.06, 1.06)
    axes.set_xlim(-0.1, data.shape[1] - 0.4)
    axes.spines["left"].set_visible(False)


def _heights(axes: Axes, place: int, values: pd.Series[Any]) -> Any:
    """Places of the values between 0 and 1 on one axis, whose ends, or its few values, are written beside it.

    Positive numbers that span more than a factor of 30 are laid out by their logarithm. Infinite ones, of recursions
    that diverged, lie above all others.
    """
    import pandas as pd

    if not pd.api.types.is_numeric_dtype(values):
        texts = told_apart(values)
        words = sorted(texts.unique())
        found = texts.map({word: i for i, word in enumerate(words)}).to_numpy(dtype=float)
        marks = [(float(i), word) for i, word in enumerate(words)]
        marks = marks if len(words) <= _WORDS else [marks[0], marks[-1]]
    else:
        numbers = values.to_numpy(dtype=float)
        finite = numbers[~np.isinf(numbers)]
        scale = np.log if finite.min() > 0 and finite.max() > 30 * finite.min() else np.asarray
        marks = [(float(scale(n)), tables.number(float(n))) for n in (np.nanmin(finite), np.nanmax(finite))]
        found = scale(numbers)
        if len(finite) < len(numbers):
            marks.append((marks[1][0] + _ABOVE * ((marks[1][0] - marks[0][0]) or 1.0), "diverged"))
            found = np.where(np.isinf(numbers), marks[2][0], found)
    low, high = np.nanmin(found), np.nanmax(found)
    room = (high - low) or 1.0
    for mark, text in marks:
        axes.text(place + 0.03, (mark - low) / room, text, fontsize=7, color=style.MUTED, va="center")
    return (found - low) / room
