"""`build`: a study's tables, plots and its one-page report, into a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import STOPPED
from analysis.report import sections, style, tables
from analysis.report.context import Picture, Section, Study
from analysis.report.page import html
from analysis.verdicts import Thresholds

if TYPE_CHECKING:
    import pandas as pd

    from trainables.store import Store

LIMIT = 5_000_000
"""Bytes of report.html at most; beyond it plots become links to their files."""


def build_report(
    frame: pd.DataFrame,
    out_dir: str | Path,
    title: str,
    *,
    store: Store | None = None,
    command: str = "",
    thresholds: Thresholds | None = None,
    extra: Sequence[Section] = (),
) -> dict[str, Path]:
    """Write everything that can be said of a frame.

    Args:
        frame: as `analysis.load` gives it.
        out_dir: folder, made where missing; files of the same names are replaced.
        title: heading of the report.
        store: where the study's records are; without it replicates, samples and corpora are left out.
        command: what makes this report again; printed beside every plot.
        thresholds: of verdicts.
        extra: sections on what only the caller knows, shown first.

    Returns:
        Paths by file name; `report.html` opens offline, tables come as csv, parquet, md and tex, plots as svg and png.

    Raises:
        ValueError: the frame holds no generation.
    """
    if frame.empty:
        raise ValueError("frame: no generation has been logged yet")
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    study = Study(frame, title, thresholds or Thresholds(), store, command)
    parts = [*extra, *sections.build(study)]
    paths: dict[str, Path] = {}
    drawn: dict[str, str] = {}
    for section in parts:
        for exhibit in section.exhibits:
            paths |= tables.write(exhibit.table, folder, exhibit.name, exhibit.shown)
        for picture in section.pictures:
            paths |= draw(picture, folder)
            drawn[picture.name] = paths[f"{picture.name}.svg"].read_text(encoding="utf-8")
    paths["report.html"] = folder / "report.html"
    paths["report.html"].write_text(html.page(title, facts(study), parts, drawn, command), encoding="utf-8")
    return paths


def draw(picture: Picture, folder: Path) -> dict[str, Path]:
    """A picture as svg and png, and its data as csv."""
    with style.figure(picture.name, picture.width, picture.height) as figure:
        picture.paint(figure)
        paths = style.save(figure, folder, picture.name)
    data = folder / f"{picture.name}.csv"
    picture.data.to_csv(data, index=False)
    return paths | {data.name: data}


def facts(study: Study) -> list[str]:
    """Size of the study, in one line, and what ended early, in another."""
    frame = study.frame
    cells = frame.drop_duplicates("cell")
    said = [
        f"{len(cells)} cells, {len(frame)} generations, {frame['config'].nunique()} configurations, "
        f"{frame['policy'].nunique()} policies, {cells['seed'].nunique()} seeds."
    ]
    failed = int((cells["status"] == "failed").sum())
    if failed:
        said.append(f"{failed} cells failed; their earlier generations are included.")
    stopped = int((cells["status"] == STOPPED).sum())
    if stopped:
        said.append(
            f"A scheduler stopped {stopped} cells early; each policy of a configuration is judged over the generations "
            "that all its cells reached, and time to collapse counts them as censored."
        )
    return said
