"""One measured point of a growth curve, in a process of its own: processor seconds, peak memory, bytes on disk."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import scale
from sweep.planning import plan_study
from sweep.progress import PlainProgress
from sweep.scheduling import Board
from trainables import Cell, run
from trainables.store import open_store

MIB = 2**20
KIB = 2**10
CONTEXT = multiprocessing.get_context("forkserver")
"""Each point starts from a small process in which everything is imported and nothing has been computed."""


@dataclass(frozen=True)
class Point:
    """What a point cost.

    Attributes:
        seconds: of the processor, so that other programs on the machine count little.
        memory: MiB at the peak above what the process held before.
        disk: MiB that the store holds afterwards.
    """

    seconds: float
    memory: float
    disk: float


def measure(kind: str, given: dict[str, Any]) -> Point:
    """One point, measured in a fresh process: `cell`, `driver` or `together`."""
    CONTEXT.set_forkserver_preload([__name__, "torch", "transformers"])
    with ProcessPoolExecutor(1, CONTEXT) as pool:
        return pool.submit(MEASURES[kind], given).result()


def cell(given: dict[str, Any]) -> Point:
    """A recursion on a store of its own. Its real data are prepared before the clock starts."""
    asked = Cell.model_validate(given)
    _prepare(asked)
    with tempfile.TemporaryDirectory() as folder:
        return _watched(lambda: list(run(asked, folder)), Path(folder))


def driver(given: dict[str, Any]) -> Point:
    """Plan, admit and run a study of `cells` simulated trials, `workers` side by side."""
    study = scale.fleet(given["cells"], given["generations"])
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)

        def work() -> None:
            plan_study(study, store)
            board = Board(store, [PlainProgress(given["workers"], lambda line: None)], concurrency=given["workers"])
            board.admit(scale.expand(study))
            scale.simulate(board, given["workers"])

        return _watched(work, Path(folder))


def together(given: dict[str, Any]) -> Point:
    """Means over `trials` recursions that differ by their seed, side by side in processes on one store."""
    cells = [given["cell"] | {"seed": seed} for seed in range(given["trials"])]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(len(cells), CONTEXT) as pool:
        points = list(pool.map(_beside, cells, [folder] * len(cells)))
        disk = _size(Path(folder)) / len(cells)
    seconds, memory = (
        sum(values) / len(points) for values in zip(*((p.seconds, p.memory) for p in points), strict=True)
    )
    return Point(seconds, memory, disk)


def products(given: dict[str, Any]) -> Point:
    """The same of plain matrix products: what the machine itself loses with so many processes side by side."""
    with ProcessPoolExecutor(given["trials"], CONTEXT) as pool:
        found = list(pool.map(_multiply, range(given["trials"])))
    return Point(sum(found) / len(found), 0.0, 0.0)


MEASURES = {"cell": cell, "driver": driver, "together": together, "products": products}


def _multiply(seed: int) -> float:
    _spread()
    matrix = np.random.default_rng(seed).standard_normal((512, 512))
    started = time.process_time()
    for _ in range(100):
        matrix = matrix @ matrix
        matrix /= np.abs(matrix).max()
    return time.process_time() - started


def _spread() -> None:
    """Leave the one core that the benchmark is pinned to."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, range(os.cpu_count() or 1))


def _beside(given: dict[str, Any], folder: str) -> Point:
    _spread()
    asked = Cell.model_validate(given)
    _prepare(asked)
    return _watched(lambda: list(run(asked, folder)), Path(folder))


def _prepare(asked: Cell) -> None:
    """Read the data and load what computing needs, by the family's smallest cell and this one's data."""
    import torch

    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # what a source leaves out is said once a process
    small, rows = type(asked.family).tiny()
    if asked.family.accelerated:  # networks load their data once a process; closed forms have none
        data = {name: getattr(asked.family, name) for name in asked.family.data_fields}
        small = small.model_copy(update=data)
    list(run(asked.model_copy(update={"family": small, "rows": rows, "generations": 2, "replicates": 1})))


def _watched(work: Any, folder: Path) -> Point:
    """What some work costs this process."""
    held = _resident()
    started = time.process_time()
    work()
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
    return Point(seconds, max(peak - held, 0.0), _size(folder))


def _resident() -> float:
    return scale.resident() * KIB


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB
