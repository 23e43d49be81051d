"""What the engine adds to the work: a grid of trials whose work is a known sleep, run as `collapse-sweep run` does."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Ratio
from benchmarks.sleeper import CELLS, GENERATIONS, WORK, SleepingTrial
from search_spaces import Block, Grid, Study
from sweep.engine import run_study
from sweep.progress import Progress
from sweep.ray_backend import tuner as tuning
from sweep.resources import Machines
from sweep.scheduling import Job
from sweep.workspace import open_workspace
from trainables.cell import Record

ROUNDS = 3
WORKERS = 2
EFFICIENCY = 0.9
START = 8.0
OVERHEAD = 0.15


class Stopwatch(Progress):
    """Notes when trials begin and when generations are reported."""

    def __init__(self, concurrency: int) -> None:
        super().__init__(concurrency)
        self.origin = time.monotonic()
        self.starts: list[float] = []
        self.reports: list[float] = []

    def started(self, job: Job) -> None:
        """A trial begins."""
        super().started(job)
        self.starts.append(time.monotonic() - self.origin)

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is there."""
        super().recorded(job, record)
        self.reports.append(time.monotonic() - self.origin)


def study() -> Study:
    """Cells that share nothing."""
    cell: dict[str, Any] = {"family": {"kind": "gaussian"}, "rows": 20, "generations": GENERATIONS}
    space = {"seed": Grid(values=tuple(range(CELLS)))}
    return Study(name="sleep", blocks=(Block(cell=cell | {"policy": {"kind": "replace"}}, space=space),))


def measure() -> tuple[float, float]:
    """Seconds from the call to the start of the first generation's work, and from there to the last report."""
    tuning.CellTrial = SleepingTrial
    with tempfile.TemporaryDirectory() as folder:
        watch = Stopwatch(WORKERS)
        workspace = open_workspace(Path(folder))
        outcome = run_study(study(), workspace, watch, machines=Machines(cpus=WORKERS), warn=print)
        if outcome.failed or outcome.unfinished:
            raise RuntimeError(f"the sleeping study did not end: {[str(job.failure) for job in outcome.failed]}")
    start = watch.reports[0] - WORK
    return start, watch.reports[-1] - start


def claims() -> list[Ratio]:
    """Wall time after start-up against the ideal, start-up, and what is added to each generation."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))  # two workers want two cores
    found = [measure() for _ in range(ROUNDS)]
    starts, walls = zip(*found, strict=True)
    ideal = CELLS * GENERATIONS * WORK / WORKERS
    added = tuple((wall - ideal) * WORKERS / (CELLS * GENERATIONS) for wall in walls)
    work = f"{CELLS} trials × {GENERATIONS} generations of {WORK:g} s on {WORKERS} workers, with MLflow"
    same = (ideal,) * ROUNDS
    return [
        Ratio(f"{work}: wall time after start-up", "ideal", EFFICIENCY, walls, same, "work is a sleep"),
        Ratio("the same: start-up, to the first fit", "8 s at most", 1.0, starts, (START,) * ROUNDS),
        Ratio("the same: engine, a generation", "150 ms at most", 1.0, added, (OVERHEAD,) * ROUNDS),
    ]
