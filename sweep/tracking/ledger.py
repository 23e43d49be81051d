"""`Ledger`: base of trackers that only ever append. It knows what is there, so that nothing is written twice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from analysis.data import metrics_of
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking.base import NullTracker
from sweep.tracking.schema import Difference, Figures, differences, figures_of, state_tags, summary_of
from trainables.cell import Record


@dataclass
class Shown:
    """What is there of a cell: its generations, and the tags that say where it stands."""

    generations: set[int] = field(default_factory=set)
    state: dict[str, str] = field(default_factory=dict)


class Ledger(NullTracker, ABC):
    """A tracker whose subclasses say how four things are written and what of a cell is there already.

    Everything that can go wrong in their methods is told as this tracker's trouble, in one line.

    Args:
        uri: as the user gave it, for messages.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._cells: dict[str, Shown] = {}

    @abstractmethod
    def find(self, job: Job) -> Shown:
        """What earlier runs wrote of a cell."""

    @abstractmethod
    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        """A generation's figures, `test_loss` among them."""

    @abstractmethod
    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        """Where a cell stands, see `state_tags`; of one that is done, statistics of its whole curve."""

    @abstractmethod
    def write_study(self, tags: Mapping[str, str]) -> None:
        """What the study as a whole has found."""

    def figures(self, job: Job) -> Figures:
        """What is there of a cell, at least of its generations' metrics; nothing where it can't be read back."""
        return {}

    def remove(self, job: Job) -> None:
        """Take away all that is there of a cell, which is written anew; asked for only of what `figures` told of."""

    def finish(self) -> None:
        """Nothing more will be written."""

    def started(self, job: Job) -> None:
        """Show the cell as running."""
        self._show(job, {})

    def recorded(self, job: Job, record: Record) -> None:
        """Write a generation, where it is not there yet."""
        with reported(self.uri):
            self._write(job, record)

    def ended(self, job: Job) -> None:
        """Show how it ended."""
        self._show(job, {n: record.test_loss for n, record in job.records.items()})

    def complete(self, job: Job, records: Sequence[Record]) -> None:
        """Write a finished job, where it is not there yet."""
        with reported(self.uri):
            for record in records:
                self._write(job, record)
        self._show(job, {record.generation: record.test_loss for record in records})

    def shown(self, job: Job) -> bool:
        """Whether a finished job is there in full."""
        with reported(self.uri):
            held = self._held(job)
        return held.state == state_tags(job) and held.generations >= set(range(1, job.done + 1))

    def mend(self, job: Job, records: Sequence[Record]) -> Sequence[Difference]:
        """Write a job anew where its figures can be read back and are not the store's."""
        with reported(self.uri):
            shown = self.figures(job)
            found = differences(job.title, shown, figures_of(records)) if shown else []
            if found:
                self.remove(job)
                self._cells[job.key] = Shown()
        if found:
            self.complete(job, records)
        return found

    def note(self, tags: Mapping[str, str]) -> None:
        """Write what the study as a whole has found."""
        if tags:
            with reported(self.uri):
                self.write_study(tags)

    def close(self, outcome: str) -> None:
        """Write how it ended."""
        with reported(self.uri):
            if outcome:
                self.write_study({"outcome": outcome})
            self.finish()

    def _held(self, job: Job) -> Shown:
        if job.key not in self._cells:
            self._cells[job.key] = self.find(job)
        return self._cells[job.key]

    def _write(self, job: Job, record: Record) -> None:
        held = self._held(job)
        if record.generation not in held.generations:
            self.write_generation(job, record.generation, metrics_of(record))
            held.generations.add(record.generation)

    def _show(self, job: Job, losses: Mapping[int, float]) -> None:
        with reported(self.uri):
            state, held = state_tags(job), self._held(job)
            if state != held.state:
                whole = job.status == "done" and len(losses) >= job.done
                self.write_state(job, state, summary_of(losses) if whole else {})
                held.state = state


def local_folder(uri: str) -> Path:
    """The folder that `scheme://folder` means, absolute; relative ones are in the working directory.

    Raises:
        TrackingError: it names none.
    """
    scheme, _, place = uri.partition("://")
    if not place:
        raise TrackingError(f"--tracking-uri {uri}: names no folder; as in {scheme}://runs or {scheme}:///home/me/runs")
    return Path(place).expanduser().absolute()


@contextmanager
def reported(uri: str) -> Iterator[None]:
    """What can go wrong with a tracker, as one line."""
    try:
        yield
    except TrackingError:
        raise
    except OSError as problem:
        reason = f"{problem.filename}: {problem.strerror}" if problem.filename and problem.strerror else str(problem)
        raise TrackingError(f"--tracking-uri {uri}: {reason}") from None
