"""`collapse-sweep export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.commands.outcome import DONE, say
from sweep.errors import UsageError
from sweep.workspace import Workspace
from trainables.cell import Cell
from trainables.recursion import Recursion, Steps
from trainables.store import open_store


def export(reference: str, overrides: Sequence[str], workspace: Workspace, prefix: str, folder: Path) -> int:
    """Write a model of a study where other libraries, and further studies, read it."""
    key, cell = _named([point.cell for point in expand(load_study(reference, overrides))], prefix)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"FOLDER: {str(folder)!r} is there already and not empty")
    store = open_store(workspace.storage)
    model = store.get("model", key)
    if model is None:
        raise UsageError(f"KEY: model {key} is not in {workspace.storage}: it was collected, or the study has not run")
    try:
        Recursion(cell, store).family.export(model, folder)
    except TypeError as problem:
        raise UsageError(f"KEY: {problem}") from problem
    say(f"model {key} is in {folder}")
    return DONE


def _named(cells: Sequence[Cell], prefix: str) -> tuple[str, Cell]:
    """The one model of the cells whose key starts so, and a cell that it is of."""
    found: dict[str, Cell] = {}
    for cell in cells:
        steps = Steps(cell)
        keys = [steps.step(generation).model for generation in range(1, cell.generations + 1)]
        found |= {key: cell for key in keys if key.startswith(prefix)}
    if len(found) != 1:
        raise UsageError(f"KEY: {len(found)} models of this study have a key that starts with {prefix!r}; give one's")
    return next(iter(found.items()))
