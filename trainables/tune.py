"""A cell as a Ray Tune trial: one `step()` is one generation. The only module here that imports Ray.

Results live in the store; what goes to Tune is the record, and its checkpoint holds keys and records alone.
A trial never raises: a cell that can't go on reports why and is done, so that the study outlives it.
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

from ray.tune import Trainable

from trainables.cell import Cell, Record
from trainables.recursion import CellFailed, Recursion
from trainables.redaction import redact
from trainables.store import Busy, StoreError, open_store

CHECKPOINT = "records.json"


class CellTrial(Trainable):  # type: ignore[misc]  # Ray is untyped
    """The trial of one cell.

    `config` holds `cell` (a `Cell` as JSON), `store` (URL) and optionally `threads`.

    A result holds `cell` (key), `record` (as JSON, or None), `done`, and where the cell can't go on:
    `failure` = {generation, reason, final, details}, where `final` says that the store keeps the failure;
    `busy` = who is computing the step that is needed: the cell is to be tried again later;
    `broken` = why the store can't be used: no cell can go on.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Take up a cell; nothing is read or computed yet."""
        _limit_threads(int(config.get("threads", 1)))
        self.cell = Cell.model_validate_json(config["cell"])
        self.recursion = Recursion(self.cell, open_store(config["store"], wait=False))
        self.records: list[Record] = []

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another cell in the same process."""
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """The next generation."""
        generation = len(self.records) + 1
        try:
            record = self.recursion.record(generation)
        except CellFailed as problem:
            return self._stop({"generation": problem.generation, "reason": problem.reason, "final": True})
        except Busy as problem:
            return self._result(None, True) | {"busy": str(problem.holder)}
        except StoreError as problem:
            return self._result(None, True) | {"broken": str(problem)}
        except Exception as problem:  # whatever a family raises ends its cell, not the study; the reason is kept
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
        return {"cell": self.cell.key, "record": record.model_dump_json() if record else None, "done": done}

    def _stop(self, failure: dict[str, Any]) -> dict[str, Any]:
        return self._result(None, True) | {"failure": {"details": ""} | failure}


def _unexpected(generation: int, problem: Exception) -> dict[str, Any]:
    lines = str(problem).strip().splitlines() or [""]
    reason = f"{type(problem).__name__}: {lines[0]}" if lines[0] else type(problem).__name__
    details = redact("".join(traceback.format_exception(problem)))
    return {"generation": generation, "reason": redact(reason), "final": False, "details": details}


def _limit_threads(threads: int) -> None:
    """A reused process keeps the thread count of its last trial; torch is told only where it is loaded already."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
