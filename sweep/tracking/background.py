"""A tracker that writes on threads of its own, so that a slow server keeps no trial waiting."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from pathlib import Path
from typing import Any

from sweep.scheduling import Job
from sweep.tracking.base import Tracker
from sweep.tracking.schema import Difference
from sweep.tracking.summaries import Summary
from trainables.cell import Record

BACKLOG = 5000
"""Things still to be written, beyond which the driver waits: a server that can't keep up must not fill its memory."""


class Background:
    """Hands what it hears on to another tracker, in order for each job. What fails there is raised by a later call.

    Args:
        tracker: who writes; must allow calls about different jobs at the same time where `threads` is not 1.
        threads: that write.
    """

    trouble: str | None = None

    def __init__(self, tracker: Tracker, threads: int = 1) -> None:
        self._tracker = tracker
        self._writers = [ThreadPoolExecutor(1, "collapse-sweep tracking") for _ in range(threads)]
        self._pending: deque[Future[Any]] = deque()
        self._failed = threading.Event()

    def admitted(self, job: Job) -> None:
        """A cell belongs to the study."""
        self._later(job, self._tracker.admitted)

    def started(self, job: Job) -> None:
        """A trial takes it up."""
        self._later(job, self._tracker.started)

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done."""
        self._later(job, lambda held: self._tracker.recorded(held, record))

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""
        self._later(job, self._tracker.ended)

    def tick(self) -> None:
        """Raise what went wrong meanwhile."""
        self._settle(BACKLOG)

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Show a finished job."""
        self._later(job, lambda held: self._tracker.complete(held, records))

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full, as far as it was written."""
        return self._tracker.shown(job)

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job anew where its figures are not the store's, behind what was told before."""
        self._settle(0)
        return self._tracker.mend(job, records)

    def outdate(self, current: Collection[str]) -> None:
        """Mark cells that the study no longer has, behind what was told before."""
        self._settle(0)
        self._tracker.outdate(current)

    def note(self, tags: Mapping[str, str]) -> None:
        """Add to what the parent run says."""
        self._submit(0, self._tracker.note, dict(tags))

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """Add what each configuration came to, behind what was told before."""
        self._settle(0)
        self._tracker.conclude(summaries)

    def keep_report(self, folder: Path) -> None:
        """Lay the report before the study."""
        self._tracker.keep_report(folder)

    def samples_kept(self, job: Job) -> bool:
        """Whether all generations' samples of a cell are there."""
        return self._tracker.samples_kept(job)

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay samples before a cell."""
        self._tracker.keep_samples(job, folder)

    def close(self, outcome: str) -> None:
        """Write all that is left, then end the run."""
        self._settle(0)
        self._tracker.close(outcome)
        self._stop()

    def _later(self, job: Job, call: Callable[[Job], None]) -> None:
        """Jobs change: what is written is how the job stands now."""
        self._submit(int(job.key[:8], 16) % len(self._writers), call, copy(job))
        self._settle(BACKLOG)

    def _submit(self, writer: int, call: Callable[[Any], None], told: Any) -> None:
        self._pending.append(self._writers[writer].submit(self._try, call, told))

    def _try(self, call: Callable[[Any], None], told: Any) -> None:
        """Not after a failure: each further call may wait as long for a server or a lock, and the process for it."""
        if self._failed.is_set():
            return
        try:
            call(told)
        except Exception:
            self._failed.set()
            raise

    def _settle(self, left: int) -> None:
        """Look at what is written, and wait while more than `left` is not."""
        try:
            while self._pending and (len(self._pending) > left or self._pending[0].done()):
                self._pending.popleft().result()
        except Exception:
            self._stop()
            raise

    def _stop(self) -> None:
        """What was not written yet will not be: the store has it."""
        for writer in self._writers:
            writer.shutdown(wait=False, cancel_futures=True)
        self._pending.clear()
