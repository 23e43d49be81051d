"""The open searches of a study, by the kind that each block states."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Study
from search_spaces.expansion import is_open
from sweep.search.falsification import FalsifySource
from sweep.search.optuna_source import OptunaSource

SOURCES: dict[str, type[OptunaSource]] = {"optuna": OptunaSource, "falsify": FalsifySource}
"""Kind of search -> who makes its suggestions. A further kind needs a line here and one in `SEARCHES`."""


def open_searches(study: Study, journal: Path | None) -> dict[int, OptunaSource]:
    """Who makes suggestions, by block.

    Args:
        study: whose.
        journal: Optuna's; None keeps searches in memory.

    Raises:
        StudyError: a search can't be.
    """
    found = enumerate(study.blocks)
    return {number: SOURCES[block.search.kind](study, number, journal) for number, block in found if is_open(block)}
