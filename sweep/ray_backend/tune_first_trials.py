"""Trials of `tune_first` on Ray: each a fit of generation 1 and its validation loss, committed to the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import ray

from sweep.errors import Interrupted, UsageError
from sweep.ray_backend.internals import hold_secrets
from sweep.ray_backend.nodes import KILLED, lost
from sweep.resources import Request, Slots, as_config
from sweep.scheduling import Job, Listener
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.recursion import validate
from trainables.runtime import redact
from trainables.store import open_store
from trainables.tune import OUT_OF_MEMORY, peak, prepare_process

WORKER_DEATHS = 2
"""How often a trial whose worker died is started again."""

LOOK = 5.0
"""Seconds between two looks at whether Ray's node is alive."""


def run_tuning(
    jobs: Sequence[Job],
    storage: str,
    slots: Slots,
    stop: threading.Event,
    listeners: Sequence[Listener],
    told: Callable[[int], None],
    warn: Callable[[str], None],
) -> None:
    """Compute the validation losses of jobs of one generation, on the Ray that is running.

    Args:
        jobs: trials.
        storage: URL that workers reach.
        slots: how many there is room for, and what each reserves.
        stop: set by a signal handler to end the run.
        listeners: told of every change.
        told: how many are done, when some have ended.
        warn: told in one line if Ray dies.

    Raises:
        Interrupted: `stop` was set, or Ray has died; running trials are lost, all others kept.
        UsageError: a trial could not be computed at all.
    """
    hold_secrets()
    crew = _Crew(jobs, storage, slots, listeners)
    looked = time.monotonic()
    while crew.left:
        if crew.turn():
            told(len(jobs) - crew.left)
        if stop.is_set():
            raise Interrupted
        if time.monotonic() - looked >= LOOK:
            looked = time.monotonic()
            if lost():
                warn(KILLED)
                raise Interrupted


class _Crew:
    """Trials that wait and trials that were handed to Ray."""

    def __init__(self, jobs: Sequence[Job], storage: str, slots: Slots, listeners: Sequence[Listener]) -> None:
        self._waiting, self._storage, self._slots = list(jobs), storage, slots
        self._listeners = [slots, *listeners]
        self._running: dict[Any, Job] = {}

    @property
    def left(self) -> int:
        """Trials that have not ended."""
        return len(self._waiting) + len(self._running)

    def turn(self) -> bool:
        """Hand out what fits, and wait for half a second for trials to end; whether any did."""
        while (job := next(filter(self._slots.fits, self._waiting), None)) is not None:
            self._start(job)
        ended, _ = ray.wait(list(self._running), timeout=0.5)
        for task in ended:
            self._end(task, self._running.pop(task))
        for listener in self._listeners:
            listener.tick()
        return bool(ended)

    def _start(self, job: Job) -> None:
        self._waiting.remove(job)
        self._running[_submit(job.cell, self._storage, self._slots.take(job))] = job
        job.status = "running"
        for listener in self._listeners[1:]:  # its slot counts as asked for until Ray, which says nothing, has ended it
            listener.started(job)

    def _end(self, task: Any, job: Job) -> None:
        taken = _answer(task, self._slots.held(job))
        if taken is None:
            self._slots.needs.isolate(job)
            job.status = "waiting"
            self._waiting.append(job)
        else:
            self._slots.needs.learn(job, taken)
            job.status, job.done = "done", 1
        for listener in self._listeners:
            listener.ended(job)


def _submit(cell: Cell, storage: str, request: Request) -> Any:
    reserved: dict[str, Any] = {"num_cpus": request.cpu, "num_gpus": request.gpu, "memory": request.memory or None}
    task = ray.remote(_validate).options(
        **reserved, accelerator_type=request.accelerator or None, max_retries=WORKER_DEATHS
    )
    return task.remote(canonical_json(cell.canonical()), storage, request.cpu, as_config(request).get("device"))


def _validate(cell: str, storage: str, threads: int, device: str | None) -> float:
    """In a worker: commits the loss; returns the bytes of an accelerator's memory that were taken."""
    prepare_process(threads, device)
    validate(Cell.model_validate_json(cell), open_store(storage))
    return peak() or 0.0


def _answer(task: Any, request: Request) -> float | None:
    """What the trial took of an accelerator's memory; None where beside others there was too little of it.

    Raises:
        UsageError: it can't be computed.
    """
    try:
        taken: float = ray.get(task)
    except ray.exceptions.RayError as problem:
        cause = getattr(problem, "cause", None) or problem
        if type(cause).__name__ == OUT_OF_MEMORY and 0 < request.gpu < 1:
            return None
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise UsageError(f"tune_first: a trial can't be computed: {redact(lines[0])}") from None
    return taken
