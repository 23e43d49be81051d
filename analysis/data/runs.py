"""What a reader of MLflow hands over: cells with their tags, and metric points. No pandas, no statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

FORMER = "collapse_sweep.former"
"""Tag of a run whose cell its study, as it was last run or reported, no longer has."""
FAILED, BROKEN = "failed", "failed, to be tried again"
"""Statuses of cells that diverged, which is final, and that failed by something else, as memory that ran out."""
LARGEST = 1.7976931348623157e308
"""MLflow keeps ±inf as this."""


@dataclass(frozen=True)
class CellRun:
    """One child run.

    Attributes:
        run: its id.
        tags: MLflow tags by name.
        config: canonical JSON of the cell.
    """

    run: str
    tags: Mapping[str, str]
    config: str


@dataclass
class Points:
    """Metric values in columns of equal length, oldest first; a later value of the same run, name and step wins."""

    run: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)

    def add(self, run: str, name: str, step: int, value: float) -> None:
        """Append one value."""
        self.run.append(run)
        self.name.append(name)
        self.step.append(step)
        self.value.append(value)


def restore(value: float, is_nan: bool = False) -> float:
    """The number that was logged: MLflow keeps infinities as the largest float, and NaN as a flag."""
    if is_nan:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def cell_runs(tags: Mapping[str, Mapping[str, str]], study: str | None) -> dict[str, Mapping[str, str]]:
    """Of runs with their tags, those that are cells, of one study where one is asked for."""
    return {
        run: found
        for run, found in tags.items()
        if "cell" in found and found.get("study") and study in (None, found["study"])
    }
