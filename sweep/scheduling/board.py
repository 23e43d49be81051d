"""`Board`: where every cell of a study stands. The driver's state, without Ray: it is told and asked.

Listeners (tracking, progress) hear of every change in the order in which it happens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from search_spaces import Point, StudyError
from search_spaces.resources import Resources
from search_spaces.study import StudyBudget
from sweep.scheduling.budget import Spending
from sweep.scheduling.cost import cell_work
from sweep.scheduling.job import Failure, Job, make_job, title
from sweep.scheduling.listener import Listener
from sweep.scheduling.queue import Queue
from sweep.scheduling.stored_progress import asker, read_records, settle, take_off
from sweep.scheduling.suggestion import EarlyStopping, Later, SuggestionSource
from trainables.cell import Record
from trainables.store import Store

ENDED = ("done", "failed", "stopped")
"""A job of this status does not run again in this study."""
COOLING = 0.5
"""Seconds between two looks at whether somebody still computes what a cell needs."""


LOOKING = 20
"""Times as long as a look took, until the next one."""


@dataclass
class _Open:
    """A suggestion whose cells are not all finished."""

    source: SuggestionSource
    number: int
    jobs: list[Job] = field(default_factory=list)


@dataclass
class _Cooling:
    """A job that waits until it is due and nobody holds its next step."""

    job: Job
    due: float
    held: tuple[str, ...]


class Board:
    """The jobs of a study.

    Args:
        store: what is done already.
        listeners: told of every change.
        budget: where the study stops.
        concurrency: trials at a time; an open search is asked only when one of them has nothing to do.
        wants: what a point's trial wants to reserve.
        clock: seconds.
        stopping: the study's schedulers, where it has any.

    Attributes:
        jobs: all that are known, by cell key.
        left_out: titles of the cells that the budget leaves out, by key.
        broken: why no cell can go on; None while they can.
        searches: every open search of the study.
        refused: why no search can go on; None while they can.
    """

    def __init__(
        self,
        store: Store,
        listeners: Sequence[Listener] = (),
        budget: StudyBudget | None = None,
        concurrency: int = 1,
        wants: Callable[[Point], Resources] = lambda point: Resources(),
        clock: Callable[[], float] = time.monotonic,
        stopping: EarlyStopping | None = None,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        self.left_out: dict[str, str] = {}
        self.broken: str | None = None
        self.refused: StudyError | None = None
        self._store, self._listeners = store, list(listeners)
        self._spending = Spending(budget or StudyBudget())
        self._wall_time = budget.wall_time if budget else None
        self.concurrency, self._wants, self._stopping = concurrency, wants, stopping
        self._clock, self._started = clock, clock()
        self._queue = Queue()
        self._running: dict[str, Job] = {}
        self._cooling: list[_Cooling] = []
        self._next_look = 0.0
        self._sources: list[SuggestionSource] = []
        self._searched = False
        self.searches: list[SuggestionSource] = []
        self._open: list[_Open] = []

    def subscribe(self, listener: Listener, first: bool = False) -> None:
        """Let someone hear of every change from now on; `first`, before those who hear of it already."""
        self._listeners.insert(0 if first else len(self._listeners), listener)

    def admit(self, points: Iterable[Point]) -> list[Job]:
        """Take cells into the study; those that the store shows as finished never run again."""
        found, fresh = [], []
        points = list(points)
        has = asker(self._store, len(points))
        made = cache(partial(self._store.has, "checkpoint"))
        for point in points:
            key = point.cell.key
            if key not in self.jobs:
                job = self._afford(point)
                if job is None:
                    self.left_out[key] = title(point.cell)
                    continue
                self.jobs[key] = job
                job.block = point.block
                settle(job, self._store, has)
                take_off(job, made)
                if self._stopping is not None:
                    self._stopping.admit(job)
                fresh.append(job)
            found.append(self.jobs[key])
        for job in fresh:
            for listener in self._listeners:
                listener.admitted(job)
        self._queue.add(job for job in fresh if job.status == "waiting")
        return found

    def _afford(self, point: Point) -> Job | None:
        """The job of a cell, None where the budget leaves it out."""
        if self._spending.closed:
            return None
        work = list(cell_work(point.cell))
        if not self._spending.take(part for _, parts in work for part in parts):
            return None
        return make_job(point.cell, point.values, self._wants(point), work)

    def add_source(self, source: SuggestionSource) -> None:
        """Take an open search into the study, with what it has suggested before."""
        self._sources.append(source)
        self._searched = True
        self.searches.append(source)
        for suggestion in source.past():
            self.admit(suggestion.points)

    def take(self, fits: Callable[[Job], bool] = lambda job: True) -> Job | None:
        """The job to run next; None where there is none yet that fits, or none at all (`finished`)."""
        self._warm()
        if self.late:
            return None
        job = self._queue.take(fits)
        soon = sum(not cooling.held for cooling in self._cooling)
        idle = job is None and not self._queue.full and len(self._running) + soon < self.concurrency
        if idle and self._suggest():
            job = self._queue.take(fits)
        if job is not None:
            self._running[job.key] = job
        return job

    def start(self, job: Job) -> None:
        """A trial has taken up a job, perhaps once more after its worker died."""
        job.status = "running"
        for listener in self._listeners:
            listener.started(job)

    def holds(self, job: Job) -> bool:
        """Whether a job was taken and has not ended."""
        return job.key in self._running

    def has_work(self) -> bool:
        """Whether there is anything to run; an open search may be asked to know."""
        return bool(self.waiting) or self._suggest()

    @property
    def running(self) -> list[Job]:
        """Jobs that were taken and have not ended."""
        return list(self._running.values())

    @property
    def waiting(self) -> list[Job]:
        """Jobs that are to be run and were not taken yet."""
        return [job for job in self.jobs.values() if job.status == "waiting" and job.key not in self._running]

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing more will."""
        if self._running:
            return False
        return self.late or not (self.waiting or (self._sources and not self._spending.closed))

    @property
    def late(self) -> bool:
        """Whether the budget's wall time is over: no further cell is started."""
        return self._wall_time is not None and self._clock() - self._started > self._wall_time

    @property
    def unasked(self) -> int:
        """Suggestions that the budget leaves no room for; how many there would be is known only in part."""
        if not (self._spending.closed or self.late):
            return 0
        return sum(source.left(self.jobs) for source in self._sources)

    def record(self, job: Job, record: Record) -> None:
        """A running job reports a generation."""
        job.records[record.generation] = record
        job.done = max(job.done, record.generation)
        self._queue.advance(job)
        for listener in self._listeners:
            listener.recorded(job, record)

    def judge(self, job: Job, record: Record) -> bool:
        """Whether a scheduler stops a running job with this generation; to be asked before it is recorded."""
        return self._stopping is not None and self.holds(job) and self._stopping.judge(job, record)

    def stop(self, job: Job) -> None:
        """A scheduler has stopped a running job: it stays in the study as far as it came."""
        job.status = "stopped"
        self._end(job)

    def finish(self, job: Job) -> None:
        """A running job has reported its last generation."""
        job.status = "done"
        self._end(job)

    def fail(self, job: Job, failure: Failure) -> None:
        """A running job can't go on."""
        job.status, job.failure = "failed", failure
        self._end(job)

    def interrupt(self) -> None:
        """No trial runs any more; what they were computing is computed again by the next run."""
        for job in self.running:
            job.status = "waiting"
            self._end(job)

    def requeue(self, job: Job, held: Sequence[str] = ()) -> None:
        """A running job goes back to wait.

        Args:
            job: the job.
            held: kind and key of the step that another driver is computing, or that a lost machine has not let go of;
                the job waits until nobody holds it. Without, it comes back soon, and no search is asked in its place:
                what it suggests depends on what it has heard.
        """
        job.status = "waiting"
        self._end(job)
        self._cooling.append(_Cooling(job, self._clock() + COOLING, tuple(held)))

    def tick(self) -> None:
        """To be called now and then."""
        for listener in self._listeners:
            listener.tick()

    def _warm(self) -> None:
        """Let those wait in line again whose next step nobody holds. One look at the store a call, and looking takes a
        small share of the driver's time, however many wait and however far the store is."""
        now = self._clock()
        for cooling in [each for each in self._cooling if each.due <= now]:
            if cooling.held and now < self._next_look:
                continue
            if cooling.held and not self._store.free(*cooling.held):
                took = self._clock() - now
                self._next_look, cooling.due = now + took + LOOKING * took, now + took + COOLING
                return
            self._cooling.remove(cooling)
            self._queue.add([cooling.job])

    def _end(self, job: Job) -> None:
        del self._running[job.key]
        self._queue.release(job)
        if self._stopping is not None and job.status in ENDED:
            self._stopping.end(job)
        for listener in self._listeners:
            listener.ended(job)
        self._tell()
        if job.status in ENDED and not self._searched:
            job.records = {}  # the store has them: those of many thousand jobs would fill this process

    def _suggest(self) -> bool:
        """Ask open searches, until one suggests a cell that is still to be run; whether one did."""
        while self._sources and not self._spending.closed:
            source = self._sources[0]
            suggestion = source.ask()
            if isinstance(suggestion, Later):
                return False
            if suggestion is None:
                self._sources.pop(0)
                continue
            jobs = self.admit(suggestion.points)
            if all(point.cell.key in self.jobs for point in suggestion.points):  # never judged by part of its grid
                self._open.append(_Open(source, suggestion.number, jobs))
            self._tell()
            if any(job.status == "waiting" for job in jobs):
                return True
        return False

    def _tell(self) -> None:
        """Tell searches the worth of suggestions whose cells are all finished."""
        for held in list(self._open):
            if all(job.status in ENDED for job in held.jobs):
                self._open.remove(held)
                for job in held.jobs:
                    read_records(job, self._store)
                self._judge(held)

    def _judge(self, held: _Open) -> None:
        try:
            held.source.tell(held.number, held.jobs)
        except StudyError as problem:  # no suggestion of this search can be judged
            self.refused = problem
            self._sources.clear()
