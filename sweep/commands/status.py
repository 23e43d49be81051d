"""`collapse-sweep status`."""

from __future__ import annotations

import json as jsonlib
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from search_spaces import load_study
from sweep.commands.failures import failures
from sweep.commands.outcome import DONE, INCOMPLETE, say
from sweep.commands.report import options
from sweep.engine import open_board
from sweep.progress import duration, read_note
from sweep.reporting import tuned_lines
from sweep.scheduling import Board, Failure, Job
from sweep.search import OptunaSource
from sweep.terminal import columns
from sweep.tune_first import FITS, Standing, standing
from sweep.workspace import Workspace
from trainables.store import Store, open_store

SHOWN = {"done": "done", "running": "running", "failed": "failed", "stopped": "stopped early", "waiting": "left"}
"""How people are told of a job's status, in this order."""


def status(reference: str, overrides: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Print where every cell of a study stands. Exit code 1 where some failed."""
    study = load_study(reference, overrides)
    if not workspace.root.exists():
        say(f"note: there is no workspace {workspace.root} yet; `run` makes it, --workspace names another")
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store, under_way=True)
    note = read_note(workspace.running(study.name))
    mark_running(board, store)
    if note is not None:
        _mark_noted(board, note)
    jobs = list(board.jobs.values())
    cells = [describe(job) | {"log": _log(job, workspace)} for job in jobs]
    tuning = standing(study, store)
    if json:
        left_out = list(board.left_out.values())
        told = {"study": study.name, "cells": cells, "left_out": left_out, "run": note}
        told |= {"searches": list(_searches(board))} if board.searches else {}
        print(jsonlib.dumps(told | ({"tune_first": _plain(tuning)} if tuning else {})))
    else:
        if tuning is not None:
            _print_tuning(study.name, tuning)
        again = shlex.join(["collapse-sweep", "run", reference, *options(overrides, workspace)])
        _print(study.name, jobs, workspace, again)
        for one in _searches(board):
            print(
                f"search {one['search']}: {one['known']:,} of {one['suggestions']:,} suggestions are known, "
                f"{one['under_way']:,} under way, {one['to_come']:,} to come ({one['cells_each']:,} cells each)"
            )
        for name in board.left_out.values():
            print(f"left out by the budget: {name}")
        if board.unasked:
            print(f"left out by the budget: {board.unasked:,} suggestions of open searches")
        if note is not None:
            _print_run(note)
    return INCOMPLETE if any(job.status == "failed" for job in jobs) else DONE


def _searches(board: Board) -> Iterator[dict[str, Any]]:
    """How far each open search is, in suggestions."""
    for source in board.searches:
        if isinstance(source, OptunaSource):
            known, trying, to_come = len(source.trials()), len(source.under_way()), source.left(board.jobs)
            counts = {"known": known, "under_way": trying, "to_come": to_come, "suggestions": known + trying + to_come}
            yield {"search": source.name, **counts, "cells_each": source.each}


def _plain(tuning: Standing) -> dict[str, Any]:
    sizes = [{"block": one.name, "size": one.tuning.size, "chosen": one.chosen} for one in tuning.tuned]
    return {"done": tuning.done, "fits": tuning.fits, "waiting": tuning.waiting, "sizes": sizes}


def _print_tuning(name: str, tuning: Standing) -> None:
    """What is tuned first, how far that is, and what was chosen."""
    wait = f"; {tuning.waiting:,} cells wait for it" if tuning.waiting else ""
    print(f"{name}: tuning first: {tuning.done:,} of {tuning.fits:,} {FITS} are done{wait}")
    for line in tuned_lines(tuning.tuned):
        print(line)


def _mark_noted(board: Board, note: dict[str, Any]) -> None:
    """Cells that run in the run that is going on, between two leases too, and those that failed in it and that the
    store does not keep as failed."""
    for key in note["running"]:
        job = board.jobs.get(key)
        if job is not None and job.status == "waiting":
            job.status = "running"
    for key, reason in note["failures"].items():
        job = board.jobs.get(key)
        if job is not None and job.status == "waiting":
            job.status, job.failure = "failed", Failure(reason, final=False)


def _log(job: Job, workspace: Workspace) -> str | None:
    """Where a cell's log is."""
    path = workspace.log(job.key)
    return str(path) if path.is_file() else None


def _print_run(note: dict[str, Any]) -> None:
    """How the run goes that is going on."""
    left = note["left_seconds"]
    print(
        f"running for {duration(note['seconds'])} as process {note['pid']} on {note['host']}: "
        f"{note['reached']:,}/{note['generations']:,} {note['what']}, {note['per_minute']:.3g} a minute"
        + (f", about {duration(left)} left" if left is not None else "")
    )
    for node in note["nodes"]:
        alive = "alive" if node["alive"] else "dead"
        print(f"node {node['address']}: {alive}, {node['cpus']:g} CPUs, {node['gpus']:g} GPUs")


def mark_running(board: Board, store: Store) -> None:
    """Cells whose next step somebody is computing now, as the store's leases show."""
    claimed = store.claimed("record")  # asked once: thousands may wait
    for job in board.waiting:
        stage = job.stages[job.done]
        if stage.record in claimed and store.busy("record", stage.record) is not None:
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


def _print(name: str, jobs: Sequence[Job], workspace: Workspace, again: str) -> None:
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
    for line in failures(jobs, workspace, again):
        print(line)
    if any(_log(job, workspace) for job in jobs):
        print(f"logs of cells: {workspace.root / 'logs'}")
