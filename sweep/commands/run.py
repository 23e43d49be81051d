"""`collapse-sweep run`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from search_spaces import Study, load_study
from sweep.commands.failures import failures
from sweep.commands.gc import level
from sweep.commands.outcome import DONE, INCOMPLETE, say
from sweep.commands.report import options, show
from sweep.engine import Outcome, run_study
from sweep.progress import LiveProgress, PlainProgress, Progress
from sweep.resources import Machines, cores
from sweep.search import cautions
from sweep.workspace import Workspace
from trainables.store import open_store

NAMED = 20
"""Cells not run that are named on the terminal."""


def run(
    reference: str,
    overrides: Sequence[str],
    workspace: Workspace,
    machines: Machines,
    keep: str,
    report: bool,
    json: bool,
) -> int:
    """Run a study, or go on with it. Exit code 1 where cells failed or are left."""
    kept = level(keep)
    study = load_study(reference, overrides)
    for caution in cautions(study):
        say(caution)
    if machines.address is None:
        machines = replace(machines, cpus=machines.cpus or cores())
    progress = _progress(machines.cpus or 1, study.name)
    try:
        outcome = run_study(study, workspace, progress, machines=machines, warn=_warn, keep=kept)
    finally:
        progress.close()
    arguments = [reference, *options(overrides, workspace)]
    where = ["--address", machines.address] if machines.address else []
    again = [*arguments, *where, *(["--keep", keep] if keep != "all" else [])]
    if not outcome.stopped and any(job.done for job in outcome.board.jobs.values()):
        command = shlex.join(["collapse-sweep", "report", *arguments])
        show(
            study, outcome.board, workspace, open_store(workspace.storage), command, json, report, reuse=not outcome.ran
        )
    _tell(study, outcome, workspace, shlex.join(["collapse-sweep", "run", *again]))
    left = outcome.unfinished or outcome.untuned or outcome.over_budget
    return INCOMPLETE if outcome.failed or left else DONE


def _progress(workers: int, title: str) -> Progress:
    from rich.console import Console

    console = Console(stderr=True)
    return LiveProgress(workers, console, title) if console.is_terminal else PlainProgress(workers, say)


def _warn(trouble: str) -> None:
    say(f"warning: {trouble}")


def _tell(study: Study, outcome: Outcome, workspace: Workspace, again: str) -> None:
    """How it ended, and what to do next."""
    for line in failures(outcome.failed, workspace, again):
        say(line)
    if outcome.over_budget:
        _tell_left(study, outcome, again)
    elif outcome.untuned:
        say(f"stopped: hyperparameters are not tuned yet, what was tried is kept; go on with: {again}")
    elif outcome.unfinished:
        done = sum(job.status == "done" for job in outcome.board.jobs.values())
        word = "stopped" if outcome.stopped else "not finished"
        say(f"{word}: {done} of {len(outcome.board.jobs)} cells are done and kept; go on with: {again}")
    elif workspace.local_tracking:
        say(f"MLflow: {shlex.join(['collapse-sweep', 'ui', '--workspace', workspace.named])}")
    if not outcome.ran and not outcome.failed:
        what = "everything that the budget allows" if outcome.over_budget else "everything"
        say(f"{study.name}: {what} was done already; nothing was trained")


def _tell_left(study: Study, outcome: Outcome, again: str) -> None:
    """What the budget left out, by name, and how to go on."""
    done = sum(job.status == "done" for job in outcome.board.jobs.values())
    left = [job.title for job in outcome.unfinished] + list(outcome.board.left_out.values())
    for name in left[:NAMED]:
        say(f"not run: {name}")
    if len(left) > NAMED:
        say(f"not run: {len(left) - NAMED:,} more; `status` names them all")
    if outcome.board.unasked:
        say(f"not run: {outcome.board.unasked:,} suggestions of open searches")
    limits = {name: value for name, value in study.budget.canonical().items() if value is not None}
    spent = ", ".join(f"{name} {value:g}" for name, value in limits.items())
    larger = " ".join(f"-o budget.{name}=…" for name in limits)
    say(f"budget spent ({spent}): {done} cells are done and kept; with a larger one, go on with: {again} {larger}")
