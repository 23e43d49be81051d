"""Jobs as the tidy frame of `analysis`, and cells from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import analysis
from analysis.data import CellRun, Points, metrics_of, tidy
from sweep.scheduling import Job
from sweep.tracking.schema import identity_tags, state_tags
from sweep.workspace import Workspace
from trainables.cell import Cell

if TYPE_CHECKING:
    import pandas as pd


def frame_of(study: str, jobs: Iterable[Job]) -> pd.DataFrame:
    """The frame of the records that the jobs hold; the same that MLflow's runs would give."""
    runs, points = [], Points()
    for job in jobs:
        tags = identity_tags(study, job) | state_tags(job)
        runs.append(CellRun(job.key, tags, tags["config"]))
        for generation in sorted(job.records):
            for name, value in metrics_of(job.records[generation]).items():
                points.add(job.key, name, generation, value)
    return tidy(runs, points)


def cells_of(workspace: Workspace, study: str) -> list[Cell]:
    """The cells of a study that the workspace's runs show.

    Raises:
        ValueError: there is no such study.
    """
    frame = analysis.load(workspace.root, study=study, tracking_uri=workspace.mlflow_uri, former=True)
    return [Cell.model_validate_json(config) for config in frame.drop_duplicates("cell")["cell_config"]]
