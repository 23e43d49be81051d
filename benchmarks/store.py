"""What the store costs: reading and committing artifacts beside the usual caches, and its share of a recursion."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Ratio, compare, seconds
from trainables import Cell, run
from trainables.lineage import make_key
from trainables.store import FsspecStore, MemoryStore, Payload
from trainables.store import payload_io as contents

MEGABYTES = 64
MANY = 200
BUDGET = 0.050
"""Seconds that the store may cost a generation."""

SHARE = 0.03
"""Share of a language recursion's time that the store may take."""

TOY: dict[str, Any] = {"family": {"kind": "gaussian"}, "policy": {"kind": "accumulate"}, "replicates": 1000}
LANGUAGE: dict[str, Any] = {"family": {"kind": "language"}, "policy": {"kind": "accumulate"}, "generations": 2}

RESIDENT = """
import sys, tempfile
from trainables import Cell, run
family = {"kind": "language", "width": 16, "heads": 2, "layers": 1, "steps": 5, "test_rows": 8}
cell = {"family": family, "policy": {"kind": "accumulate"}, "rows": 300, "generations": int(sys.argv[1])}
with tempfile.TemporaryDirectory() as folder:
    list(run(Cell.model_validate(cell), folder))
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def claims() -> list[Ratio]:
    """Everything that is claimed of the store."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        return [
            _small_reads(place),
            _first_read_of_tensors(place),
            _mapped_read_of_tensors(place),
            _table_reads(place),
            _generation(place),
            _share_of_language(place),
            _resident(),
        ]


def _small_reads(place: Path) -> Ratio:
    """A result of about 1 kB, found by its key."""
    from joblib import Memory

    store = FsspecStore(str(place / "small"))
    keys = [make_key("benchmark", number=number) for number in range(MANY)]
    meta = {"metrics": {f"metric_{number}": number / 7 for number in range(30)}}
    for key in keys:
        store.put("record", key, Payload(meta))
    cached = Memory(str(place / "joblib"), verbose=0).cache(_result)
    return compare(
        f"read {MANY} records of 1 kB",
        lambda: [store.get("record", key) for key in keys],
        lambda: [cached(key) for key in keys],
        peer="joblib.Memory",
        target=1.0,
        note="ours checks a SHA-256 and unpickles nothing",
    )


def _result(key: str) -> dict[str, float]:
    return {f"metric_{number}": number / 7 for number in range(30)}


def _tensors(place: Path) -> tuple[FsspecStore, str, Path]:
    from safetensors.numpy import save_file

    store, key = FsspecStore(str(place / "tensors")), make_key("benchmark", part="tensors")
    arrays = {"x": np.random.default_rng(0).standard_normal((MEGABYTES, 2**17))}
    store.put("model", key, Payload(tensors=arrays))
    save_file(arrays, place / "peer.safetensors")
    return store, key, place / "peer.safetensors"


def _first_read_of_tensors(place: Path) -> Ratio:
    from safetensors.numpy import load_file

    store, key, file = _tensors(place)

    def first() -> float:
        contents.forget_checks()
        found = store.get("model", key)
        return float(found.tensors["x"].sum()) if found else 0.0

    return compare(
        f"read {MEGABYTES} MB of tensors for the first time and add them up",
        first,
        lambda: load_file(file)["x"].sum(),
        peer="safetensors",
        target=0.2,
        note="ours checks a SHA-256 of every byte, the peer nothing",
    )


def _mapped_read_of_tensors(place: Path) -> Ratio:
    from safetensors.numpy import load_file

    store, key, file = _tensors(place)
    return compare(
        f"read {MEGABYTES} MB of tensors again",
        lambda: store.get("model", key),
        lambda: load_file(file),
        peer="safetensors",
        target=10.0,
        note="checked once a process, mapped; the peer copies",
    )


def _table_reads(place: Path) -> Ratio:
    from datasets import Dataset, load_from_disk

    store, key = FsspecStore(str(place / "tables")), make_key("benchmark", part="table")
    table = Dataset.from_dict({"x": np.arange(10**6), "y": np.arange(10**6) / 7})
    store.put("batch", key, Payload(table=table))
    table.save_to_disk(str(place / "peer"))
    return compare(
        "open a table of 16 MB",
        lambda: store.get("batch", key),
        lambda: load_from_disk(str(place / "peer")),
        peer="datasets.load_from_disk",
        target=1.0,
        note="both map the file into memory",
    )


def _generation(place: Path) -> Ratio:
    """Wall time of a toy recursion with a store on disk, less that in memory, per generation."""
    generations = 50
    cell = Cell.model_validate(TOY | {"generations": generations})
    ours = []
    for number in range(4):
        disk = seconds(lambda number=number: list(run(cell, str(place / f"toy{number}"))))  # type: ignore[misc]
        ours.append(max(disk - seconds(lambda: list(run(cell, MemoryStore()))), 1e-6) / generations)
    return Ratio(
        "store, a generation of gaussian",
        "budget of 50 ms",
        1.0,
        tuple(ours[1:]),
        (BUDGET,) * 3,
        "three artifacts of 1,000 replicates, each leased, committed and read back",
    )


class Timed(FsspecStore):
    """A store that adds up the time spent in it."""

    spent = 0.0

    def get(self, kind: str, key: str) -> Payload | None:
        started = time.perf_counter()
        try:
            return super().get(kind, key)
        finally:
            self.spent += time.perf_counter() - started

    def put(self, *arguments: Any, **words: Any) -> None:
        started = time.perf_counter()
        try:
            super().put(*arguments, **words)
        finally:
            self.spent += time.perf_counter() - started


def _share_of_language(place: Path) -> Ratio:
    ours, budgets = [], []
    for seed in range(3):
        store = Timed(str(place / "language"))
        whole = seconds(lambda seed=seed, store=store: list(run(Cell.model_validate(LANGUAGE | {"seed": seed}), store)))  # type: ignore[misc]
        ours.append(store.spent)
        budgets.append(SHARE * whole)
    note = "reading and committing; leases are part of the budget above"
    return Ratio("store, two generations of language", "3 % of the wall time", 1.0, tuple(ours), tuple(budgets), note)


def _resident() -> Ratio:
    """Peak resident memory of processes, in MB."""
    short, long = (_peak(2), _peak(20))
    return Ratio(
        "resident memory of 20 generations of accumulate, language",
        "1.5 times that of 2 generations",
        1.0,
        (long,),
        (1.5 * short,),
        "whole process, libraries included",
        unit="MB",
    )


def _peak(generations: int) -> float:
    command = [sys.executable, "-c", RESIDENT, str(generations)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]) / 1000
