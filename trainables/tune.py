"""A cell as a Ray Tune trial: one `step()` is one generation. The only module here that imports Ray.

Results live in the store; what goes to Tune is the record, and its checkpoint holds keys and records alone.
A trial never raises: a cell that can't go on reports why and is done, so that the study outlives it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from ray.tune import Trainable

from trainables.cell import Cell, Record
from trainables.families.base import DEVICE_CONTEXT
from trainables.recursion import CellFailed, Recursion
from trainables.runtime import DEVICE, THREADS, redact
from trainables.store import Busy, StoreError, open_store

CHECKPOINT = "records.json"

OUT_OF_MEMORY = "OutOfMemoryError"
"""What torch raises where an accelerator's memory does not do, by name: torch may not be loaded."""


_GIVEN = os.environ.get(DEVICE)


class CellTrial(Trainable):  # type: ignore[misc]  # Ray is untyped
    """The trial of one cell.

    `config` holds `cell` (a `Cell` as JSON), `store` (URL) and optionally `threads`; `device`, where it is not the best
    there is; `begun`, whether a store that nobody has written to yet must be another one than the driver's.

    A result holds `cell` (key), `record` (as JSON, or None), `done`, and where the cell can't go on:
    `failure` = {generation, reason, final, details}, where `final` says that the store keeps the failure;
    `busy` = who is computing the step that is needed, `held` = its kind and key: the cell is to be tried again later;
    `cramped` = why an accelerator's memory did not do: the cell is to be tried again with more of it;
    `broken` = why the store can't be used: no cell can go on.
    `peak` = bytes of an accelerator's memory taken so far, where one was used.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take up a cell; nothing is computed yet.

        What goes wrong is reported by the first step: Ray takes an exception here for the death of a worker, and starts
        another in vain.
        """
        prepare_process(int(config.get("threads", 1)), config.get("device"))
        self.records: list[Record] = []
        self.key, self.elsewhere, self.refused = config.get("key", ""), "", None
        try:
            self._take_up(config)
        except Exception as problem:  # whatever a family or a source raises
            self.refused = problem

    def _take_up(self, config: dict[str, Any]) -> None:
        self.cell = Cell.model_validate_json(config["cell"])
        self.key = self.cell.key
        store = open_store(config["store"], wait=False)
        self.elsewhere = _elsewhere(store, config["store"]) if config.get("begun") else ""
        self.recursion = Recursion(self.cell, store)

    def reset(self, new_config: dict[str, Any], storage: Any = None) -> bool:
        """Take up another cell in the same process; one that can't, as after an accelerator's fault, ends.

        To Tune what is raised here is the other cell's failure; the end of a worker costs it another worker.
        """
        try:
            return bool(super().reset(new_config, storage))
        except Exception:
            traceback.print_exc()
            os._exit(1)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another cell in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The next generation."""
        generation = len(self.records) + 1
        if self.elsewhere:
            return self._result(None, True) | {"broken": self.elsewhere}
        try:
            if self.refused is not None:
                raise self.refused
            record = self.recursion.record(generation)
        except CellFailed as problem:
            return self._stop({"generation": problem.generation, "reason": problem.reason, "final": True})
        except Busy as problem:
            return self._result(None, True) | {"busy": str(problem.holder), "held": [problem.kind, problem.key]}
        except StoreError as problem:
            return self._result(None, True) | {"broken": str(problem)}
        except Exception as problem:  # whatever a family raises ends its cell, not the study; the reason is kept
            if type(problem).__name__ == OUT_OF_MEMORY:
                return self._result(None, True) | {"cramped": _unexpected(generation, problem)}
            return self._stop(_unexpected(generation, problem))
        self.records.append(record)
        return self._result(record, generation >= self.cell.generations)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Keys and records; models and batches are in the store."""
        held = {"cell": self.cell.key, "records": [record.canonical() for record in self.records]}
        Path(checkpoint_dir, CHECKPOINT).write_text(json.dumps(held), encoding="utf-8")

    def load_checkpoint(self, checkpoint_dir: str | None) -> None:
        """Go on after the generations of a checkpoint of the same cell."""
        held = json.loads(Path(str(checkpoint_dir), CHECKPOINT).read_text(encoding="utf-8"))
        if held["cell"] == self.cell.key:
            self.records = [Record.model_validate(record) for record in held["records"]]

    def _result(self, record: Record | None, done: bool) -> dict[str, Any]:
        told = {"cell": self.key, "record": record.model_dump_json() if record else None, "done": done}
        taken = peak() if record else None
        return told | ({"peak": taken} if taken else {})

    def _stop(self, failure: dict[str, Any]) -> dict[str, Any]:
        return self._result(None, True) | {"failure": {"details": ""} | failure}


def _unexpected(generation: int, problem: Exception) -> dict[str, Any]:
    lines = str(problem).strip().splitlines() or [""]
    reason = f"{type(problem).__name__}: {lines[0]}" if lines[0] else type(problem).__name__
    details = redact("".join(traceback.format_exception(problem)))
    return {"generation": generation, "reason": redact(reason), "final": False, "details": details}


def prepare_process(threads: int, where: str | None) -> None:
    """A reused process would keep the thread count and device of its last trial. `device` reads the environment; torch
    itself is told only where it is loaded already.
    """
    os.environ[THREADS] = str(threads)
    if found := _GIVEN or where:
        os.environ[DEVICE] = found
    else:
        os.environ.pop(DEVICE, None)
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def peak() -> float | None:
    """Bytes of the accelerator that this trial has taken at most, the process's own share of the driver included."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return float(torch.cuda.max_memory_reserved()) + DEVICE_CONTEXT


def _elsewhere(store: Any, url: str) -> str:
    """Why this can't be the store that the driver has begun; empty where it may be."""
    if store.begun:
        return ""
    return (
        f"node {socket.gethostname()} does not see the store at {url}; give --storage a URL, or mount the folder there"
    )
