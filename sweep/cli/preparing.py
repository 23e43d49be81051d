"""Commands before a study runs: begin one, look at it, plan it, check what it will run on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sweep.cli.options import (
    DEFAULT,
    Json,
    Online,
    Overrides,
    Root,
    Storage,
    StudyName,
    Tracking,
    family_names,
    opened,
    policy_names,
    reported,
)


@reported
def init(
    family: Annotated[
        str,
        typer.Argument(
            metavar="FAMILY", help="linear, gaussian, …, language, vae, diffusion.", autocompletion=family_names
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: my-FAMILY.yaml.")] = None,
    data: Annotated[str | None, typer.Option(metavar="PATH", help="Your own text, images, molecules or table.")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="To compare (repeatable); default: replace, accumulate.", autocompletion=policy_names
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


@reported
def schema(
    what: Annotated[str, typer.Argument(metavar="study|cell|reference", help="Of what; the last is a page of both.")],
) -> int:
    """Print the JSON schema of a study's or a cell's YAML, for editors, or every field as Markdown."""
    from sweep.commands import schema as command

    return command.schema(what)


@reported
def diff(first: StudyName, second: StudyName, json: Json = False) -> int:
    """Say in which settings two studies differ, defaults written out."""
    from sweep.commands import diff as command

    return command.diff(first, second, json)


@reported
def studies(json: Json = False) -> int:
    """List the named studies, one line each."""
    from sweep.commands import studies as command

    return command.studies(json)


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
        return command.show_plan(study, override or [], opened(workspace, storage, tracking_uri), asked, json)


@reported
def doctor(
    workspace: Root = DEFAULT,
    storage: Storage = None,
    tracking_uri: Tracking = None,
    json: Json = False,
) -> int:
    """Check the installation, devices, storage and tracking server, and say what to fix."""
    from sweep.commands import doctor as command

    return command.doctor(opened(workspace, storage, tracking_uri), json)
