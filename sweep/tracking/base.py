"""Where runs are shown: a small protocol, and a tracker that shows nothing. See docs/decisions/0002-mlflow-schema.md.

A tracker is a view. It never holds the only copy of anything, and what fails in it never stops a study.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking.schema import Difference
from sweep.tracking.summaries import Summary
from trainables.cell import Record

KEPT = "results are kept in the store; `relog` shows them there"
"""What becomes of what a tracker lost, or could not show."""


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

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job that is there anew where its figures are not the store's; what was otherwise."""

    def outdate(self, current: Collection[str]) -> None:
        """The study has these cells (keys) now; others that are shown are marked as no longer its own."""

    def note(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """What each configuration came to under each policy, in place of what was said of it before."""

    def keep_report(self, folder: Path) -> None:
        """Lay a folder of tables, pictures and pages before the study."""

    def samples_kept(self, job: Job) -> bool:
        """Whether all generations' samples of a cell are there, or none are wanted."""

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay a folder of samples before a cell."""

    def close(self, outcome: str) -> None:
        """The run is over: `done`, `failed` or `stopped`; empty where nothing was run and it stays as it was."""


class NullTracker:
    """Shows nothing. Base of trackers that show some of what they hear."""

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

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Nothing differs."""
        return ()

    def outdate(self, current: Collection[str]) -> None:
        """Nothing."""

    def note(self, tags: Mapping[str, str]) -> None:
        """Nothing."""

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """Nothing."""

    def keep_report(self, folder: Path) -> None:
        """Nothing."""

    def samples_kept(self, job: Job) -> bool:
        """Always: none are wanted."""
        return True

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Nothing."""

    def close(self, outcome: str) -> None:
        """Nothing."""


class Guarded:
    """A tracker whose failures stop nothing: the first one is told once, then it is left alone.

    Args:
        tracker: the tracker.
        warn: told in one line.
        hint: said with it, unless the failure has a hint of its own.
    """

    def __init__(self, tracker: Tracker, warn: Callable[[str], None], hint: str = "") -> None:
        self.trouble: str | None = tracker.trouble
        self._tracker, self._warn, self._hint = tracker, warn, hint

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
        """Whether a finished job is there in full; what is left alone lacks nothing."""
        return self._asked(lambda: self._tracker.shown(job))

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job anew where its figures are not the store's."""
        found: list[Difference] = []
        self._try(lambda: found.extend(self._tracker.mend(job, records)))
        return found

    def outdate(self, current: Collection[str]) -> None:
        """Mark cells that the study no longer has."""
        self._try(lambda: self._tracker.outdate(current))

    def note(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""
        self._try(lambda: self._tracker.note(tags))

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """What each configuration came to under each policy."""
        self._try(lambda: self._tracker.conclude(summaries))

    def keep_report(self, folder: Path) -> None:
        """Lay the report before the study."""
        self._try(lambda: self._tracker.keep_report(folder))

    def samples_kept(self, job: Job) -> bool:
        """Whether all generations' samples of a cell are there; what is left alone lacks nothing."""
        return self._asked(lambda: self._tracker.samples_kept(job))

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay samples before a cell."""
        self._try(lambda: self._tracker.keep_samples(job, folder))

    def close(self, outcome: str) -> None:
        """The run is over."""
        self._try(lambda: self._tracker.close(outcome))

    def _asked(self, question: Callable[[], bool]) -> bool:
        """The answer; yes where there is none."""
        answers: list[bool] = []
        self._try(lambda: answers.append(question()))
        return all(answers)

    def _try(self, call: Callable[[], None]) -> None:
        if self.trouble is not None:
            return
        try:
            call()
        except Exception as problem:  # a tracker may be anybody's
            self.trouble = told(problem)
            self._warn(told(problem, self._hint))


class Several:
    """Hands on what it hears. One that raises keeps it from those behind it: guard each where that must not be."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    @property
    def trouble(self) -> str | None:
        """Why some of them no longer write."""
        return "; ".join(tracker.trouble for tracker in self._trackers if tracker.trouble) or None

    @trouble.setter
    def trouble(self, value: str | None) -> None:
        raise AttributeError("each tracker tells its own trouble")

    def admitted(self, job: Job) -> None:
        """A cell belongs to the study."""
        for tracker in self._trackers:
            tracker.admitted(job)

    def started(self, job: Job) -> None:
        """A trial takes it up."""
        for tracker in self._trackers:
            tracker.started(job)

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done."""
        for tracker in self._trackers:
            tracker.recorded(job, record)

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""
        for tracker in self._trackers:
            tracker.ended(job)

    def tick(self) -> None:
        """Time has passed."""
        for tracker in self._trackers:
            tracker.tick()

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Show a finished job."""
        for tracker in self._trackers:
            tracker.complete(job, records)

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full, everywhere."""
        return all(tracker.shown(job) for tracker in self._trackers)

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job anew wherever its figures are not the store's."""
        return [found for tracker in self._trackers for found in tracker.mend(job, records)]

    def outdate(self, current: Collection[str]) -> None:
        """Mark cells that the study no longer has."""
        for tracker in self._trackers:
            tracker.outdate(current)

    def note(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""
        for tracker in self._trackers:
            tracker.note(tags)

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """What each configuration came to under each policy."""
        for tracker in self._trackers:
            tracker.conclude(summaries)

    def keep_report(self, folder: Path) -> None:
        """Lay the report before the study."""
        for tracker in self._trackers:
            tracker.keep_report(folder)

    def samples_kept(self, job: Job) -> bool:
        """Whether every tracker that wants a cell's samples has them."""
        return all(tracker.samples_kept(job) for tracker in self._trackers)

    def keep_samples(self, job: Job, folder: Path) -> None:
        """Lay samples before a cell."""
        for tracker in self._trackers:
            tracker.keep_samples(job, folder)

    def close(self, outcome: str) -> None:
        """The run is over."""
        for tracker in self._trackers:
            tracker.close(outcome)


def told(problem: Exception, hint: str = "") -> str:
    """A failure in one line, with a hint unless it has one; what nobody foresaw with its type."""
    text, own = " ".join(str(problem).split()), ""
    if isinstance(problem, TrackingError):
        own = problem.hint
    else:
        text = f"tracking: {type(problem).__name__}: {text[:300]}"
    return f"{text}; {hint}" if hint and not own else text
