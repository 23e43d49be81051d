"""`collapse-sweep status`."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Sequence

from search_spaces import load_study
from sweep.board import Board
from sweep.commands.outcome import DONE, INCOMPLETE
from sweep.commands.text import columns
from sweep.engine import open_board
from sweep.job import Job
from sweep.workspace import Workspace
from trainables.store import Store, open_store

SHOWN = {"done": "done", "running": "running", "failed": "failed", "stopped": "stopped early", "waiting": "left"}
"""How people are told of a job's status, in this order."""


def status(reference: str, overrides: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Print where every cell of a study stands. Exit code 1 where some failed."""
    study = load_study(reference, overrides)
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store)
    mark_running(board, store)
    jobs = list(board.jobs.values())
    if json:
        left_out = list(board.left_out.values())
        print(jsonlib.dumps({"study": study.name, "cells": [describe(job) for job in jobs], "left_out": left_out}))
    else:
        _print(study.name, jobs)
        for name in board.left_out.values():
            print(f"left out by the budget: {name}")
    return INCOMPLETE if any(job.status == "failed" for job in jobs) else DONE


def mark_running(board: Board, store: Store) -> None:
    """Cells whose next step somebody is computing now, as the store's leases show."""
    for job in board.waiting:
        stage = job.stages[job.done]
        if store.busy("record", stage.record) is not None:
            job.status = "running"


def describe(job: Job) -> dict[str, object]:
    """A job as plain data."""
    return {
        "cell": job.key,
        "title": job.title,
        "status": SHOWN[job.status],
        "done": job.done,
        "generations": len(job.stages),
        "failure": str(job.failure) if job.failure else None,
    }


def _print(name: str, jobs: Sequence[Job]) -> None:
    counts = {status: sum(job.status == status for job in jobs) for status in SHOWN}
    if not counts["stopped"]:
        del counts["stopped"]
    print(f"{name}: " + ", ".join(f"{count} {SHOWN[status]}" for status, count in counts.items()))
    shown = [job for job in jobs if job.status != "done"]
    if shown:
        rows = [
            [job.title, str(describe(job)["status"]), f"{job.done}/{len(job.stages)}", str(job.failure or "")]
            for job in shown
        ]
        print(columns([["cell", "status", "generations", "reason"], *rows], left=4))
