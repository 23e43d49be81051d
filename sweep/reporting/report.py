"""From finished cells to a report. Runs are read from the tracking server, or from the store, which has them all,
where the server does not.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import analysis
from search_spaces import Study
from sweep.scheduling import Board, read_records
from sweep.tracking import frame_of
from sweep.workspace import NO_TRACKING, Workspace
from trainables.runtime import write_whole
from trainables.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report import Section


def tracked(study: Study, board: Board, workspace: Workspace) -> pd.DataFrame | None:
    """The study's generations as the tracking server has them; None where it lacks one, or can't be read."""
    if workspace.mlflow_uri == NO_TRACKING:
        return None
    try:
        frame = analysis.load(workspace.root, study=study.name, tracking_uri=workspace.mlflow_uri, former=True)
    except (ValueError, sqlite3.Error):
        return None
    shown = frame.groupby("cell")["generation"].max()
    if any(shown.get(job.key, 0) < job.done for job in board.jobs.values()):
        return None
    return _of_this_study(frame, board)


def stored(study: Study, board: Board, store: Store) -> pd.DataFrame:
    """The study's generations as the store has them; the same frame."""
    jobs = list(board.jobs.values())
    for job in jobs:
        read_records(job, store)
    return _of_this_study(frame_of(study.name, jobs), board)


def write_report(
    frame: pd.DataFrame,
    folder: Path,
    title: str,
    store: Store,
    command: str,
    reuse: bool = False,
    extra: Sequence[Section] = (),
    description: str = "",
) -> tuple[pd.DataFrame, bool]:
    """Write the report into the folder; the robustness table, every figure of it, and whether anything was written.

    Args:
        frame: what it is about.
        folder: where.
        title: its heading.
        store: for replicates, samples and corpora.
        command: what makes it again.
        reuse: leave a report alone that was made of equal figures by the same code.
        extra: sections of its own, shown after the robustness table.
        description: what is asked, in a line.

    Raises:
        ValueError: the frame is empty.
    """
    import pandas as pd

    stamp, mark = (
        _stamp(frame, title, command, description, *_words(extra)),
        folder.with_name(f".{folder.name}.made-of"),
    )
    table = folder / "robustness.parquet"
    files = [mark, table, folder / "report.html"]
    fresh = reuse and all(file.is_file() for file in files) and mark.read_text(encoding="utf-8") == stamp
    if not fresh:
        from analysis.report import build_report

        mark.unlink(missing_ok=True)
        with replacing(folder) as place:
            build_report(frame, place, title, store=store, command=command, extra=extra, description=description)
        write_whole(mark, stamp)
    return (pd.read_parquet(table) if table.is_file() else pd.DataFrame()), not fresh


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new folder whose files take the place of those in `folder` when the block has written them all.

    Raises:
        OSError: there is no room, or it is read only; `folder` is as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as fresh:
        yield Path(fresh)
        for path in sorted(Path(fresh).iterdir()):
            os.replace(path, folder / path.name)


def _words(sections: Sequence[Section]) -> list[str]:
    """Everything that sections say."""
    return [str(part) for s in sections for part in (*s.text, *(exhibit.table.to_csv() for exhibit in s.exhibits))]


def _stamp(frame: pd.DataFrame, *words: str) -> str:
    """What a report depends on: the figures and the code that draws them."""
    digest = hashlib.sha256(frame.to_csv(index=False).encode())
    code = (
        path for path in Path(analysis.__file__).parent.rglob("*") if path.suffix in (".py", ".html", ".css", ".js")
    )
    for path in sorted(code):
        digest.update(path.read_bytes())
    digest.update("\0".join(words).encode())
    return digest.hexdigest()


def assess(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The robustness table alone."""
    from analysis.report import ReportContext

    return ReportContext(frame, "", store=store).assessment


def _of_this_study(frame: pd.DataFrame, board: Board) -> pd.DataFrame:
    """Without cells and generations that other versions of the study ran."""
    asked = {key: len(job.stages) for key, job in board.jobs.items()}
    return frame[frame["generation"] <= frame["cell"].map(asked).fillna(0)].reset_index(drop=True)
