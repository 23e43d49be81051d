"""Commands that run a study, here or on a cluster, or a single cell; and what has run so far."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import (
    DEFAULT,
    Address,
    Json,
    Online,
    Overrides,
    Root,
    Shared,
    Storage,
    StudyName,
    Tracking,
    Wait,
    opened,
    reported,
)


@reported
def run(
    study: StudyName,
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    cpus: Annotated[
        int | None, typer.Option(min=1, help="Cores that trials take together (with --address: trials at a time).")
    ] = None,
    address: Address = None,
    shared_storage: Shared = False,
    wait: Wait = False,
    keep: Annotated[
        str,
        typer.Option(metavar="all|last|records", help="What stays of weights and batches that no cell needs any more."),
    ] = "all",
    report: Annotated[bool, typer.Option(help="Write the report at the end.")] = True,
    json: Json = False,
) -> int:
    """Run a study, or go on with it; what is done is never done again."""
    from sweep.commands import run as command
    from sweep.resources import Machines

    machines = Machines(cpus, address, shared_storage, wait)
    return command.run(study, override or [], opened(workspace, storage, tracking_uri), machines, keep, report, json)


@reported
def submit(
    study: StudyName,
    address: Annotated[str, typer.Option(metavar="URL", help="Of the head's page, as http://127.0.0.1:8265.")],
    override: Overrides = None,
    workspace: Annotated[str, typer.Option(metavar="DIR", help="Folder on the head.")] = "~/collapse-runs",
    storage: Storage = None,
    tracking_uri: Tracking = None,
    cpus: Annotated[int | None, typer.Option(min=1, help="Trials at a time.")] = None,
    shared_storage: Shared = False,
    wait: Wait = False,
    follow: Annotated[bool, typer.Option(help="Print what the job says until it ends.")] = True,
) -> int:
    """Send a study to a cluster's head, which runs it there through Ray Jobs."""
    from sweep.commands import submit as command
    from sweep.resources import Machines

    machines = Machines(cpus, address, shared_storage, wait)
    return command.submit(
        study, override or [], machines, workspace, storage, ",".join(tracking_uri or ()) or None, follow
    )


@reported
def status(
    study: StudyName,
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    online: Online = False,
    json: Json = False,
) -> int:
    """Say what is done, running, failed and left."""
    from sweep.commands import status as command
    from trainables.runtime import unasked

    with unasked(online):
        return command.status(study, override or [], opened(workspace, storage, tracking_uri), json)


@reported
def trial(
    cell: Annotated[Path, typer.Argument(metavar="CELL.yaml", help="A cell: family, policy, generations, rows, seed.")],
    override: Overrides = None,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URI", help="Of artifacts; default: none, nothing is kept.")
    ] = None,
) -> int:
    """Run one recursion in this process, without Ray: one JSON record per generation on stdout."""
    from sweep.commands import trial as command

    return command.trial(cell, override or [], storage)
