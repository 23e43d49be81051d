"""Trials of `tune_first` on Ray: each a fit of generation 1 and its validation loss, committed to the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ray

from search_spaces.resources import Resources
from sweep import ray_nodes
from sweep.confinement import hold_secrets
from sweep.errors import Interrupted, UsageError
from sweep.machines import Machines
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.redaction import redact
from trainables.store import open_store
from trainables.tune import prepare_process
from trainables.validation import validate

WORKER_DEATHS = 2
"""How often a trial whose worker died is started again."""


def run_tuning(
    cells: Sequence[Cell],
    storage: str,
    machines: Machines,
    wants: Resources,
    stop: threading.Event,
    told: Callable[[int], None],
) -> None:
    """Compute the validation losses of cells.

    Args:
        cells: trials.
        storage: URL that workers reach.
        machines: where they run.
        wants: what each reserves.
        stop: set by a signal handler to end the run.
        told: how many are done, now and then.

    Raises:
        Interrupted: `stop` was set; running trials are lost, all others kept.
        UsageError: a trial could not be computed at all.
    """
    with ray_nodes.started(machines):
        ray_nodes.survey(machines, storage, open_store(storage))
        hold_secrets()
        left = [_start(cell, storage, wants) for cell in cells]
        while left:
            ready, left = ray.wait(left, timeout=0.5)
            for one in ready:
                _finish(one)
            if ready:
                told(len(cells) - len(left))
            if stop.is_set():
                raise Interrupted


def _start(cell: Cell, storage: str, wants: Resources) -> Any:
    share = wants.gpu if isinstance(wants.gpu, float) else None
    if share is None:
        share = 1.0 if ray.cluster_resources().get("GPU") and not cell.family.vectorised else 0.0
    options = {"num_cpus": wants.cpu or 1, "num_gpus": share, "max_retries": WORKER_DEATHS}
    task = ray.remote(_validate).options(**options, accelerator_type=wants.accelerator, memory=wants.memory)
    return task.remote(canonical_json(cell.canonical()), storage, wants.cpu or 1, None if share else "cpu")


def _validate(cell: str, storage: str, threads: int, device: str | None) -> float:
    """In a worker."""
    prepare_process(threads, device)
    return validate(Cell.model_validate_json(cell), open_store(storage))


def _finish(task: Any) -> None:
    try:
        ray.get(task)
    except ray.exceptions.RayError as problem:
        cause = getattr(problem, "cause", None) or problem
        lines = str(cause).strip().splitlines() or [type(cause).__name__]
        raise UsageError(f"tune_first: a trial can't be computed: {redact(lines[0])}") from None
