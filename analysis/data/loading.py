"""`load`: where the runs are, and which reader is right for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.runtime import redact_urls, sqlite_file, sqlite_uri

if TYPE_CHECKING:
    import pandas as pd

    from trainables.store import Store

_SQLITE = "sqlite:///"


def load(
    workspace: str | Path,
    study: str | None = None,
    tracking_uri: str | None = None,
    columns: Mapping[str, str] | None = None,
    worse: str = "higher",
    store: Store | None = None,
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
        worse: of a table, whether a `higher` or a `lower` test_loss is for the worse.

    Returns:
        Columns `analysis.data.frame.IDENTITY`, then metrics, then hyperparameters by dotted path. Empty (but with the
        identity columns) where no generation has been logged.

    Raises:
        ValueError: there is nothing to read, no such study, a run without a config, or a table of no use.
    """
    from analysis.data import external, frame, mlflow_client, mlflow_sqlite
    from analysis.data.stored_points import from_store

    if tracking_uri is None and external.is_file(workspace):
        return external.read(workspace, columns, study, worse)
    uri = tracking_uri or sqlite_uri(Path(workspace).absolute() / "mlflow.db")
    path = sqlite_file(uri) if uri.startswith(_SQLITE) else None
    if path is not None:
        if not path.is_file():
            raise ValueError(f"{path}: no such file; run a study in this workspace first, or name a tracking URI")
        runs, points = mlflow_sqlite.read(path, study, lambda run: mlflow_client.config_of(uri, run))
    else:
        runs, points = mlflow_client.read(uri, study)
    if study is not None and not runs:
        raise ValueError(f"study: no runs of {study!r} at {redact_urls(uri)}")
    found = _store_of(workspace, tracking_uri) if store is None else store
    return frame.tidy(runs, points if found is None else from_store(runs, points, found))


def _store_of(workspace: str | Path, tracking_uri: str | None) -> Store | None:
    from trainables.store import open_store

    place = Path(workspace) / "store"
    return open_store(str(place)) if tracking_uri is None and place.is_dir() else None
