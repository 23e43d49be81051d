"""`collapse-sweep relog`."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence

from search_spaces import load_study
from sweep.commands.outcome import DONE, say
from sweep.engine import open_board, show_stored
from sweep.reporting import findings_of
from sweep.tracking import connect
from sweep.workspace import Workspace, prepare
from trainables.store import open_store


def relog(reference: str, overrides: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Show where runs are shown what the store has and they lack."""
    study = load_study(reference, overrides)
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store)
    prepare(workspace)
    tracker = connect(study, workspace, warn=lambda trouble: say(f"warning: {trouble}"))
    written = show_stored(board, store, tracker)
    tracker.note(findings_of(study, workspace, board, store).tags)
    unfinished = any(job.status == "waiting" for job in board.jobs.values())
    tracker.close("stopped" if unfinished else "done")
    if json:
        print(jsonlib.dumps({"study": study.name, "written": written}))
    else:
        print(f"{study.name}: {written} of {len(board.jobs)} cells were not shown in full and are written")
    return DONE
