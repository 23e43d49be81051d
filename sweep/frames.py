"""Jobs as the tidy frame of `analysis`: one row per cell and generation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sweep.job import Job
from sweep.schema import identity_tags, metrics_of, state_tags

if TYPE_CHECKING:
    import pandas as pd


def frame_of(study: str, jobs: Iterable[Job]) -> pd.DataFrame:
    """The frame of the records that the jobs hold; the same that MLflow's runs would give."""
    from analysis.frame import tidy
    from analysis.runs import CellRun, Points

    runs, points = [], Points()
    for job in jobs:
        tags = identity_tags(study, job) | state_tags(job)
        runs.append(CellRun(job.key, tags, tags["config"]))
        for generation in sorted(job.records):
            for name, value in metrics_of(job.records[generation]).items():
                points.add(job.key, name, generation, value)
    return tidy(runs, points)
