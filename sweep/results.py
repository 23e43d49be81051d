"""From finished cells to a report. Runs are read from the tracking server, or from the store, which has them all,
where the server does not.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces import Study
from sweep.board import Board
from sweep.engine import NO_TRACKING
from sweep.schema import identity_tags, metrics_of, state_tags
from sweep.stored import read_records
from sweep.workspace import Workspace
from trainables.store import Store

if TYPE_CHECKING:
    import pandas as pd


def tracked(study: Study, board: Board, workspace: Workspace) -> pd.DataFrame | None:
    """The study's generations as the tracking server has them; None where it lacks one, or can't be read."""
    import analysis

    if workspace.tracking_uri == NO_TRACKING:
        return None
    try:
        frame = analysis.load(workspace.root, study=study.name, tracking_uri=workspace.tracking_uri)
    except (ValueError, sqlite3.Error):
        return None
    shown = frame.groupby("cell")["generation"].max()
    if any(shown.get(job.key, 0) < job.done for job in board.jobs.values()):
        return None
    return _of_this_study(frame, board)


def stored(study: Study, board: Board, store: Store) -> pd.DataFrame:
    """The study's generations as the store has them; the same frame."""
    from analysis.frame import tidy
    from analysis.runs import CellRun, Points

    runs, points = [], Points()
    for job in board.jobs.values():
        tags = identity_tags(study.name, job) | state_tags(job)
        runs.append(CellRun(job.key, tags, tags["config"]))
        for record in read_records(job, store):
            for name, value in metrics_of(record).items():
                points.add(job.key, name, record.generation, value)
    return _of_this_study(tidy(runs, points), board)


def write_report(frame: pd.DataFrame, folder: Path, title: str, store: Store, command: str) -> pd.DataFrame:
    """Write the report into the folder; the robustness table, every figure of it.

    Raises:
        ValueError: the frame is empty.
    """
    import pandas as pd

    from analysis.report import build

    paths = build(frame, folder, title, store=store, command=command)
    return pd.read_parquet(paths["robustness.parquet"]) if "robustness.parquet" in paths else pd.DataFrame()


def assess(frame: pd.DataFrame, store: Store) -> pd.DataFrame:
    """The robustness table alone."""
    from analysis.study import Study as Studied

    return Studied(frame, "", store=store).assessment


def _of_this_study(frame: pd.DataFrame, board: Board) -> pd.DataFrame:
    """Without cells and generations that other versions of the study ran."""
    asked = {key: len(job.stages) for key, job in board.jobs.items()}
    return frame[frame["generation"] <= frame["cell"].map(asked).fillna(0)].reset_index(drop=True)
