"""What the store already knows of a job. Reads only."""

from __future__ import annotations

from sweep.job import Failure, Job
from trainables.cell import Record
from trainables.recursion import CellFailed, Recursion
from trainables.store import Store


def settle(job: Job, store: Store) -> None:
    """Set how many generations are done, and whether the cell is done or has failed for good."""
    job.done = 0
    for stage in job.stages:
        if not store.has("record", stage.record):
            break
        job.done += 1
    if job.done == 0:
        return
    try:
        last = Recursion(job.cell, store).stored(job.done)
    except CellFailed as problem:
        job.done -= 1
        job.status, job.failure = "failed", Failure(problem.reason, problem.generation)
        return
    if last is None:  # damaged, and set aside by the store: it is computed again
        job.done -= 1
    elif job.done == len(job.stages):
        job.status = "done"


def read_records(job: Job, store: Store) -> list[Record]:
    """The records of the generations that are done, from the store where the job does not hold them."""
    recursion = Recursion(job.cell, store)
    for generation in range(1, job.done + 1):
        if generation not in job.records:
            found = recursion.stored(generation)
            if found is None:
                break
            job.records[generation] = found
    return [job.records[generation] for generation in sorted(job.records)]
