"""The command line. Commands are imported when they are called, so that `--help` loads nothing heavy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer

app = typer.Typer(
    name="collapse-sweep",
    help="Studies of recursive training: what happens to a generative model trained on its predecessors' output, "
    "and which data policy keeps it healthy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 some cells failed or are left to run, 2 the request can't be met.",
)


def _study_names(incomplete: str) -> list[str]:
    """Named studies and YAML files that a half-written word may become."""
    from search_spaces.studies import STUDIES

    files = [str(path) for end in ("yaml", "yml") for path in Path().glob(f"{incomplete}*.{end}")]
    return [name for name in STUDIES if name.startswith(incomplete)] + sorted(files)


def _families(incomplete: str) -> list[str]:
    from trainables.families import FAMILIES

    return [name for name in FAMILIES if name.startswith(incomplete)]


def _policies(incomplete: str) -> list[str]:
    from trainables.policies import POLICIES

    return [name for name in POLICIES if name.startswith(incomplete)]


StudyName = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="A name, a YAML file, or module:function.", autocompletion=_study_names),
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


def reported(command: Callable[P, int]) -> Callable[P, None]:
    """Turn what a user can do wrong into one line on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
        from sweep.commands.outcome import report

        raise typer.Exit(report(lambda: command(*arguments, **options)))

    return wrapped


def _place(root: Path, storage: str | None, tracking_uri: list[str] | None) -> Any:
    from sweep.workspace import open_workspace

    return open_workspace(root, storage, ",".join(tracking_uri or ()))


@app.command()
@reported
def init(
    family: Annotated[
        str,
        typer.Argument(
            metavar="FAMILY", help="linear, gaussian, …, language, vae, diffusion.", autocompletion=_families
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: my-FAMILY.yaml.")] = None,
    data: Annotated[str | None, typer.Option(metavar="PATH", help="Your own text, images or molecules.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="To compare (repeatable); default: replace, accumulate.", autocompletion=_policies
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="With fewer than three no verdict is given.")] = 3,
    generations: Annotated[int | None, typer.Option(min=1, help="Default: what the family finds sensible.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> int:
    """Write a commented study to begin with. Asks nothing, runs nothing."""
    from sweep.commands import init as command

    target = out or Path(f"my-{family}.yaml")
    return command.init(family, target, data, policy or ("replace", "accumulate"), seeds, generations, force)


@app.command()
@reported
def schema(
    what: Annotated[str, typer.Argument(metavar="study|cell|reference", help="Of what; the last is a page of both.")],
) -> int:
    """Print the JSON schema of a study's or a cell's YAML, for editors, or every field as Markdown."""
    from sweep.commands import schema as command

    return command.schema(what)


@app.command()
@reported
def diff(first: StudyName, second: StudyName, json: Json = False) -> int:
    """Say in which settings two studies differ, defaults written out."""
    from sweep.commands import diff as command

    return command.diff(first, second, json)


@app.command()
@reported
def studies(json: Json = False) -> int:
    """List the named studies, one line each."""
    from sweep.commands import studies as command

    return command.studies(json)


@app.command()
@reported
def plan(
    study: StudyName,
    override: Overrides = None,
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    gpu: Annotated[str, typer.Option(metavar="NAME", help="Accelerator that GPU-hours are told for.")] = "H100",
    cpus: Annotated[int | None, typer.Option(min=1, help="Trials at a time that the time is told for.")] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Time what was never timed here, in ten seconds or so; kept for later.")
    ] = False,
    cluster: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML: nodes, gpu, gpus_per_node, price_per_hour, …")
    ] = None,
    effect: Annotated[
        float | None, typer.Option(min=0.0, help="Say how many seeds resolve this effect, in units of the loss.")
    ] = None,
    on: Annotated[
        str, typer.Option(metavar="growth|gap|verdict", help="What the effect is of; verdict: a rise over the run.")
    ] = "growth",
    truth: Annotated[
        str,
        typer.Option(metavar="LAW", help="Of a rise: line, square_root, logarithm, inverse or inverse_squares."),
    ] = "line",
    power: Annotated[float, typer.Option(help="The chance with which it is to be found.")] = 0.8,
    deviation: Annotated[
        float | None, typer.Option(help="Of the statistic between seeds; default: what stored records show.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 2 where seeds are too few.")] = False,
    online: Online = False,
    json: Json = False,
) -> int:
    """Say what would run: cells, trained generations after sharing, time, cost. Runs nothing but a calibration."""
    from sweep.commands import plan as command
    from trainables.runtime import unasked

    question = command.question(effect, on, truth, power, deviation)
    asked = command.Asked(gpu, cpus, calibrate, cluster, question, strict)
    with unasked(online):
        return command.show_plan(study, override or [], _place(workspace, storage, tracking_uri), asked, json)


@app.command()
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
    return command.run(study, override or [], _place(workspace, storage, tracking_uri), machines, keep, report, json)


@app.command()
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


@app.command()
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
        return command.status(study, override or [], _place(workspace, storage, tracking_uri), json)


@app.command()
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
        str, typer.Option(metavar="higher|lower", help="Of a file: which test_loss is worse; lower for an accuracy.")
    ] = "higher",
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> int:
    """Write tables (.md .csv .tex .parquet), plots (.svg .png) and one self-contained report.html."""
    from sweep.commands import imported
    from sweep.commands import report as command
    from sweep.errors import UsageError

    place = _place(workspace, storage, tracking_uri)
    if study.lower().endswith((".csv", ".csv.gz", ".tsv", ".parquet")):
        if override:
            raise UsageError(
                f"-o {override[0]}: changes a study, and {study} is a table of runs; --column maps its columns"
            )
        return imported.report(study, column or [], worse, place, json)
    if column or worse != "higher":
        raise UsageError(f"--column and --worse are about a table of runs, and {study} is a study")
    return command.report(study, override or [], place, json)


@app.command()
@reported
def compare(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY STUDY…", help="STUDY, or STUDY@DIR in another workspace.", autocompletion=_study_names
        ),
    ],
    workspace: Root = DEFAULT,
    storage: Storage = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Default: among the reports.")] = None,
    json: Json = False,
) -> int:
    """Set studies side by side: settings that differ, verdicts, paired differences, curves; one compare.html."""
    from sweep.commands import compare as command

    return command.compare(studies, _place(workspace, storage, None), out, json)


@app.command()
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

    return command.relog(study, override or [], _place(workspace, storage, tracking_uri), json)


@app.command()
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

    return command.gc(study, override or [], _place(workspace, storage, tracking_uri), keep, dry_run, json)


@app.command()
@reported
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A lineage key, or its first digits.")],
    workspace: Root = DEFAULT,
    storage: Storage = None,
) -> int:
    """Print what an artifact was derived from, as a tree with sizes and losses."""
    from sweep.commands import show as command

    return command.show(key, _place(workspace, storage, None))


@app.command()
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

    return command.export(study, override or [], _place(workspace, storage, None), key, folder)


@app.command()
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


@app.command()
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

    return command.ui(_place(workspace, None, tracking_uri), port, host, auth, browser)


@app.command()
@reported
def doctor(
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> int:
    """Check the installation, devices, storage and tracking server, and say what to fix."""
    from sweep.commands import doctor as command

    return command.doctor(_place(workspace, storage, tracking_uri), json)
