"""What a search seeks, by name: statistics of `analysis`, taken of a finished cell's held-out loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np

from search_spaces import StudyError
from sweep.job import Job
from trainables.config import suggest

OBJECTIVES = {
    "final_loss": "loss of the last generation",
    "first_loss": "loss of generation 1",
    "growth": "slope of the loss per generation",
    "growth_ratio": "loss of the last generation over that of generation 1",
}
"""Name -> what it is."""

PENALTY = 1e12
"""What a search is told of a cell that failed, on the bad side: finite, because Optuna refuses NaN for ever."""


def check_objective(name: str) -> None:
    """Refuse an unknown name.

    Raises:
        StudyError: with the nearest name.
    """
    if name not in OBJECTIVES:
        raise StudyError(f"search.objective: unknown objective {name!r}{suggest(name, OBJECTIVES)}")


def worth(name: str, jobs: Iterable[Job], mode: Literal["min", "max"]) -> tuple[float, bool]:
    """The mean objective of a suggestion's cells, and whether one of them failed or was not finite."""
    values = [_value(name, job) for job in jobs]
    if not values or not all(map(math.isfinite, values)):
        return (PENALTY if mode == "min" else -PENALTY), True
    return float(np.mean(values)), False


def _value(name: str, job: Job) -> float:
    if job.status != "done":
        return math.nan
    losses = np.array([[job.records[n].test_loss for n in sorted(job.records)]])
    return float(_statistic(name)(losses)[0])


def _statistic(name: str) -> Callable[[np.ndarray], np.ndarray]:
    from analysis import curves

    return {
        "final_loss": curves.last,
        "first_loss": curves.first,
        "growth": lambda losses: curves.slope(losses, np.arange(1, losses.shape[1] + 1)),
        "growth_ratio": curves.ratio,
    }[name]
