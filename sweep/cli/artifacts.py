"""Commands about stored models and batches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import DEFAULT, Json, Overrides, Root, Storage, StudyName, Tracking, opened, reported


@reported
def gc(
    study: StudyName,
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    keep: Annotated[
        str, typer.Option(metavar="last|records", help="What stays of a finished cell besides its records.")
    ] = "last",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and what it costs.")] = False,
    json: Json = False,
) -> int:
    """Remove weights and batches that finished cells no longer need. Records always stay."""
    from sweep.commands import gc as command

    return command.gc(study, override or [], opened(workspace, storage, tracking_uri), keep, dry_run, json)


@reported
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A lineage key, or its first digits.")],
    workspace: Root = DEFAULT,
    storage: Storage = None,
) -> int:
    """Print what an artifact was derived from, as a tree with sizes and losses."""
    from sweep.commands import show as command

    return command.show(key, opened(workspace, storage, None))


@reported
def export(
    study: StudyName,
    key: Annotated[str, typer.Argument(metavar="KEY", help="A model's lineage key, or its first digits.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it; must be empty or absent.")],
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
) -> int:
    """Write a model as safetensors with its config and tokenizer, as transformers and `checkpoint:` read it."""
    from sweep.commands import export as command

    return command.export(study, override or [], opened(workspace, storage, None), key, folder)
