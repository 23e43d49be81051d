"""`assess`: the robustness table of a workspace's runs, the same that `collapse-sweep report` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data import load
from analysis.report.context import ReportContext
from analysis.verdicts import Thresholds
from trainables.store import open_store

if TYPE_CHECKING:
    import pandas as pd


def assess(
    workspace: str | Path,
    study: str | None = None,
    *,
    tracking_uri: str | None = None,
    storage: str | None = None,
    columns: Mapping[str, str] | None = None,
    worse: str | None = None,
    thresholds: Thresholds | None = None,
) -> pd.DataFrame:
    """What the command's report assesses: with every replicate of the store as a recursion of its own, and over the
    generations that all cells of a policy reached.

    Args:
        workspace: a folder, or somebody else's table of runs, as for `load`.
        study: only this study's cells, None for all.
        tracking_uri: as for `load`.
        storage: URL of the store; default the workspace's. Without one, replicates are judged by standard errors.
        columns, worse: of a table, as for `load`.
        thresholds: of verdicts.

    Returns:
        As `analysis.verdicts.robustness.assess`.

    Raises:
        ValueError: as `load` does.
        StoreError: the store can't be read.
    """
    frame = load(workspace, study=study, tracking_uri=tracking_uri, columns=columns, worse=worse)
    place = storage or str(Path(workspace) / "store")
    store = open_store(place) if storage or Path(place).is_dir() else None
    return ReportContext(frame, study or "", thresholds or Thresholds(), store).assessment
