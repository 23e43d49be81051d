"""A short measurement of each make on this machine: fits, judges and samples it on few rows, as many at a time as a
run would. Run as a program (`python -m sweep.planning.calibrate`) it is one of these: makes come as JSON on stdin,
speeds go to stdout, a line each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import IO, Any

from sweep.planning.forecast import Effort
from sweep.planning.speeds import Make, Speed, Speeds
from trainables.cell import Cell
from trainables.families.base import Diverged
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload, Store, open_store

BUDGET = 10.0
"""Seconds of measuring, after libraries and data are loaded."""

LIMIT = 120.0
"""Seconds after which a calibration is ended, whatever it is doing."""

SLOW = 2e9
"""Operations a second below which no core of today falls on dense layers: what a first fit may cost at most is judged
by it before it is tried."""

TOGETHER = 8
"""Measurements side by side at most, on machines of many cores."""

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""As trials have them."""

KEPT = ("model", "batch", "record", "judge", "scores")
"""Kinds that a measurement makes for itself; sources, tokenizers and features are the store's, for runs to find."""


def calibrate_speeds(makes: Mapping[Make, Cell], storage: str, workers: int) -> Speeds:
    """Measured speeds, medians over processes that measure side by side.

    Args:
        makes: what to measure, with a cell of each.
        storage: where data that families derive are kept.
        workers: trials at a time.
    """
    known = list(makes)
    share = BUDGET / max(len(known), 1)
    asked = json.dumps({"storage": storage, "share": share, "cells": [makes[make].canonical() for make in known]})
    environment = os.environ | THREADS
    command = [sys.executable, "-m", "sweep.planning.calibrate"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, env=environment, text=True, **pipes) for _ in range(min(workers, TOGETHER))]
    deadline = time.monotonic() + LIMIT
    for process in running:
        _hand(process, asked)
    found: dict[int, list[Speed]] = {}
    for process in running:
        for number, speed in _collect(process, deadline):
            found.setdefault(number, []).append(speed)
    return {known[number]: _middle(speeds) for number, speeds in found.items()}


def _hand(process: subprocess.Popen[str], asked: str) -> None:
    assert process.stdin is not None
    process.stdin.write(asked)
    process.stdin.close()
    process.stdin = None


def _collect(process: subprocess.Popen[str], deadline: float) -> list[tuple[int, Speed]]:
    """What a measurement said before the deadline."""
    try:
        said, _ = process.communicate(timeout=max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    lines = [json.loads(line) for line in said.splitlines() if line.endswith("}")]
    return [(line.pop("make"), Speed(**line, source="calibration")) for line in lines]


def _middle(speeds: Sequence[Speed]) -> Speed:
    samples = [speed.sample for speed in speeds if speed.sample is not None]
    return Speed(
        statistics.median(speed.fit for speed in speeds),
        statistics.median(samples) if samples else None,
        statistics.median(speed.evaluate for speed in speeds),
        sum(speed.generations for speed in speeds),
        "calibration",
    )


def measure(cell: Cell, store: Store, share: float, clock: Callable[[], float] = time.monotonic) -> Speed | None:
    """The speed of a make on this process's thread; None where its smallest fit is too large to try.

    Rows double until the share is spent or the cell's own are reached. The first fit, which loads libraries and data,
    counts only where it is the only one.

    Args:
        cell: any of the make.
        store: of data that the family derives.
        share: seconds to spend.
        clock: seconds.
    """
    rows = _fewest(cell)
    if _cost(cell, rows).fitting / SLOW > 3 * share:
        return None
    found = _once(cell, rows, store)
    started = last = clock()
    rows = min(2 * rows, cell.rows)
    while True:
        speed = _once(cell, rows, store)
        now = clock()
        took, last = now - last, now
        found = speed or found
        if rows == cell.rows or now - started + 2 * took > share:
            break
        rows = min(rows * (4 if now - started + 8 * took < share else 2), cell.rows)
    return found


def _fewest(cell: Cell) -> int:
    """Rows of a first try: a batch's worth, and no fewer than the family can do with."""
    rows = min(cell.rows, int(getattr(cell.family, "batch", 16)))
    while rows < cell.rows:
        try:
            cell.family.check(rows, cell.replicates)
            return rows
        except ValueError:
            rows = min(2 * rows, cell.rows)
    return rows


def _cost(cell: Cell, rows: int) -> Effort:
    cost, total = cell.family.cost(rows), rows * cell.replicates
    return Effort(1, total * cost.fit_flops, total * cost.sample_flops)


def _once(cell: Cell, rows: int, store: Store) -> Speed | None:
    """One generation and a batch of it, timed; None where the model of so few rows can't be judged or sampled."""
    alone = {"policy": {"kind": "replace"}, "fork": None, "population": None}
    fields = cell.canonical() | alone | {"rows": rows, "generations": 2}
    recursion = Recursion(Cell.model_validate(fields), Scratch(store))
    steps = recursion.steps
    try:
        recursion.batch(steps.batch(0))  # builds the family and reads data
        times = [_clock()]
        for work in (recursion.model, recursion.record):
            work(1)
            times.append(_clock())
        recursion.batch(steps.batch(1))
        times.append(_clock())
    except (Diverged, ValueError, RuntimeError, ArithmeticError):  # of so few rows; a plan must not end by it
        return None
    cost = _cost(cell, rows)
    fit, evaluate, sample = (after - before for before, after in pairwise(times))
    return Speed(fit / max(cost.fitting, 1.0), sample / max(cost.sampling, 1.0), evaluate, 1, "calibration")


def _clock() -> float:
    """Seconds of this process, which other programs do not lengthen; on an accelerator, of the world."""
    on_device = "torch" in sys.modules and sys.modules["torch"].cuda.is_available()
    return time.perf_counter() if on_device else time.process_time()


class Scratch(MemoryStore):
    """What a measurement makes stays in memory; what families derive from data is the other store's."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._below = store

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        if kind in KEPT:
            return super().once(kind, key, compute, parents)
        return self._below.once(kind, key, compute, parents)


def main(source: IO[str], out: IO[str]) -> None:
    """Measure what is asked for; a line of JSON for each make that could be."""
    asked = json.load(source)
    store = open_store(asked["storage"])
    for number, raw in enumerate(asked["cells"]):
        speed = measure(Cell.model_validate(raw), store, asked["share"])
        if speed is not None:
            held = {"fit": speed.fit, "sample": speed.sample, "evaluate": speed.evaluate}
            out.write(json.dumps(held | {"make": number, "generations": speed.generations}) + "\n")
            out.flush()


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
