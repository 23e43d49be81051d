"""`collapse-sweep trial`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search_spaces import StudyError
from search_spaces.loading import load_cell
from sweep.commands.outcome import DONE, INCOMPLETE, say
from trainables import CellFailed, run


def trial(path: Path, overrides: Sequence[str], storage: str | None) -> int:
    """Run a cell here; one JSON record per generation on stdout. Exit code 1 where it fails."""
    cell = load_cell(path, overrides)
    try:
        for record in run(cell, storage):
            print(record.model_dump_json(), flush=True)
    except CellFailed as problem:
        say(f"failed: {problem}")
        return INCOMPLETE
    except ValueError as problem:
        raise StudyError(f"{path}: {problem}") from None
    return DONE
