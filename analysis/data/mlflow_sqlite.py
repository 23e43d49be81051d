"""Reads cells from an MLflow sqlite database by plain read-only SQL: two queries, whatever the number of runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from analysis.data.runs import CellRun, Points, cell_runs, restore

_TAGS = """
SELECT t.run_uuid, t.key, t.value FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid
WHERE r.lifecycle_stage = 'active' ORDER BY r.start_time, r.run_uuid
"""
_METRICS = """
SELECT m.run_uuid, m.key, m.step, m.value, m.is_nan FROM metrics m
JOIN tags c ON c.run_uuid = m.run_uuid AND c.key = 'cell'
JOIN tags s ON s.run_uuid = m.run_uuid AND s.key = 'study'
WHERE ? IS NULL OR s.value = ? ORDER BY m.timestamp
"""


def read(path: Path, study: str | None, config_of: Callable[[str], str | None]) -> tuple[list[CellRun], Points]:
    """Cells and metric points of a database that another process may be writing.

    Args:
        path: the database file.
        study: only this study's cells, None for all.
        config_of: finds the config of a run whose tag lacks it.

    Raises:
        ValueError: the file is not an MLflow database.
    """
    try:
        where = f"file:{quote(str(path.resolve()))}?mode=ro"
        with closing(sqlite3.connect(where, uri=True, timeout=30)) as database:
            rows = database.execute(_TAGS).fetchall()
            values = database.execute(_METRICS, (study, study)).fetchall()
    except sqlite3.DatabaseError as problem:
        raise ValueError(f"{path}: not a readable MLflow database ({problem})") from problem
    tags: dict[str, dict[str, str]] = {}
    for run, key, value in rows:
        tags.setdefault(run, {})[key] = value
    cells = cell_runs(tags, study)
    runs = [CellRun(run, found, found.get("config") or config_of(run) or "") for run, found in cells.items()]
    points = Points()
    for run, name, step, value, is_nan in values:
        if run in cells:
            points.add(run, name, step, restore(value, is_nan))
    return runs, points
