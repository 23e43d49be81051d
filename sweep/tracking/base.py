"""Where runs are shown: a small protocol, and a tracker that shows nothing. See docs/decisions/0002-mlflow-schema.md.

A tracker is a view. It never holds the only copy of anything, and what fails in it never stops a study.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sweep.errors import TrackingError
from sweep.scheduling import Job
from trainables.cell import Record


class Tracker(Protocol):
    """A listener of the board that keeps what it hears. One writer, on the driver."""

    trouble: str | None
    """Why it no longer writes; None while it does."""

    def admitted(self, job: Job) -> None:
        """A cell belongs to the study."""

    def started(self, job: Job) -> None:
        """A trial takes it up."""

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done; one that is shown already is passed over."""

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""

    def tick(self) -> None:
        """Time has passed."""

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Show a finished job as the store has it, where that is not shown yet."""

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full."""

    def note(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""

    def close(self, outcome: str) -> None:
        """The run is over: `done`, `failed` or `stopped`."""


class NullTracker:
    """Shows nothing."""

    trouble: str | None = None

    def admitted(self, job: Job) -> None:
        """Nothing."""

    def started(self, job: Job) -> None:
        """Nothing."""

    def recorded(self, job: Job, record: Record) -> None:
        """Nothing."""

    def ended(self, job: Job) -> None:
        """Nothing."""

    def tick(self) -> None:
        """Nothing."""

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Nothing."""

    def shown(self, job: Job) -> bool:
        """Always: there is nothing to show."""
        return True

    def note(self, tags: Mapping[str, str]) -> None:
        """Nothing."""

    def close(self, outcome: str) -> None:
        """Nothing."""


class Guarded:
    """A tracker whose failures stop nothing: the first one is told once, then it is left alone.

    Args:
        tracker: the tracker.
        warn: told in one line.
    """

    def __init__(self, tracker: Tracker, warn: Callable[[str], None]) -> None:
        self.trouble: str | None = tracker.trouble
        self._tracker, self._warn = tracker, warn

    def admitted(self, job: Job) -> None:
        """A cell belongs to the study."""
        self._try(lambda: self._tracker.admitted(job))

    def started(self, job: Job) -> None:
        """A trial takes it up."""
        self._try(lambda: self._tracker.started(job))

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done."""
        self._try(lambda: self._tracker.recorded(job, record))

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""
        self._try(lambda: self._tracker.ended(job))

    def tick(self) -> None:
        """Time has passed."""
        self._try(self._tracker.tick)

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Show a finished job."""
        self._try(lambda: self._tracker.complete(job, records))

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full."""
        return self._tracker.shown(job)

    def note(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""
        self._try(lambda: self._tracker.note(tags))

    def close(self, outcome: str) -> None:
        """The run is over."""
        self._try(lambda: self._tracker.close(outcome))

    def _try(self, call: Callable[[], None]) -> None:
        if self.trouble is not None:
            return
        try:
            call()
        except TrackingError as problem:
            self.trouble = str(problem)
            self._warn(self.trouble)
