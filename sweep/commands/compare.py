"""`collapse-sweep compare`."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces import Study, load_study
from search_spaces.loading import Setting, differences
from sweep.commands.diff import plain, settings_table, shown
from sweep.commands.outcome import DONE
from sweep.commands.report import PIPE_WIDTH, options
from sweep.engine import open_board
from sweep.errors import UsageError
from sweep.reporting import records
from sweep.reporting import report as results
from sweep.workspace import Workspace, open_workspace
from trainables.store import Store, open_store

if TYPE_CHECKING:
    import pandas as pd

    from analysis.report import ReportContext


@dataclass(frozen=True)
class _Side:
    """A study, and where its results lie."""

    label: str
    study: Study
    store: Store
    frame: pd.DataFrame


def compare(references: Sequence[str], workspace: Workspace, out: Path | None, json: bool) -> int:
    """Say in what studies differ, and set their results side by side.

    Args:
        references: studies; `STUDY@DIR` lies in another workspace.
        workspace: of those that name none.
        out: folder of the page; by default among the workspace's reports.
        json: print it as JSON.

    Raises:
        UsageError: there are fewer than two, or one has no results yet.
    """
    import pandas as pd

    from analysis.report import ReportContext, compare_studies, paired_differences, side_by_side

    if len(references) < 2:
        raise UsageError("STUDY: two studies or more can be compared; name one in another workspace as STUDY@DIR")
    sides = _sides(references, workspace)
    settings = differences(*(side.study for side in sides))
    studies = [ReportContext(side.frame, side.label, store=side.store) for side in sides]
    folder = out or workspace.report("compared/" + "-and-".join(_safe(side.label) for side in sides))
    rows = [[one.path, *map(shown, one.values)] for one in settings]
    table = pd.DataFrame(rows, columns=["setting", *(side.label for side in sides)])
    place = ["--out", str(out)] if out else []
    command = shlex.join(["collapse-sweep", "compare", *references, *options((), workspace), *place])
    files = compare_studies(studies, folder, table, command)
    if json:
        held = {"verdicts": side_by_side(studies), "differences": paired_differences(studies)}
        told = {name: records(found) for name, found in held.items()}
        print(jsonlib.dumps({"settings": plain(settings), **told, "page": str(files["compare.html"])}))
        return DONE
    _print(settings, sides, studies)
    print(f"Page: {files['compare.html']}")
    return DONE


def _sides(references: Sequence[str], workspace: Workspace) -> list[_Side]:
    places = [_place(reference, workspace) for reference in references]
    studies = [load_study(name) for name, _ in places]
    names = [study.name for study in studies]
    found: list[_Side] = []
    for study, (name, place), reference in zip(studies, places, references, strict=True):
        store = open_store(place.storage)
        board = open_board(study, place, store)
        if not any(job.done for job in board.jobs.values()):
            first = shlex.join(["collapse-sweep", "run", name, *options((), place)])
            raise UsageError(f"{reference}: no generation is done in {place.root}; first: {first}")
        label = study.name if names.count(study.name) == 1 else f"{study.name} in {place.root.name}"
        taken = sum(side.label == label or side.label.startswith(f"{label} (") for side in found)
        label += f" ({taken + 1})" if taken else ""
        found.append(_Side(label, study, store, results.stored(study, board, store)))
    return found


def _place(reference: str, workspace: Workspace) -> tuple[str, Workspace]:
    """A study's reference and its workspace."""
    name, at, folder = reference.rpartition("@")
    if not at or Path(reference).is_file():
        return reference, workspace
    if not Path(folder).expanduser().is_dir():
        raise UsageError(f"{reference}: {folder} is no workspace: there is no such folder")
    return name, open_workspace(Path(folder))


def _print(settings: Sequence[Setting], sides: Sequence[_Side], studies: Sequence[ReportContext]) -> None:
    from rich.console import Console

    from analysis.report import paired_differences, side_by_side, tables

    print(settings_table(settings, [side.label for side in sides]) if settings else "All settings are the same.")
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = max(console.width, PIPE_WIDTH)
    for table in (side_by_side(studies), paired_differences(studies)):
        if not table.empty:
            tables.show(table, console)


def _safe(label: str) -> str:
    return "".join(mark if mark.isalnum() or mark in "._-" else "-" for mark in label)[:60]
