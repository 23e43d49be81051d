"""`load`: where the runs are, and which reader is right for it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data.runs import FORMER, CellRun, Points
from trainables.runtime import redact_urls, sqlite_file, sqlite_uri
from trainables.store import open_store

if TYPE_CHECKING:
    import pandas as pd

    from trainables.store import Store

_SQLITE = "sqlite:///"


def load(
    workspace: str | Path,
    study: str | None = None,
    tracking_uri: str | None = None,
    columns: Mapping[str, str] | None = None,
    worse: str | None = None,
    store: Store | None = None,
    former: bool = False,
) -> pd.DataFrame:
    """The runs of a workspace, or of a table of someone else's, as one tidy frame: a row per cell and generation.

    Args:
        workspace: folder that holds `mlflow.db`, not looked at when `tracking_uri` is given; or a csv, tsv or parquet
            file, see `analysis.data.external.read`.
        study: only this study's cells, None for all.
        tracking_uri: any MLflow tracking URI. A sqlite one is read by SQL, all others through MLflow's client.
        columns: of a table, our column names -> the file's.
        store: where results are, if not in the workspace's own `store`. What a generation came to is read there; the
            tracker only says which cells there are, and stands in for what the store lacks.
        former: keep cells that a study had once and, as it was last run or reported, no longer has; they are left out
            with a warning otherwise.
        worse: of a table, whether a `higher` or a `lower` test_loss is for the worse; None withholds verdicts where
            that is doubtful, see `analysis.data.external.read`.

    Returns:
        Columns `analysis.data.frame.IDENTITY`, then metrics, then hyperparameters by dotted path. Empty (but with the
        identity columns) where no generation has been logged.

    Raises:
        ValueError: there is nothing to read, no such study, a run without a config, or a table of no use.
    """
    from analysis.data import external, frame
    from analysis.data.stored_points import from_store

    if tracking_uri is None and external.is_file(workspace):
        return external.read(workspace, columns, study, worse)
    uri = tracking_uri or sqlite_uri(Path(workspace).absolute() / "mlflow.db")
    runs, points = read_runs(uri, study)
    if study is not None and not runs:
        raise ValueError(f"study: no runs of {study!r} at {redact_urls(uri)}")
    runs = runs if former else _current(runs)
    found = _store_of(workspace, tracking_uri) if store is None else store
    return frame.tidy(runs, points if found is None else from_store(runs, points, found))


def read_runs(uri: str, study: str | None) -> tuple[list[CellRun], Points]:
    """Cells and metric points at a tracking URI, by whichever reader is right for it.

    Args:
        uri: any MLflow tracking URI.
        study: only this study's cells, None for all.

    Raises:
        ValueError: there is nothing to read.
    """
    from analysis.data import mlflow_client, mlflow_sqlite

    path = sqlite_file(uri) if uri.startswith(_SQLITE) else None
    if path is None:
        return mlflow_client.read(uri, study)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run a study in this workspace first, or name a tracking URI")
    return mlflow_sqlite.read(path, study, lambda run: mlflow_client.config_of(uri, run))


def _current(runs: list[CellRun]) -> list[CellRun]:
    """Without cells that studies no longer have, with a word."""
    lost = Counter(run.tags["study"] for run in runs if run.tags.get(FORMER))
    for study, count in lost.items():
        warnings.warn(
            f"{study}: {count} cells that the study no longer has are left out; load(..., former=True) keeps them",
            stacklevel=3,
        )
    return [run for run in runs if not run.tags.get(FORMER)]


def _store_of(workspace: str | Path, tracking_uri: str | None) -> Store | None:
    place = Path(workspace) / "store"
    return open_store(str(place)) if tracking_uri is None and place.is_dir() else None
