"""`build`: a study's tables, plots and its one-page report, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import require_direction
from analysis.report import opening, sections, style, tables
from analysis.report.context import Picture, ReportContext, Section
from analysis.report.page import html
from analysis.verdicts import Thresholds

if TYPE_CHECKING:
    import pandas as pd

    from trainables.store import Store

OPEN = ("verdicts",)
"""Parts of every report that are not folded, after the answers and their picture."""


def build_report(
    frame: pd.DataFrame,
    out_dir: str | Path,
    title: str,
    *,
    store: Store | None = None,
    command: str = "",
    thresholds: Thresholds | None = None,
    extra: Sequence[Section] = (),
    description: str = "",
    made: date | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Path]:
    """Write everything that can be said of a frame.

    Args:
        frame: as `analysis.load` gives it.
        out_dir: folder, made where missing; files of the same names are replaced.
        title: heading of the report.
        store: where the study's records are; without it replicates, samples and corpora are left out.
        command: what makes this report again; printed beside every plot.
        thresholds: of verdicts.
        extra: sections on what only the caller knows, shown after the robustness table.
        description: what is asked, in a line.
        made: the day that the report names; today by default.
        notes: what a reader must know of the frame, a line each; they stand in the head.

    Returns:
        Paths by file name; `report.html` opens offline, tables come as csv, parquet, md and tex, plots as svg and png.

    Raises:
        ValueError: the frame holds no generation, or is somebody's table of which nobody said, and it is doubtful,
            which way is for the worse.
    """
    if frame.empty:
        raise ValueError("frame: no generation has been logged yet")
    require_direction(frame)
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    study = ReportContext(
        frame,
        title,
        thresholds or Thresholds(),
        store,
        command,
        description=description,
        made=made or date.today(),
        notes=tuple(notes),
    )
    parts = _parts(study, extra)
    paths: dict[str, Path] = {}
    drawn: dict[str, str] = {}
    for section in parts:
        for exhibit in section.exhibits:
            paths |= tables.write(exhibit.table, folder, exhibit.name, exhibit.shown, exhibit.column)
        for picture in section.pictures:
            paths |= draw(picture, folder)
            drawn[picture.name] = paths[f"{picture.name}.svg"].read_text(encoding="utf-8")
    paths["report.html"] = folder / "report.html"
    paths["report.html"].write_text(_page(study, parts, drawn), encoding="utf-8")
    return paths


def _parts(study: ReportContext, extra: Sequence[Section]) -> list[Section]:
    """Every section in the page's order: the picture, the table, the caller's, the folded rest."""
    picture = opening.picture_of(study)
    first = [Section("overview", "At a glance", (), [picture], folded=False)] if picture else []
    rest = list(sections.build(study))
    shown = [replace(section, folded=False) for section in rest if section.name in OPEN]
    own = [replace(section, folded=False) for section in extra]
    return [*first, *shown, *own, *(section for section in rest if section.name not in OPEN)]


def _page(study: ReportContext, parts: Sequence[Section], drawn: dict[str, str]) -> str:
    return html.page(
        study.title,
        opening.facts_of(study),
        parts,
        drawn,
        study.command,
        opening.answers_of(study),
        html.choices_of(study.assessment),
    )


def draw(picture: Picture, folder: Path) -> dict[str, Path]:
    """A picture as svg and png, and its data as csv."""
    with style.figure(picture.name, picture.width, picture.height) as figure:
        picture.paint(figure)
        paths = style.save(figure, folder, picture.name)
    data = folder / f"{picture.name}.csv"
    picture.data.to_csv(data, index=False)
    return paths | {data.name: data}
