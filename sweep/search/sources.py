"""The open searches of a study, by the kind that each block states."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Study
from search_spaces.expansion import is_open
from sweep.search.falsification import FalsifySource
from sweep.search.optuna_source import OptunaSource

SOURCES: dict[str, type[OptunaSource]] = {"optuna": OptunaSource, "falsify": FalsifySource}
"""Kind of search -> who makes its suggestions. A further kind needs a line here and one in `SEARCHES`."""


def open_searches(study: Study, journal: Path | None, writing: bool = True) -> dict[int, OptunaSource]:
    """Who makes suggestions, by block.

    Args:
        study: whose.
        journal: Optuna's; None keeps searches in memory.
        writing: False only reads what earlier runs kept.

    Raises:
        StudyError: a search can't be.
    """
    kinds = {number: SOURCES[block.search.kind] for number, block in enumerate(study.blocks) if is_open(block)}
    return {number: kind(study, number, journal, writing) for number, kind in kinds.items()}
