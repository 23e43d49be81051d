"""Arguments and options that several commands have, and how a command reports what a user gets wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer


def study_names(incomplete: str) -> list[str]:
    """Named studies and YAML files that a half-written word may become."""
    from search_spaces.studies import STUDIES

    files = [str(path) for end in ("yaml", "yml") for path in Path().glob(f"{incomplete}*.{end}")]
    return [name for name in STUDIES if name.startswith(incomplete)] + sorted(files)


def family_names(incomplete: str) -> list[str]:
    """Families that it may become."""
    from trainables.families import FAMILIES

    return [name for name in FAMILIES if name.startswith(incomplete)]


def policy_names(incomplete: str) -> list[str]:
    """Policies that it may become."""
    from trainables.policies import POLICIES

    return [name for name in POLICIES if name.startswith(incomplete)]


StudyName = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="A name, a YAML file, or module:function.", autocompletion=study_names),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("-o", "--override", metavar="KEY=VALUE", help="Change the study, as in -o rows=50 (repeatable)."),
]
Root = Annotated[Path, typer.Option("--workspace", metavar="DIR", help="Folder of stores, runs and reports.")]
Tracking = Annotated[
    list[str] | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="MLflow's, or tensorboard://, csv://, jsonl://FOLDER, wandb://PROJECT (repeatable; default and `mlflow`: "
        "a database in the workspace; `none`: show runs nowhere).",
    ),
]
Storage = Annotated[
    str | None, typer.Option("--storage", metavar="URI", help="Of artifacts: a folder, s3://…; default: DIR/store.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="auto|HOST:PORT", help="Of a Ray cluster; default: Ray on this machine only."),
]
Shared = Annotated[
    bool, typer.Option("--shared-storage", help="A local --storage folder is mounted by nodes yet to come, too.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for machines that are not there, rather than refuse.")]
Online = Annotated[bool, typer.Option("--online", help="Ask servers for the study's data, where it lies there.")]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable JSON on stdout.")]
DEFAULT = Path("collapse-runs")
P = ParamSpec("P")


def reported(command: Callable[P, int]) -> Callable[P, None]:
    """Turn what a user can do wrong into one line on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
        from sweep.commands.outcome import report

        raise typer.Exit(report(lambda: command(*arguments, **options)))

    return wrapped


def opened(root: Path, storage: str | None, tracking_uri: list[str] | None) -> Any:
    """The workspace that these options name, a `Workspace`."""
    from sweep.workspace import open_workspace

    return open_workspace(root, storage, ",".join(tracking_uri or ()))
