"""What a board asks of searches and schedulers, so that it needs to know none of them."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from search_spaces import Point
from sweep.scheduling.job import Job
from trainables.cell import Record


@dataclass(frozen=True)
class Suggestion:
    """Values to try, on every cell of a block's grids.

    Attributes:
        number: Optuna's number of it.
        points: the cells.
    """

    number: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Later:
    """Nothing can be suggested before what is being tried is known."""


class SuggestionSource(Protocol):
    """Whoever makes suggestions."""

    def left(self, known: Container[str]) -> int:
        """Suggestions that are still to be asked for, given the keys of the cells that are known."""

    def past(self) -> list[Suggestion]:
        """Suggestions of earlier runs whose worth is known."""

    def under_way(self) -> list[Suggestion]:
        """Suggestions that a run is trying, or was when it was killed."""

    @property
    def each(self) -> int:
        """Cells of a suggestion."""

    def ask(self) -> Suggestion | Later | None:
        """What to try next, or None when all samples have been drawn."""

    def resume(self) -> None:
        """Make suggestions again, before any other, that a kill cut short."""

    def summary(self) -> dict[str, Any] | None:
        """What was found, as plain data; None before anything is known, and of a search that is told of elsewhere."""

    def tell(self, number: int, jobs: Sequence[Job]) -> None:
        """What a suggestion's cells came to.

        Raises:
            StudyError: they can't be judged by what the search seeks.
        """


class EarlyStopping(Protocol):
    """Whoever decides which cells stop before their last generation."""

    def admit(self, job: Job) -> None:
        """Mark a cell that was stopped before, and hear of one that is done already."""

    def judge(self, job: Job, record: Record) -> bool:
        """Whether a running cell stops with this generation."""

    def end(self, job: Job) -> None:
        """A cell is done, stopped or failed."""
