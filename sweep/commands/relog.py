"""`collapse-sweep relog`."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence
from dataclasses import asdict

from search_spaces import Study, load_study
from sweep.commands.outcome import DONE, say
from sweep.engine import open_board, show_stored
from sweep.reporting import findings_of
from sweep.reporting import report as results
from sweep.scheduling import Board, read_records
from sweep.tracking import Difference, Tracker, connect, exhibit
from sweep.workspace import Workspace, prepare
from trainables.store import Store, open_store

NAMED = 20
"""Figures that are named on the terminal."""


def relog(reference: str, overrides: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Show where runs are shown what the store has and they lack, or have otherwise."""
    study = load_study(reference, overrides)
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store)
    prepare(workspace)
    tracker = connect(study, workspace, warn=lambda trouble: say(f"warning: {trouble}"))
    written = show_stored(board, store, tracker)
    mended = _mend(board, store, tracker)
    tracker.outdate({*board.jobs, *board.left_out})
    tracker.note(findings_of(study, workspace, board, store).tags)
    unfinished = any(job.status == "waiting" for job in board.jobs.values())
    tracker.close("stopped" if unfinished else "done")
    if any(job.done for job in board.jobs.values()):
        _conclude(study, board, workspace, store)
    if json:
        differing = [asdict(one) for found in mended for one in found]
        print(jsonlib.dumps({"study": study.name, "written": written, "mended": len(mended), "differing": differing}))
        return DONE
    print(f"{study.name}: {written} of {len(board.jobs)} cells were not shown in full and are written")
    if mended:
        _tell(study.name, mended)
    return DONE


def _conclude(study: Study, board: Board, workspace: Workspace, store: Store) -> None:
    """Show what the study came to, as a run does at its end; the report that was written last with it."""
    frame = results.stored(study, board, store)
    folder = workspace.report(study.name)
    written = folder if (folder / "report.html").is_file() else None
    table = results.assess(frame, store)
    exhibit(study, board, workspace, store, frame, table, written, lambda trouble: say(f"warning: {trouble}"))


def _mend(board: Board, store: Store, tracker: Tracker) -> list[Sequence[Difference]]:
    """Of each cell that was shown otherwise than it is stored, what was; it is written anew."""
    stored = (job for job in board.jobs.values() if job.done)
    return [found for job in stored if (found := tracker.mend(job, read_records(job, store)))]


def _tell(study: str, mended: Sequence[Sequence[Difference]]) -> None:
    differing = [one for found in mended for one in found]
    print(f"{study}: {len(differing)} figures of {len(mended)} cells were not the store's; the cells are written anew")
    for one in differing[:NAMED]:
        print(f"  {one}")
    if len(differing) > NAMED:
        print(f"  and {len(differing) - NAMED:,} more; --json names them all")
