"""What a running study leaves for others to read: a log of each cell, and a note of how the whole goes, for `status` in
another shell.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sweep.progress.view import Progress
from sweep.resources import refuses
from sweep.scheduling import Job, Listener
from sweep.workspace import Workspace
from trainables.cell import Record
from trainables.runtime import gone, machine, write_whole

EVERY = 2.0
"""Seconds between two notes."""

NODES_EVERY = 20.0
"""Seconds between two questions to Ray for its nodes."""

STALE = 30.0
"""Seconds after which a note is that of a run which was killed."""


class Chronicle(Listener):
    """A listener of the board. A disk that takes no more costs the logs, not the run.

    Args:
        study: its name.
        workspace: where logs and the note are kept.
        progress: who counts.
        clock: seconds.
        what: is counted, in words.
    """

    def __init__(
        self,
        study: str,
        workspace: Workspace,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
        what: str = "generations",
    ) -> None:
        self._study, self._workspace, self._progress, self._clock = study, workspace, progress, clock
        self._what = what
        self._path = workspace.running(study)
        self._began, self._reached = clock(), progress.reached
        self._wrote = self._asked = -float("inf")
        self._failures: dict[str, str] = {}
        self._nodes: list[dict[str, Any]] = []

    def started(self, job: Job) -> None:
        """A trial takes it up."""
        self._failures.pop(job.key, None)
        self._log(job, f"{job.title}: taken up at generation {min(job.done + 1, len(job.stages))}/{len(job.stages)}")

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done."""
        took = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in record.seconds.items())
        self._log(job, f"generation {record.generation}: test_loss {record.test_loss:.6g}; computed in {took}")

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""
        if job.failure is None:
            self._log(job, {"waiting": "goes back to wait"}.get(job.status, job.status))
            return
        self._failures[job.key] = str(job.failure)
        details = f"{job.failure.details.rstrip()}\n" if job.failure.details else ""
        self._log(job, f"{details}failed: {job.failure}")

    def tick(self) -> None:
        """Write the note, when the last one is old."""
        now = self._clock()
        if now - self._wrote < EVERY:
            return
        self._wrote = now
        if now - self._asked >= NODES_EVERY:
            self._asked, self._nodes = now, nodes()
        with suppress(OSError):
            write_whole(self._path, json.dumps(self._note(now)))

    def close(self) -> None:
        """The run is over."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _note(self, now: float) -> dict[str, Any]:
        progress, took = self._progress, max(now - self._began, 1e-9)
        return {
            "study": self._study,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "machine": machine(),
            "written": time.time(),
            "seconds": took,
            "headline": progress.headline(),
            "what": self._what,
            "generations": progress.expected,
            "reached": progress.reached,
            "per_minute": 60 * (progress.reached - self._reached) / took,
            "left_seconds": progress.left_seconds,
            "running": [job.key for job in progress.running],
            "failures": self._failures,
            "nodes": self._nodes,
        }

    def _log(self, job: Job, text: str) -> None:
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        path = self._workspace.log(job.key)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{stamp} {text}\n")


def nodes() -> list[dict[str, Any]]:
    """Ray's nodes, where this process is connected to Ray: address, whether it is alive, CPUs and GPUs."""
    if "ray" not in sys.modules or not sys.modules["ray"].is_initialized():
        return []
    if refuses(str(sys.modules["ray"].get_runtime_context().gcs_address)):  # a dead head would keep all threads waiting
        return []
    return [
        {
            "address": node["NodeManagerAddress"],
            "alive": node["Alive"],
            "cpus": node["Resources"].get("CPU", 0.0),
            "gpus": node["Resources"].get("GPU", 0.0),
        }
        for node in sys.modules["ray"].nodes()
    ]


def read_note(path: Path, clock: Callable[[], float] = time.time) -> dict[str, Any] | None:
    """What the run that is going on says of itself; None where none is, or it was killed."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        fresh = isinstance(note, dict) and clock() - float(note["written"]) < STALE
        return note if fresh and not gone(str(note.get("machine", "")), int(note.get("pid", 0))) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
