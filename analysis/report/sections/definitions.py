"""Section: the eight definitions of collapse: matrix of policy and definition, and sensitivity to thresholds."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from analysis.definitions import MET, NOT_MET, UNDECIDED, definition_matrix, definitions, findings, sensitivity
from analysis.report import style, tables
from analysis.report.charts import Panel
from analysis.report.context import Exhibit, Picture, ReportContext, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from analysis.definitions import Definition

_CHIP = {MET: "bad", NOT_MET: "good", UNDECIDED: "open"}


def build(study: ReportContext) -> Section | None:
    """The matrix, every finding, and how shares move with thresholds."""
    found = findings(study.cases)
    if found.empty:
        return None
    counts = definition_matrix(found)
    text = [
        "Each definition in the literature is judged on the same trials. An entry counts configurations: in how many "
        "the definition is met, not met, undecided. “Met” needs an interval beyond the threshold, “not met” one on the "
        "safe side of it; the thresholds stand in the column heads.",
    ]
    exhibits = [
        Exhibit("definitions", "Counts by policy and definition.", counts, _shown(counts)),
        Exhibit("findings", "Every finding with its statistic and interval.", found, _findings(study, found)),
    ]
    moved = sensitivity(study.cases)
    pictures = [_picture(moved)] if not moved.empty else []
    return Section("definitions", "Eight definitions of collapse", text, pictures, exhibits, _matrix(counts))


def _shown(counts: pd.DataFrame) -> pd.DataFrame:
    """Policies in rows, definitions in columns."""
    table = counts.assign(
        entry=[_entry(*words) for words in counts[[MET, NOT_MET, UNDECIDED]].itertuples(index=False, name=None)],
        head=counts["number"].astype(str) + " " + counts["definition"].str.replace("_", " "),
    )
    wide = table.pivot(index=["family", "policy"], columns="head", values="entry")
    return wide.reset_index().rename_axis(columns=None)


def _entry(met: int, kept: int, open_: int) -> str:
    return f"met {met}, not met {kept}, undecided {open_}" if met + kept + open_ else "not supported"


def _matrix(counts: pd.DataFrame) -> str:
    """Markup of the matrix: one chip per word that occurs."""
    heads = "".join(
        f"<th scope=col>{d.number} {escape(d.title)}<small>{escape(d.meaning)}: {d.threshold:g}</small></th>"
        for d in definitions()
    )
    body = []
    for family, policy in counts[["family", "policy"]].drop_duplicates().itertuples(index=False, name=None):
        rows = counts[(counts["family"] == family) & (counts["policy"] == policy)].sort_values("number")
        words = rows[[MET, NOT_MET, UNDECIDED]].itertuples(index=False, name=None)
        cells = "".join(f"<td>{_chips(*counted)}</td>" for counted in words)
        body.append(f"<tr><th scope=row><b>{escape(family)}</b> {escape(policy)}</th>{cells}</tr>")
    return (
        '<div class="wide"><table class="verdicts small"><thead><tr><th scope=col>policy</th>'
        f"{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _chips(*counted: int) -> str:
    words = [(word, count) for word, count in zip((MET, NOT_MET, UNDECIDED), counted, strict=True) if count]
    if not words:
        return '<span class="note">not supported</span>'
    return " ".join(f'<span class="chip {_CHIP[word]}">{word} {count}</span>' for word, count in words)


def _findings(study: ReportContext, found: pd.DataFrame) -> pd.DataFrame:
    shown = found[["number", "definition", "policy"]].copy()
    shown.insert(2, "configuration", found["config"].map(study.titles))
    shown["word"] = found["word"]
    columns = found[["estimate", "low", "high"]].itertuples(index=False, name=None)
    shown["statistic"] = [tables.interval(*values) if values[0] == values[0] else "" for values in columns]
    shown["metric"] = found["metric"]
    shown["why"] = found["reason"]
    return shown[found["word"].ne("not supported")]


def _picture(moved: pd.DataFrame) -> Picture:
    caption = (
        "Share of configurations in which each definition is met, against its threshold; shaded: undecided on top. "
        "Dotted, or starred: the threshold in use."
    )
    held = [d for d in definitions() if (moved["number"] == d.number).any()]
    rows = -(-len(held) // 3)
    chart = [_panel(d, moved[moved["number"] == d.number]) for d in held]
    return Picture("sensitivity", caption, moved, lambda f: _paint(f, moved), 7.2, 0.7 + 2.0 * rows, chart)


def _panel(definition: Definition, own: pd.DataFrame) -> Panel:
    """One definition's shares; the threshold in use is starred."""
    named = {t: f"{t:g}{'*' * (t == definition.threshold)}" for t in definition.grid}
    shown = own.assign(x=own["threshold"].map(named), y=own["met"], low=own["met"], high=own["met"] + own["undecided"])
    return Panel(f"{definition.number} {definition.title}", shown, definition.meaning, "share met", linear=True)


def _paint(figure: Figure, moved: pd.DataFrame) -> None:
    held = [d for d in definitions() if (moved["number"] == d.number).any()]
    rows, columns = -(-len(held) // 3), min(3, len(held))
    grid = figure.subplots(rows, columns, squeeze=False)
    looks = style.looks(moved["policy"])
    for axes, definition in zip(grid.flat, held, strict=False):
        own = moved[moved["number"] == definition.number]
        place = {threshold: i for i, threshold in enumerate(definition.grid)}
        for policy, look in looks.items():
            line = own[own["policy"] == policy]
            x = line["threshold"].map(place)
            axes.plot(x, line["met"], color=look.color, marker=look.marker, label=policy)
            top = line["met"] + line["undecided"]
            axes.fill_between(x, line["met"], top, color=look.color, alpha=0.12, linewidth=0)
        axes.axvline(place[definition.threshold], color=style.MUTED, linestyle=":", linewidth=1)
        axes.set_xticks(range(len(place)), [f"{t:g}" for t in place], fontsize=7)
        axes.set_title(f"{definition.number} {definition.title}", fontsize=8)
        axes.set_xlabel(definition.meaning, fontsize=8)
        axes.set_ylim(-0.05, 1.05)
    for axes in list(grid.flat)[len(held) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("share met")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper left", ncols=min(4, len(names)))
