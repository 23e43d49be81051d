"""Studies side by side: their verdicts in one table, differences at equal seeds, curves on one axis.

Configurations are taken for the same where each study's own report names them alike: what a study does not vary is no
part of the name, so that two runs of one question under another setting meet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import order
from analysis.report import style, tables
from analysis.report.build import draw
from analysis.report.charts import DASHES, Panel
from analysis.report.context import Exhibit, Picture, ReportContext, Section
from analysis.report.opening import Facts
from analysis.report.page import html
from analysis.stats import known_to_diverge, last, slope, t_interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KEYS = ["configuration", "metric", "policy"]
PANELS = 12


def compare_studies(
    studies: Sequence[ReportContext], out_dir: str | Path, settings: pd.DataFrame, command: str = ""
) -> dict[str, Path]:
    """Write what can be said of studies side by side.

    Args:
        studies: two or more, their titles all different; differences are taken from the first.
        out_dir: folder, made where missing; files of the same names are replaced.
        settings: what the studies say differently, a column per study; shown as it is.
        command: what makes the page again.

    Returns:
        Paths by file name; `compare.html` opens offline.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    drawn: dict[str, str] = {}
    sections = list(_sections(studies, settings))
    for section in sections:
        for exhibit in section.exhibits:
            paths |= tables.write(exhibit.table, folder, exhibit.name, exhibit.shown)
        for picture in section.pictures:
            paths |= draw(picture, folder)
            drawn[picture.name] = paths[f"{picture.name}.svg"].read_text(encoding="utf-8")
    title = " and ".join(study.title for study in studies)
    paths["compare.html"] = folder / "compare.html"
    policies = order(policy for study in studies for policy in study.assessment.get("policy", ()))
    choices = html.Choices(tuple(policies), studies=tuple(study.title for study in studies))
    page = html.page(title, Facts(), sections, drawn, command, choices=choices)
    paths["compare.html"].write_text(page, encoding="utf-8")
    return paths


def side_by_side(studies: Sequence[ReportContext]) -> pd.DataFrame:
    """One row per configuration, metric and policy; a column per study with growth, interval and verdict."""
    import pandas as pd

    columns = []
    for study in studies:
        found = study.assessment
        if not found.empty:
            named = found.assign(
                configuration=found["config"].map(study.titles), entry=[tables.entry(r) for r in found.itertuples()]
            )
            columns.append(named.drop_duplicates(KEYS).set_index(KEYS)["entry"].rename(study.title))
    if not columns:
        return pd.DataFrame(columns=[*KEYS, *(study.title for study in studies)])
    return pd.concat(columns, axis=1).reindex(columns=[study.title for study in studies]).fillna("").reset_index()


def paired_differences(studies: Sequence[ReportContext]) -> pd.DataFrame:
    """What each further study has more than the first, taken recursion by recursion at equal seeds.

    Returns:
        One row per study, configuration, metric and policy with seeds in common: pairs (recursions), diverged (of
        them, on either side), growth, growth_low, growth_high (difference of least-squares slopes per generation, over
        the generations that both reached; NaN where a recursion diverged), last, last_low, last_high (difference at the
        last of these). Intervals are Student's over pairs.
    """
    import pandas as pd

    base = _recursions(studies[0])
    rows = []
    for other in studies[1:]:
        for key, held in _recursions(other).items():
            shared = [run for run in held if run in base.get(key, {})]
            if shared:
                found = _difference([(held[run], base[key][run]) for run in shared], other.thresholds.confidence)
                rows.append({"study": other.title, **dict(zip(KEYS, key, strict=True)), **found})
    ends = [f"{name}{end}" for name in ("growth", "last") for end in ("", "_low", "_high")]
    columns = ["study", *KEYS, "pairs", "diverged", *ends]
    return pd.DataFrame(rows, columns=columns)


def _recursions(study: ReportContext) -> dict[tuple[str, str, str], dict[tuple[int, int], Any]]:
    """Curves, and whether they diverged, by configuration, metric and policy, then by seed and replicate."""
    found: dict[tuple[str, str, str], dict[tuple[int, int], Any]] = {}
    for _, metric, curves in study.judged:
        for place, (run, gone) in enumerate(zip(curves.runs.itertuples(), known_to_diverge(curves.runs), strict=True)):
            key = (study.titles[str(run.config)], metric.name, str(run.policy))
            held = curves.values[place], bool(gone)
            found.setdefault(key, {})[int(str(run.seed)), int(str(run.replicate))] = held
    return found


def _difference(pairs: Sequence[tuple[Any, Any]], confidence: float) -> dict[str, Any]:
    reach = min(len(curve) for pair in pairs for curve, _ in pair)
    values = np.stack([mine[:reach] - theirs[:reach] for (mine, _), (theirs, _) in pairs])
    gone = sum(any(diverged for _, diverged in pair) for pair in pairs)
    values = values[np.isfinite(values).any(axis=1)]
    if not len(values):
        return {"pairs": 0, "diverged": gone}
    slopes = slope(values, np.arange(reach))
    growth = t_interval(np.full_like(slopes, np.nan) if gone else slopes, confidence)
    end = t_interval(last(values), confidence)
    parts: Mapping[str, Any] = {"growth": growth, "last": end}
    named = {n: {n: p.estimate, f"{n}_low": p.low, f"{n}_high": p.high} for n, p in parts.items()}
    return {"pairs": len(values), "diverged": gone} | named["growth"] | named["last"]


def _sections(studies: Sequence[ReportContext], settings: pd.DataFrame) -> Iterator[Section]:
    if not settings.empty:
        caption = "Settings in which the studies differ, defaults written out."
        yield Section("settings", "Settings that differ", [], [], [Exhibit("settings", caption, settings, settings)])
    table = side_by_side(studies)
    caption = "Growth per generation with its interval, and the verdict, in each study."
    yield Section("verdicts", "Verdicts side by side", [], [], [Exhibit("side-by-side", caption, table, table)])
    found = paired_differences(studies)
    text = [f"What each study has more than {studies[0].title}, recursion by recursion at equal seeds."]
    if found.empty:
        text = ["No configuration has seeds in common: nothing can be paired."]
    exhibits = [] if found.empty else [Exhibit("differences", text[0], found, _shown(found))]
    yield Section("differences", "Paired differences", text, [], exhibits)
    yield Section("curves", "Curves", [], _pictures(studies))


def _shown(found: pd.DataFrame) -> pd.DataFrame:
    rows = found.to_dict("records")
    parts = {
        name: [tables.interval(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows]
        for name in ("growth", "last")
    }
    some = ["diverged"] if found["diverged"].any() else []
    return found[["study", *KEYS, "pairs", *some]].assign(**parts)


def _pictures(studies: Sequence[ReportContext]) -> list[Picture]:
    """One per metric, a panel per configuration: colours tell policies, dashes studies."""
    import pandas as pd

    measured: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for study in studies:
        for _, metric, found in study.curves:
            named = found.assign(configuration=found["config"].map(study.titles), study=study.title)
            measured.setdefault((metric.name, metric.axis), []).append(named.drop(columns="config"))
    titles = [study.title for study in studies]
    return [_picture(name, axis, pd.concat(parts), titles) for (name, axis), parts in measured.items()]


def _picture(name: str, axis: str, table: pd.DataFrame, studies: Sequence[str]) -> Picture:
    chosen = list(dict.fromkeys(table["configuration"]))[:PANELS]
    rows = math.ceil(len(chosen) / 2)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(rows, min(2, len(chosen)), squeeze=False)
        looks = style.looks(table["policy"])
        for axes, title in zip(grid.flat, chosen, strict=False):
            _panel(axes, table[table["configuration"] == title], looks, studies)
            axes.set_title(title, fontsize=8)
        for axes in list(grid.flat)[len(chosen) :]:
            axes.set_visible(False)
        grid[0, 0].set_ylabel(axis)
        handles = {line.get_label(): line for axes in grid.flat for line in axes.get_lines()}
        figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=2)

    caption = f"{axis} against generation in each study; bands are intervals of the mean."
    left = table["configuration"].nunique() - len(chosen)
    caption += f" {left} further configurations are in the data file." if left else ""
    shown = table.rename(columns={"generation": "x", "mean": "y"})
    chart = [Panel(title, shown[shown["configuration"] == title], "generation", axis) for title in chosen]
    return Picture(f"compare-{name}", caption, table, paint, 7.2, 1.0 + 2.4 * rows, chart)


def _panel(axes: Axes, table: pd.DataFrame, looks: Mapping[str, style.Look], studies: Sequence[str]) -> None:
    for policy, look in looks.items():
        for number, study in enumerate(studies):
            own = table[(table["policy"] == policy) & (table["study"] == study)]
            if len(own):
                n, dash = own["generation"].to_numpy(), (0, DASHES[number % len(DASHES)])
                axes.plot(n, own["mean"], color=look.color, linestyle=dash, label=f"{policy}, {study}")
                axes.fill_between(n, own["low"], own["high"], color=look.color, alpha=0.12, linewidth=0)
    axes.set_xlabel("generation")
