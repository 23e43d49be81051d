"""Which cell is run next, so that no step is computed twice and none is waited for while there is other work.

Cells share beginnings: those whose next model is the same stand in one line. The first of a line is run, the
others wait until that model is there. Long lines go first, and in a line the long cells.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import insort
from collections.abc import Callable, Hashable, Iterable

from sweep.scheduling.job import Job, Stage

_Offer = tuple[float, int, str]
"""A line that may be served: minus its operations, order, name."""


class Queue:
    """Jobs that wait to be run. The driver's own; not thread-safe.

    Attributes:
        full: whether the last `take` passed over a job for which there was no room.
    """

    def __init__(self) -> None:
        self._lines: dict[str, list[Job]] = {}
        self._heaps: dict[Hashable, list[_Offer]] = {}
        self._order = itertools.count()
        self._at: dict[Job, int] = {}
        self._models: dict[str, Job] = {}
        self._batches: dict[str, Job] = {}
        self._computed: set[str] = set()
        self.full = False

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def add(self, jobs: Iterable[Job]) -> None:
        """Let jobs wait.

        Lines of equal weight are served by name, a hash: the same in every process, and not in a grid's own order, in
        which a scheduler that compares cells with earlier ones might see only better and better ones.
        """
        for name in sorted({self._join(job) for job in jobs}):
            self._offer(name)

    def take(self, fits: Callable[[Job], bool] = lambda job: True) -> Job | None:
        """The job to run now, or None where there is none that fits, or all wait for models that running jobs compute.

        Jobs that want different machines don't wait for each other. A job that needs a batch which a running job is
        sampling is given only when there is no other in its lane.

        Args:
            fits: whether there is room for the job.
        """
        self.full = False
        for heap in sorted(self._heaps.values(), key=lambda heap: heap[:1]):
            offer = self._best(heap)
            if offer is not None and fits(self._lines[offer[2]][0]):
                return self._start(offer[2])
            if offer is not None:
                heapq.heappush(heap, offer)
                self.full = True
        return None

    def _best(self, heap: list[_Offer]) -> _Offer | None:
        """The offer of a lane to be served next, taken off its heap."""
        behind: list[_Offer] = []
        chosen: _Offer | None = None
        while heap and chosen is None:
            offer = heapq.heappop(heap)
            if not self._lines.get(offer[2]) or offer[2] in self._models:
                continue  # an old offer: the line is offered again when something changes
            stage = self._stage(self._lines[offer[2]][0])
            if stage is not None and stage.batch in self._batches:
                behind.append(offer)
            else:
                chosen = offer
        if chosen is None and behind:
            chosen = behind.pop(0)
        for offer in behind:
            heapq.heappush(heap, offer)
        return chosen

    def advance(self, job: Job) -> None:
        """A running job has a further record: who waited for its model may go on."""
        if job.done <= self._at[job]:
            return  # a generation that was there already
        free = self._drop(job)
        self._at[job] = job.done
        self._hold(job)
        if free is not None:
            self._computed.add(free.model)
            self.add(self._lines.pop(free.model, []))

    def release(self, job: Job) -> None:
        """A job runs no longer; what it was computing is free for others."""
        free = self._drop(job)
        del self._at[job]
        if free is not None:
            self._offer(free.model)

    def _join(self, job: Job) -> str:
        """Put a job into the line of the model that it needs next; the line's name."""
        stage = self._stage(job)
        name = stage.model if stage is not None else job.key
        insort(self._lines.setdefault(name, []), job, key=lambda other: (-other.remaining, other.key))
        return name

    def _stage(self, job: Job) -> Stage | None:
        """The first stage that still has to be computed; None where only records are to be read."""
        for stage in job.stages[job.done :]:
            if stage.model not in self._computed:
                return stage
        return None

    def _offer(self, name: str) -> None:
        line = self._lines.get(name)
        if line:
            heap = self._heaps.setdefault(line[0].lane, [])
            heapq.heappush(heap, (-sum(job.remaining for job in line), next(self._order), name))

    def _start(self, name: str) -> Job:
        job = self._lines[name].pop(0)
        if not self._lines[name]:
            del self._lines[name]
        stage = self._stage(job)
        self._at[job] = job.stages.index(stage) if stage is not None else len(job.stages)
        self._hold(job)
        return job

    def _hold(self, job: Job) -> None:
        at = self._at[job]
        if at < len(job.stages):
            self._models.setdefault(job.stages[at].model, job)
            if job.stages[at].batch:
                self._batches.setdefault(job.stages[at].batch, job)

    def _drop(self, job: Job) -> Stage | None:
        """Let go of what the job holds; the stage that it was at."""
        at = self._at[job]
        if at >= len(job.stages):
            return None
        stage = job.stages[at]
        if self._models.get(stage.model) is job:
            del self._models[stage.model]
        if self._batches.get(stage.batch) is job:
            del self._batches[stage.batch]
        return stage
