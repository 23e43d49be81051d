"""Small studies and stores for tests: closed-form families only, milliseconds a generation."""

from __future__ import annotations

from typing import Any

from search_spaces import Block, Grid, Point, Study
from sweep.scheduling import Board, Job
from trainables import CellFailed, Record
from trainables.recursion import Recursion
from trainables.store import Store

GAUSSIAN: dict[str, Any] = {"family": {"kind": "gaussian"}, "rows": 20, "generations": 3, "replicates": 5}


def toy(policies: tuple[str, ...] = ("replace", "accumulate"), seeds: int = 2, **cell: Any) -> Study:
    """Policies times seeds on a Gaussian."""
    space = {"policy.kind": Grid(values=policies), "seed": Grid(values=tuple(range(seeds)))}
    return Study(name="toy", blocks=(Block(cell=GAUSSIAN | cell, space=space),))


class Counting:
    """A store that counts what is computed through it, by kind; everything else is the store's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.computed: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def once(self, kind: str, key: str, compute: Any, parents: Any = None) -> Any:
        def counted() -> Any:
            self.computed.append(f"{kind}/{key}")
            return compute()

        return self._store.once(kind, key, counted, parents)


def step(board: Board, job: Job, store: Any) -> Record | None:
    """The next generation of a job that runs, in this process, as a trial would report it."""
    board.start(job) if job.status == "waiting" else None
    generation = max(job.records, default=0) + 1
    record = None
    try:
        record = Recursion(job.cell, store).record(generation)
    except CellFailed as problem:
        from sweep.scheduling import Failure

        board.fail(job, Failure(problem.reason, problem.generation))
        return None
    stops = board.judge(job, record)
    board.record(job, record)
    if stops:
        board.stop(job)
    elif generation == len(job.stages):
        board.finish(job)
    return record


def drain(board: Board, store: Any, slots: int = 2) -> list[str]:
    """Run a board, of which no job runs yet, to its end with several jobs side by side; keys as they were taken."""
    assert not board.running
    taken: list[str] = []
    running: list[Job] = []
    while not board.finished:
        while len(running) < slots and (job := board.take()) is not None:
            taken.append(job.key)
            running.append(job)
        for job in list(running):
            step(board, job, store)
            if not board.holds(job):
                running.remove(job)
    return taken


def points(study: Study) -> list[Point]:
    """All points of a grid study."""
    from search_spaces.expansion import expand

    return expand(study)
