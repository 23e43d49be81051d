"""The command line. Commands are imported when they are called, so that `--help` loads nothing heavy."""

from __future__ import annotations

from typing import Annotated

import typer

from sweep.cli.artifacts import export, gc, show
from sweep.cli.preparing import diff, doctor, init, plan, schema, studies
from sweep.cli.results import compare, relog, report, ui
from sweep.cli.running import run, status, submit, trial

__all__ = ["app"]

app = typer.Typer(
    name="collapse-sweep",
    help="Studies of recursive training: what happens to a generative model trained on its predecessors' output, "
    "and which data policy keeps it healthy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 some cells failed or are left to run, 2 the request can't be met.",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("collapse-sweep"))
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Studies of recursive training: what happens to a generative model trained on its predecessors' output, and which
    data policy keeps it healthy.
    """


_IN_ORDER_OF_USE = (
    *(init, schema, diff, studies, plan, run, submit, status),
    *(report, compare, relog, gc, show, export, trial, ui, doctor),
)

for _command in _IN_ORDER_OF_USE:
    app.command()(_command)
