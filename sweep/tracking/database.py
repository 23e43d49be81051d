"""The workspace's own MLflow database: whether it can be used, and where it says that files are."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sweep.errors import TrackingError
from sweep.tracking.base import KEPT
from sweep.workspace import Workspace
from trainables.runtime import write_whole

PATIENCE = 10.0
"""Seconds that another process may hold the database before it counts as locked."""

_RUN = re.compile(r"[0-9a-f]{32}")
_TABLES = {"experiments", "runs", "tags", "params", "metrics", "alembic_version"}


def ready(workspace: Workspace, warn: Callable[[str], None]) -> None:
    """Make the workspace's database one that can be written: a broken one is set aside, and runs of a workspace that
    was moved say again that their files are here.

    Raises:
        TrackingError: another process holds it, or it can't be written.
        UsageError: it, or its files, are links out of the workspace.
    """
    file, artifacts = workspace.database, workspace.artifacts
    try:
        damage = damaged(file)
        if damage:
            aside = set_aside(file)
            warn(f"{file}: {damage}; it is now {aside.name}, and a new one is begun; {KEPT}")
        elif file.exists():
            _settle(file, artifacts.as_uri())
    except (OSError, sqlite3.Error) as problem:
        raise TrackingError(f"{file}: {problem}", KEPT) from None


def damaged(file: Path) -> str:
    """What is wrong with a database, so that it can never be read; empty where nothing is, or there is none.

    Raises:
        sqlite3.OperationalError: another process holds it.
    """
    if not file.exists() or not file.stat().st_size:
        return ""
    try:
        with closing(sqlite3.connect(file, timeout=PATIENCE)) as database:
            said = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
            tables = _tables(database)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as problem:
        return f"is damaged ({problem})"
    if said != "ok":
        return f"is damaged ({' '.join(said.split())})"
    return "is no database of MLflow's" if tables and not tables >= _TABLES else ""


def _tables(database: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def set_aside(file: Path) -> Path:
    """Give a broken database, and what SQLite keeps beside it, other names; the database's."""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    aside = file.with_name(f"{file.name}.broken-{stamp}")
    for end in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            file.with_name(file.name + end).rename(aside.with_name(aside.name + end))
    return aside


def _settle(file: Path, artifacts: str) -> None:
    """Have every run say that its files are in this workspace, wherever it was made, and whatever it said."""
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as database, database:
        if not _tables(database) >= _TABLES:
            return
        stray = "SELECT 1 FROM experiments WHERE artifact_location != ?1 UNION ALL "
        stray += "SELECT 1 FROM runs WHERE artifact_uri != ?1 || '/' || run_uuid || '/artifacts' LIMIT 1"
        if database.execute(stray, (artifacts,)).fetchone() is None:
            return
        database.execute("UPDATE experiments SET artifact_location = ?", (artifacts,))
        database.execute("UPDATE runs SET artifact_uri = ? || '/' || run_uuid || '/artifacts'", (artifacts,))


def keep(artifacts: Path, run: str, name: str, folder: Path) -> None:
    """Copy a folder to where MLflow looks for a run's files, and nowhere else.

    Args:
        artifacts: the workspace's folder of them.
        run: its identifier, which a stranger may have written.
        name: of the folder there.
        folder: what is copied.

    Raises:
        TrackingError: the identifier is none of MLflow's, or a link leads elsewhere.
    """
    if not _RUN.fullmatch(run):
        raise TrackingError(f"{artifacts.parent / 'mlflow.db'}: {run!r} is no run of MLflow's; its files are not shown")
    target = artifacts / run / "artifacts" / name
    for path in sorted(folder.rglob("*")):
        place = target / path.relative_to(folder)
        if not place.parent.resolve().is_relative_to(artifacts.resolve()):
            raise TrackingError(f"{place.parent}: leads out of the workspace; remove the link")
        if path.is_file():
            write_whole(place, path.read_bytes())
