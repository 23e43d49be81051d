"""A process that runs cells on a shared store, says what it computes, and fails where it is told to.

Run as `python worker.py JSON` with
    store   URL
    cells   list of cells, run one after the other
    log     file that a line "fit KEY PID" or "sample KEY PID" is appended to when a computation starts
    pause   seconds that each computation takes longer
    die     {"at": place, "nth": n}: kill -9 at the n-th arrival at that place
    skew    seconds by which this machine's clock is wrong
    starve  number of the fit that runs out of memory
It prints the records of its cells, one JSON text a line, without their wall times.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from trainables import Cell, CellFailed, run
from trainables.store import StoreError, leases
from trainables.store.backend import LocalPlace

CLOSED = "trainables.families.closed_form"
FAMILIES = {
    "gaussian": f"{CLOSED}.gaussian:Gaussian",
    "glm": f"{CLOSED}.glm.family:Glm",
    "random_features": f"{CLOSED}.features.family:RandomFeatures",
}
"""Whose fits and samples are watched."""

arrivals: Counter[str] = Counter()


def arrive(place: str, die: dict[str, Any]) -> None:
    """Die here, if this is the place and the time."""
    arrivals[place] += 1
    if die.get("at") == place and die["nth"] == arrivals[place]:
        os.kill(os.getpid(), signal.SIGKILL)


def computing(orders: dict[str, Any], what: str) -> None:
    """Wrap a method of the cells' families: log, take time, perhaps die in the middle."""
    for kind in {cell["family"]["kind"] for cell in orders["cells"]} & set(FAMILIES):
        module, _, name = FAMILIES[kind].partition(":")
        _wrap(getattr(importlib.import_module(module), name), orders, what)


def _wrap(family: Any, orders: dict[str, Any], what: str) -> None:
    plain = getattr(family, what)

    def wrapped(self: Any, *arguments: Any) -> Any:
        key = next(a for a in arguments if hasattr(a, "child")).key
        with open(orders["log"], "a") as log:
            log.write(f"{what} {key} {os.getpid()}\n")
        time.sleep(orders.get("pause", 0.0) / 2)
        arrive(what, orders.get("die", {}))
        if what == "fit" and arrivals["fit"] == orders.get("starve"):
            bytearray(2**62)
        time.sleep(orders.get("pause", 0.0) / 2)
        return plain(self, *arguments)

    setattr(family, what, wrapped)


def committing(die: dict[str, Any]) -> None:
    """Let the process die at each stage of a model's commit."""
    stage, replace = LocalPlace.stage, os.replace
    release = leases.Leases._release

    def staged(self: LocalPlace, path: str, write: Callable[[str], None], durable: bool = True) -> tuple[int, str]:
        def half(local: str) -> None:
            write(local)
            if path.startswith("model/"):
                if arrivals["half a file"] + 1 == die.get("nth") and die["at"] == "half a file":
                    os.truncate(local, os.path.getsize(local) // 2)
                arrive("half a file", die)

        return stage(self, path, half, durable)

    def replaced(temporary: str, target: str) -> None:
        if "/model/" in target:
            arrive("manifest written", die)
        replace(temporary, target)
        if "/model/" in target:
            arrive("manifest in place", die)

    def released(self: leases.Leases, own: str) -> None:
        arrive("lease", die)
        release(self, own)

    LocalPlace.stage = staged  # type: ignore[method-assign]
    os.replace = replaced
    leases.Leases._release = released  # type: ignore[method-assign]


def skewed(seconds: float) -> None:
    """Let this machine's clock be wrong, also where it stamps files."""
    clock, touch = time.time, LocalPlace.touch
    time.time = lambda: clock() + seconds

    def stamped(self: LocalPlace, path: str, beat: bytes) -> None:
        touch(self, path, beat)
        os.utime(self._at(path), (time.time(),) * 2)

    LocalPlace.touch = stamped  # type: ignore[method-assign]


def main(orders: dict[str, Any]) -> int:
    """Run the cells."""
    computing(orders, "fit")
    computing(orders, "sample")
    committing(orders.get("die", {}))
    if "skew" in orders:
        skewed(orders["skew"])
    for cell in orders["cells"]:
        try:
            for record in run(Cell.model_validate(cell), orders["store"]):
                print(json.dumps(record.model_dump(exclude={"seconds"}), sort_keys=True), flush=True)
        except (StoreError, CellFailed) as problem:
            print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
            return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
