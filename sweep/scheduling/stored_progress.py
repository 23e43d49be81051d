"""What the store already knows of a job. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sweep.scheduling.job import Failure, Job
from trainables.cell import Record
from trainables.recursion import Recursion, failure
from trainables.store import Store

MANY = 50
"""Cells from which on it is quicker to list all records of a store than to ask for each."""


def asker(store: Store, cells: int) -> Callable[[str], bool]:
    """What says whether a store has a record, for so many cells: one question each, or one for all."""
    return set(store.keys("record")).__contains__ if cells > MANY else partial(store.has, "record")


def settle(job: Job, store: Store, has: Callable[[str], bool]) -> None:
    """Set how many generations are done, and whether the cell is done or has failed for good.

    A cell counts as done when the checksum of every record holds; it goes on at the first that is damaged.
    """
    job.done = 0
    for stage in job.stages:
        if not has(stage.record):
            break
        job.done += 1
    if job.done == 0:
        return
    last = store.get("record", job.stages[job.done - 1].record)
    failed = failure(last) if last is not None else None
    if failed is not None:
        job.done -= 1
        job.status, job.failure = "failed", Failure(failed.reason, failed.generation)
    elif last is None:  # damaged, and set aside by the store: it is computed again
        job.done -= 1
    elif job.done == len(job.stages):
        whole = {record.key for record in store.walk("record", {stage.record for stage in job.stages})}
        job.done = next((number for number, stage in enumerate(job.stages) if stage.record not in whole), job.done)
        job.status = "done" if job.done == len(job.stages) else "waiting"


def take_off(job: Job, made: Callable[[str], bool]) -> None:
    """Leave the checkpoint out of what a job has to compute, where it is made."""
    for number, stage in enumerate(job.stages):
        if stage.checkpoint and made(stage.checkpoint):
            rest = stage.flops - stage.pretraining
            job.stages[number] = replace(stage, flops=rest, checkpoint="", pretraining=0.0)


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
