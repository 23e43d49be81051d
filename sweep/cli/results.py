"""Commands that show what came out: reports, comparisons, runs of trackers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import (
    DEFAULT,
    Json,
    Overrides,
    Root,
    Storage,
    StudyName,
    Tracking,
    opened,
    reported,
    study_names,
)


@reported
def report(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="A study, or a csv, tsv or parquet file of someone else's runs.")
    ],
    override: Overrides = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Of a file: what it calls test_loss, policy, … (repeatable)."),
    ] = None,
    worse: Annotated[
        str | None,
        typer.Option(metavar="higher|lower", help="Of a file: which test_loss is worse; lower for an accuracy."),
    ] = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> int:
    """Write tables (.md .csv .tex .parquet), plots (.svg .png) and one self-contained report.html."""
    from sweep.commands import imported
    from sweep.commands import report as command
    from sweep.errors import UsageError

    place = opened(workspace, storage, tracking_uri)
    if study.lower().endswith((".csv", ".csv.gz", ".tsv", ".parquet")):
        if override:
            raise UsageError(
                f"-o {override[0]}: changes a study, and {study} is a table of runs; --column maps its columns"
            )
        return imported.report(study, column or [], worse, place, json)
    if column or worse:
        raise UsageError(f"--column and --worse are about a table of runs, and {study} is a study")
    return command.report(study, override or [], place, json)


@reported
def compare(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY STUDY…", help="STUDY, or STUDY@DIR in another workspace.", autocompletion=study_names
        ),
    ],
    workspace: Root = DEFAULT,
    storage: Storage = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: among the reports.")] = None,
    json: Json = False,
) -> int:
    """Set studies side by side: settings that differ, verdicts, paired differences, curves; one compare.html."""
    from sweep.commands import compare as command

    return command.compare(studies, opened(workspace, storage, None), out, json)


@reported
def relog(
    study: StudyName,
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> int:
    """Write a study's runs to MLflow again, from the store: after a dead server, a lost database or changed figures."""
    from sweep.commands import relog as command

    return command.relog(study, override or [], opened(workspace, storage, tracking_uri), json)


@reported
def ui(
    workspace: Root = DEFAULT,
    tracking_uri: Tracking = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the server.")] = 5000,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Interface to listen on; any but localhost needs --auth.")
    ] = "127.0.0.1",
    auth: Annotated[bool, typer.Option("--auth", help="Ask for a user and a password.")] = False,
    browser: Annotated[bool, typer.Option("--open", help="Open the newest study's page in a browser.")] = False,
) -> int:
    """Serve MLflow's pages of this workspace, on localhost unless told otherwise; name each study's page."""
    from sweep.commands import ui as command

    return command.ui(opened(workspace, None, tracking_uri), port, host, auth, browser)
