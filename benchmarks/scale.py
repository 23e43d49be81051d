"""What a fleet costs its driver: 10,000 cells of a toy family through board, queue, store and MLflow, without Ray.

`python -m benchmarks.scale [CELLS] [GENERATIONS] [--no-mlflow] [--also]` prints one line of JSON. Trials are simulated:
a heap of events with random durations, on a clock of its own, stands for 256 workers, so that the driver alone counts.
"""

from __future__ import annotations

import argparse
import heapq
import json
import multiprocessing
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.harness import Ratio, peak
from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.planning import plan_study
from sweep.progress import PlainProgress
from sweep.scheduling import Board, Job, read_records
from sweep.tracking import connect
from sweep.workspace import open_workspace, prepare
from trainables.cell import Record
from trainables.lineage import make_key
from trainables.store import Payload, open_store

WORKERS = 256
CELLS, GENERATIONS = 10_000, 4
SHOWN = 300
"""Cells for which MLflow's part is measured; it takes minutes for thousands."""
CLAIMING = 5.0
"""Seconds for which claims are counted."""


def fleet(cells: int, generations: int) -> Study:
    """A study of this many cells: ten policies' windows times seeds."""
    windows = Grid(values=tuple(range(1, 11)))
    seeds = Grid(values=tuple(range(-(-cells // 10))))
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "sliding_window"}, "rows": 100}
    space = {"policy.window": windows, "seed": seeds}
    return Study(name="fleet", blocks=(Block(cell=cell | {"generations": generations, "replicates": 10}, space=space),))


def drive(cells: int, generations: int, mlflow: bool = True) -> dict[str, float]:
    """Run a study whose trials take no time; seconds by what the driver did, and its memory.

    Returns:
        Seconds by stage, milliseconds a cell and a generation, GiB at the end and at most.
    """
    study, spent = fleet(cells, generations), Stages()
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder))
        prepare(workspace)
        store = open_store(workspace.storage)
        start = resident()
        spent.time("plan", lambda: plan_study(study, store))
        points = spent.time("expand", lambda: expand(study))
        listeners: list[Any] = [PlainProgress(WORKERS, lambda line: None)]
        board = Board(store, listeners, concurrency=WORKERS)
        spent.time("admit", lambda: board.admit(points))
        if mlflow:
            listeners.insert(0, spent.watch("tracking", spent.time("connect", lambda: connect(study, workspace))))
        spent.time("run", lambda: simulate(board))
        found = spent.seconds
        driver = found["run"] - found.get("tracking", 0.0)
        count = len(board.jobs) * generations
        return {name: round(value, 3) for name, value in found.items()} | {
            "cells": len(board.jobs),
            "generations": generations,
            "driver_ms_per_generation": 1000 * driver / count,
            "tracking_ms_per_generation": 1000 * found.get("tracking", 0.0) / count,
            "plan_ms_per_cell": 1000 * found["plan"] / cells,
            "admit_ms_per_cell": 1000 * found["admit"] / cells,
            "grown_gib": resident() - start,
            "peak_gib": peak(),
        }


class Stages:
    """Processor seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Do it, and add what it took."""
        started = time.process_time()
        try:
            return work()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started

    def watch(self, name: str, listener: Any) -> Any:
        """The listener, its time counted."""
        stages = self

        class Watched:
            def __getattr__(self, method: str) -> Callable[..., Any]:
                return lambda *arguments: stages.time(name, lambda: getattr(listener, method)(*arguments))

        return Watched()


def simulate(board: Board, workers: int = WORKERS) -> None:
    """Run a board to its end; a generation takes between 1 and 3 seconds of a clock that does not wait."""
    rng, events, number = random.Random(0), [], 0
    while not board.finished:
        while len(events) < workers and (job := board.take()) is not None:
            board.start(job)
            number += 1
            heapq.heappush(events, (_now(events) + rng.uniform(1, 3), number, job))
        now, _, job = heapq.heappop(events)
        board.record(job, made_up(job, rng))
        board.tick()
        if job.done < len(job.stages):
            number += 1
            heapq.heappush(events, (now + rng.uniform(1, 3), number, job))
        else:
            board.finish(job)


def _now(events: list[tuple[float, int, Job]]) -> float:
    return events[0][0] if events else 0.0


def made_up(job: Job, rng: random.Random) -> Record:
    """A record of the size that a trial reports."""
    generation = job.done + 1
    return Record(
        generation=generation,
        test_loss=rng.random(),
        corpus_rows=100,
        real_fraction=1 / generation,
        metrics={f"metric_{i}": rng.random() for i in range(8)},
        model=job.stages[generation - 1].model,
        composition={"rows": 100, "weight_by_batch": {"0": 1.0}, "duplicates": 0.0, "rejected": {}},
        seconds={"fit": 1.0, "evaluate": 0.1},
    )


def resident() -> float:
    """GiB of this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**30


def claims_a_second(workers: int = 4) -> float:
    """Claims made, committed and released a second by so many processes on one local store."""
    with tempfile.TemporaryDirectory() as folder, multiprocessing.get_context("fork").Pool(workers) as pool:
        return sum(pool.starmap(_claim, [(f"{folder}/store", number) for number in range(workers)])) / CLAIMING


def _claim(url: str, worker: int) -> int:
    store, count = open_store(url), 0
    end = time.monotonic() + CLAIMING
    while time.monotonic() < end:
        store.once("record", make_key("claim", worker=worker, count=count), lambda: Payload({"x": 1}))
        count += 1
    return count


def settling(cells: int, generations: int) -> float:
    """Seconds to see how far every cell of a finished study is, from its store alone."""
    study = fleet(cells, generations)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        board = Board(store)
        for job in board.admit(expand(study)):
            for stage in job.stages:
                meta = {"test_loss": 1.0, "corpus_rows": 1, "real_fraction": 1.0, "metrics": {}, "model": stage.model}
                store.put("record", stage.record, Payload(meta | {"composition": {}, "seconds": {}}), durable=False)
        again = Board(store)
        started = time.process_time()
        jobs = again.admit(expand(study))
        took = time.process_time() - started
        assert all(job.status == "done" for job in jobs)
        assert len(read_records(jobs[0], store)) == generations
        return took


def apart(cells: int) -> dict[str, float]:
    """`drive` without MLflow, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", str(cells), str(GENERATIONS), "--no-mlflow"]
    found: dict[str, float] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    return found


def claims() -> list[Ratio]:
    """Overhead of the driver against the limit of 150 ms a generation; growth from a tenth of the cells to all."""
    small, large = (apart(cells) for cells in (CELLS // 10, CELLS))
    shown = drive(SHOWN, GENERATIONS)["tracking_ms_per_generation"]
    name = f"{CELLS:,} cells × {GENERATIONS} generations"
    few, many = (found["driver_ms_per_generation"] for found in (small, large))
    return [
        Ratio(
            f"driver of {name} and MLflow, a generation", "the limit of 150 ms", 1, (many + shown,), (150.0,), unit="ms"
        ),
        Ratio("the same without MLflow", f"with {CELLS // 10:,} cells", 0.5, (many,), (few,), "1 is linear", "ms"),
        Ratio("its memory", "the limit of 2 GiB", 1, (large["peak_gib"],), (2.0,), unit="GiB"),
        Ratio("to plan it", "the limit of 60 s", 1, (large["plan"],), (60.0,)),
        Ratio("a claim", "the limit of 100 a second", 1, (1 / claims_a_second(),), (0.01,)),
    ]


def main() -> None:
    """One measurement, as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("cells", type=int, nargs="?", default=CELLS)
    parser.add_argument("generations", type=int, nargs="?", default=GENERATIONS)
    parser.add_argument("--no-mlflow", dest="mlflow", action="store_false")
    parser.add_argument("--also", action="store_true", help="claims a second, and settling a finished study")
    given = parser.parse_args()
    found = drive(given.cells, given.generations, given.mlflow)
    if given.also:
        found |= {"claims_a_second": claims_a_second(), "settle": settling(given.cells, given.generations)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
