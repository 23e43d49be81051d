"""Jobs and records that nothing has computed, for whoever listens to a board; and seconds that pass when told to."""

from __future__ import annotations

from sweep.scheduling import Failure, Job, Listener, Stage
from sweep.scheduling.job import Status
from trainables import Cell, Record

CELL = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "generations": 3, "rows": 9})
TITLE = "gaussian / dim 1 / replace / seed 0"


class Clock:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def job(key: str, generations: int = 3, done: int = 0, status: Status = "waiting") -> Job:
    """A job of this key, of ten operations a generation."""
    stages = [Stage(f"{key}{n}", "", "", 10.0) for n in range(generations)]
    return Job(CELL, key, {}, stages, done=done, status=status)


def record(generation: int, loss: float = 0.5) -> Record:
    """A generation of this loss, which took a second and a quarter."""
    return Record(
        generation=generation,
        test_loss=loss,
        corpus_rows=9,
        real_fraction=1.0,
        metrics={},
        model="m",
        composition={},
        seconds={"fit": 1.25, "evaluate": 0.0625},
    )


def begin(listener: Listener, one: Job) -> None:
    """A trial takes the job up."""
    one.status = "running"
    listener.started(one)


def advance(listener: Listener, one: Job) -> None:
    """Its next generation is done."""
    one.done += 1
    listener.recorded(one, record(one.done))


def end(listener: Listener, one: Job, status: Status, failure: Failure | None = None) -> None:
    """It ends so."""
    one.status, one.failure = status, failure
    listener.ended(one)
