"""What a user sees while a study runs: a live view on a terminal, plain lines elsewhere. Writes to stderr."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from sweep.progress.eta import Eta, duration
from sweep.scheduling import Job, Listener
from trainables.cell import Record

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HEARTBEAT = 20.0
"""Seconds between two plain lines about what is running."""


class Progress(Listener):
    """A listener of the board that counts. Subclasses show."""

    def __init__(self, concurrency: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.jobs: list[Job] = []
        self.eta = Eta(concurrency, clock)
        self.begun: dict[str, float] = {}
        self.generations = self.reached = 0
        self._clock = clock
        self._standing: dict[str, tuple[str, int]] = {}
        self._counts: Counter[str] = Counter()
        self._running: dict[str, Job] = {}
        self._to_come = 0
        self.upcoming: Callable[[], int] = lambda: 0
        """Cells that open searches have yet to suggest."""

    def admitted(self, job: Job) -> None:
        """Count it."""
        self.jobs.append(job)
        self.generations += len(job.stages)
        self.eta.expect(job)
        self._to_come = self.upcoming()
        self._count(job)

    def started(self, job: Job) -> None:
        """Watch it."""
        self.begun.setdefault(job.key, self._clock())
        self.eta.start(job)
        self._count(job)

    def recorded(self, job: Job, record: Record) -> None:
        """Learn how long a generation takes."""
        self.eta.learn(job, record.generation)
        self._count(job)

    def ended(self, job: Job) -> None:
        """It no longer runs."""
        self.eta.stop(job)
        self._to_come = self.upcoming()
        self._count(job)

    @property
    def cells(self) -> int:
        """Cells in all, those included that searches have yet to suggest."""
        return len(self.jobs) + self._to_come

    @property
    def expected(self) -> int:
        """Generations in all; of cells that are yet to be suggested as many as the others have."""
        return self.generations + round(self._to_come * self.generations / max(len(self.jobs), 1))

    @property
    def left_seconds(self) -> float | None:
        """Seconds to go; None before anything was measured."""
        return self.eta.seconds(self._to_come)

    def note(self, text: str) -> None:
        """Something that is no cell is under way."""

    def close(self) -> None:
        """The run is over."""

    @property
    def running(self) -> list[Job]:
        """Jobs that run, longest first."""
        return sorted(self._running.values(), key=lambda job: self.begun[job.key])

    def _count(self, job: Job) -> None:
        """Keep the sums up to date: there may be far too many jobs to look at each whenever a line is written."""
        before, reached = self._standing.get(job.key, ("", 0))
        now = len(job.stages) if job.status in ("failed", "stopped") else job.done
        self._counts.subtract([before])
        self._counts.update([job.status])
        self.reached += now - reached
        self._standing[job.key] = job.status, now
        if job.status == "running":
            self._running[job.key] = job
        else:
            self._running.pop(job.key, None)

    def headline(self) -> str:
        """Cells by where they stand, and how long it may take."""
        done, running, failed, stopped = (self._counts[word] for word in ("done", "running", "failed", "stopped"))
        left = self.left_seconds
        early = f", {stopped} stopped early" if stopped else ""
        hint = f", about {duration(left)} left" if left is not None else ""
        return f"{done}/{self.cells} cells done, {running} running, {failed} failed{early}{hint}"


def _generations(job: Job) -> str:
    return f"{job.done} generation{'' if job.done == 1 else 's'}"


class PlainProgress(Progress):
    """One line for each cell that ends, and now and then one about what runs."""

    def __init__(
        self, concurrency: int, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(concurrency, clock)
        self._say, self._spoke = say, clock()

    def ended(self, job: Job) -> None:
        """Say how it ended."""
        super().ended(job)
        if job.status == "done":
            took = duration(self._clock() - self.begun[job.key])
            self._line(f"done    {job.title}  ({_generations(job)}, {took})")
        elif job.status == "failed":
            self._line(f"failed  {job.title}  {job.failure}")
        elif job.status == "stopped":
            self._line(f"stopped {job.title}  by the scheduler, after {_generations(job)}")

    def tick(self) -> None:
        """Say what runs, when nothing has been said for a while."""
        if self._clock() - self._spoke >= HEARTBEAT:
            for job in self.running:
                self._say(f"        {job.title}  generation {min(job.done + 1, len(job.stages))}/{len(job.stages)}")
            self._line("running")

    def note(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def _line(self, text: str) -> None:
        self._say(f"{text}  [{self.headline()}]")
        self._spoke = self._clock()


class LiveProgress(Progress):
    """A view that is drawn anew four times a second."""

    def __init__(self, concurrency: int, console: Console, title: str) -> None:
        from rich.live import Live

        super().__init__(concurrency)
        self._title = title
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._view)
        self._live.start()

    def ended(self, job: Job) -> None:
        """A failure stays on the screen."""
        super().ended(job)
        if job.status == "failed":
            self._live.console.print(f"failed  {job.title}  {job.failure}", style="red", highlight=False, markup=False)

    def note(self, text: str) -> None:
        """It stays on the screen."""
        self._live.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def _view(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for job in self.running[:12]:
            at = min(job.done + 1, len(job.stages))
            took = duration(self._clock() - self.begun[job.key])
            table.add_row(Text(job.title), f"generation {at}/{len(job.stages)}", took)
        head = Text.assemble((self._title, "bold"), "  ", self.headline())
        return Group(head, ProgressBar(total=self.expected or 1, completed=self.reached, width=60), table)
