"""`collapse-sweep report`, and how a finished run shows its results."""

from __future__ import annotations

import json as jsonlib
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from search_spaces import Study, load_study
from sweep.commands.failures import failures
from sweep.commands.outcome import DONE, say
from sweep.engine import open_board
from sweep.errors import UsageError
from sweep.reporting import findings_of, records
from sweep.reporting import report as results
from sweep.scheduling import Board
from sweep.search import summary
from sweep.tracking import exhibit
from sweep.workspace import NO_TRACKING, Workspace
from trainables.runtime import redact_urls
from trainables.store import Store, open_store

if TYPE_CHECKING:
    import pandas as pd

PIPE_WIDTH = 160
"""Columns of a table that is not printed on a terminal."""


def report(reference: str, overrides: Sequence[str], workspace: Workspace, json: bool) -> int:
    """Write the report of what is done so far, and print the robustness table."""
    study = load_study(reference, overrides)
    store = open_store(workspace.storage)
    board = open_board(study, workspace, store)
    command = shlex.join(["collapse-sweep", "report", reference, *options(overrides, workspace)])
    show(study, board, workspace, store, command, json)
    for line in failures(board.jobs.values(), workspace, command.replace(" report ", " run ", 1)):
        say(line)
    return DONE


def show(
    study: Study,
    board: Board,
    workspace: Workspace,
    store: Store,
    command: str,
    json: bool,
    report: bool = True,
    reuse: bool = False,
) -> None:
    """Print the robustness table and where the report is.

    Raises:
        UsageError: nothing has been run yet.
    """
    if not any(job.done for job in board.jobs.values()):
        raise UsageError(
            f"{study.name}: no generation is done in {workspace.root}; first: {command.replace(' report ', ' run ', 1)}"
        )
    frame = results.stored(study, board, store)  # never the tracking server's figures, which anybody may have changed
    shown = workspace.mlflow_uri == NO_TRACKING or results.tracked(study, board, workspace) is not None
    if not shown:
        say(
            f"{workspace.mlflow_uri} does not show every generation; `{command.replace(' report ', ' relog ', 1)}` "
            "writes what is missing"
        )
    folder = workspace.report(study.name)
    told = findings_of(study, workspace, board, store)
    written = not reuse
    try:
        if report:
            summary.write(told.searches, folder)
            table, written = results.write_report(
                frame, folder, study.name, store, command, reuse, told.sections, study.description
            )
    except OSError as problem:  # a full disk or one that is read only hides no result
        say(f"warning: {problem.filename or folder}: {problem.strerror or problem}; the report is not written")
        report = False
    except (ImportError, ValueError) as problem:  # nor does a matplotlib that can't draw here
        say(f"warning: {problem}; the report is not written; `collapse-sweep doctor` looks at what draws it")
        report = False
    if not report:
        table = results.assess(frame, store)
    if shown and written:
        exhibit(study, board, workspace, store, frame, table, folder if report else None, _untold)
    if json:
        print(jsonlib.dumps(_plain(study, board, table, str(folder) if report else None) | told.plain))
        return
    print_table(table)
    for line in told.lines:
        print(line)
    if report:
        print(f"Report: {folder / 'report.html'}")


def _untold(trouble: str) -> None:
    say(f"warning: {trouble}; what the study came to is not shown there")


def options(overrides: Sequence[str], workspace: Workspace) -> list[str]:
    """The options that repeat a command on the same study and workspace; they are shown, so passwords are masked."""
    given = [part for text in overrides for part in ("-o", text)]
    given += ["--workspace", workspace.named]
    if not workspace.default_tracking:
        given += ["--tracking-uri", redact_urls(workspace.tracking_uri)]
    if not workspace.local_storage:
        given += ["--storage", redact_urls(workspace.storage)]
    return given


def print_table(table: pd.DataFrame) -> None:
    """Print a robustness table."""
    from rich.console import Console

    from analysis.report import tables

    if table.empty:
        print("No table: no configuration has two generations yet.")
        return
    console = Console(file=sys.stdout)
    if not console.is_terminal:  # a file or a pipe has no width of its own
        console.width = max(console.width, PIPE_WIDTH)
    tables.show(tables.robustness(table), console)
    if few := tables.few_generations(table):
        print(few)


def _plain(study: Study, board: Board, table: pd.DataFrame, folder: str | None) -> dict[str, Any]:
    from sweep.commands.status import describe

    return {
        "study": study.name,
        "cells": [describe(job) for job in board.jobs.values()],
        "left_out": list(board.left_out.values()),
        "report": folder,
        "robustness": records(table),
    }
