"""`Listener`: who wants to hear of a study's jobs."""

from __future__ import annotations

from typing import Protocol

from sweep.scheduling.job import Job
from trainables.cell import Record


class Listener(Protocol):
    """Hears of every change in the order in which it happens; a subclass takes no notice of what it leaves out.

    Whoever has all of these methods is one, too.
    """

    def admitted(self, job: Job) -> None:
        """A cell belongs to the study; it may be done already."""
        return

    def started(self, job: Job) -> None:
        """A trial takes it up."""
        return

    def recorded(self, job: Job, record: Record) -> None:
        """A generation is done, or was read again."""
        return

    def ended(self, job: Job) -> None:
        """It is done, has failed, or goes back to wait."""
        return

    def tick(self) -> None:
        """Time has passed."""
        return
