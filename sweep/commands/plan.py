"""`collapse-sweep plan`."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from search_spaces import Study, load_study
from search_spaces.study import PowerRequirement
from sweep.commands.outcome import DONE, REFUSED, say
from sweep.errors import UsageError
from sweep.planning import (
    PEAK,
    UTILISATION,
    Bill,
    CardTime,
    Design,
    Forecast,
    Plan,
    Totals,
    bill,
    calibrate_speeds,
    check_card,
    designs,
    name,
    plan_study,
    reach_line,
    read_cluster,
    speeds,
    time_on,
    words_from,
)
from sweep.progress import duration
from sweep.terminal import columns
from sweep.workspace import Workspace, prepare
from trainables.config import explain
from trainables.store import Store, open_store


@dataclass(frozen=True)
class Asked:
    """What a plan is to tell besides counts.

    Attributes:
        gpu: accelerator whose hours are told.
        cpus: trials at a time on this machine; None for its cores.
        calibrate: whether makes that were never timed are measured now.
        cluster: a YAML file of machines and their price.
        power: what the seeds are to resolve.
        strict: whether an underpowered design is refused.
    """

    gpu: str
    cpus: int | None
    calibrate: bool
    cluster: Path | None
    power: PowerRequirement | None
    strict: bool


def show_plan(reference: str, overrides: Sequence[str], workspace: Workspace, asked: Asked, json: bool) -> int:
    """Print what a study comes to; exit code 2 where it is to be refused as underpowered."""
    study = load_study(reference, overrides)
    check_card(asked.gpu)
    machines = read_cluster(asked.cluster) if asked.cluster else None
    store = open_store(workspace.storage)
    found = plan_study(study, store)
    card = time_on(asked.gpu, found.left.efforts)
    ahead = found.forecast(_speeds(found, store, workspace, asked), asked.cpus or cores())
    charged = bill(machines, found.left, ahead) if machines else None
    question = asked.power or study.require_power
    judged = designs(found, store, question)
    if json:
        told = _plain(found, asked.gpu, card, ahead, charged, judged)
        print(jsonlib.dumps(told | {"schedulers": [vars(one) for one in schedulers(study)]}))
    else:
        _print(found, asked, card, ahead, charged)
        if reach := reach_line(min((cell.generations for cell in found.asked), default=None)):
            print(reach)
        for scheduler in schedulers(study):
            print(scheduler)
        for design in judged:
            print(design.line(question))
    weak = [design for design in judged if design.underpowered]
    if weak and (asked.strict or study.require_power):
        say(f"collapse-sweep: {study.name}: {weak[0].refusal(question)}")
        return REFUSED
    return DONE


def question(
    effect: float | None, on: str, truth: str, power: float, deviation: float | None
) -> PowerRequirement | None:
    """What is asked of the seeds; None where nothing is.

    Raises:
        UsageError: an option can't be.
    """
    if effect is None:
        if on != "growth" or truth != "line" or deviation is not None:
            raise UsageError("--effect: say which effect, as --effect 0.5; --on, --truth and --deviation are about it")
        return None
    try:
        asked = {"effect": effect, "on": on, "truth": truth, "power": power, "deviation": deviation}
        return PowerRequirement.model_validate(asked)
    except ValidationError as problem:
        raise UsageError(f"--{explain(problem, PowerRequirement)}") from None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Scheduled:
    """What stops cells of a block before their last generation, and the first generation after which it may."""

    block: str
    kind: str
    grace: int

    def __str__(self) -> str:
        where = f" of block {self.block}" if self.block else ""
        return (
            f"Scheduler {self.kind}{where} stops cells from generation {self.grace} on; all figures are upper bounds: "
            "those of a study none of whose cells is stopped."
        )


def schedulers(study: Study) -> list[Scheduled]:
    """A study's schedulers, in the order of its blocks."""
    found = [(block.name, block.scheduler) for block in study.blocks]
    return [Scheduled(name, one.kind, one.grace) for name, one in found if one is not None]


def _speeds(found: Plan, store: Store, workspace: Workspace, asked: Asked) -> speeds.Speeds:
    """What is known of this machine, measured now where that is asked for."""
    kept = found.speeds(store, speeds.read(workspace.speeds))
    lacking = {make: cell for make, cell in found.makes.items() if make not in kept}
    if asked.calibrate and lacking and not found.missing:
        prepare(workspace)
        say(f"measuring {', '.join(sorted({name(make) for make in lacking}))} on this machine")
        fresh = calibrate_speeds(lacking, workspace.storage, asked.cpus or cores())
        speeds.write(workspace.speeds, fresh)
        kept |= fresh
    return kept


def _print(found: Plan, asked: Asked, card: CardTime, ahead: Forecast, charged: Bill | None) -> None:
    print(_table(found))
    print(_summary(found))
    rest = "the budget allows no more" if found.left_out else "everything is done"
    print(_disk(found))
    print(_time(ahead, asked, rest))
    print(_card(asked.gpu, card, rest))
    if charged:
        print(charged.line())
    for title in found.left_out[:20]:
        print(f"left out by the budget: {title}")
    for note in found.notes:
        print(f"note: {note}")
    for reason in found.missing:
        print(f"note: the data can't be read here, and `run` will ask for it: {reason}")


def _disk(found: Plan) -> str:
    results, others = (f"{si(size)}B" for size in found.disk.values())
    return f"On the disk: about {results} of results, with folders; reports and local tracking {others} more."


def _card(gpu: str, card: CardTime, rest: str = "everything is done") -> str:
    """How long what is left takes on one accelerator, and how that is known; why nothing is left, where it is so."""
    cores = f"{', '.join(card.on_cores)} run{'s' * (len(card.on_cores) == 1)} on cores" if card.on_cores else ""
    if not card.hours:
        return f"On one {gpu}: none; {cores or rest}."
    rests = [f"{family} at rates of {source}" for family, source in card.measured.items()]
    if card.assumed:
        what = "the rest" if rests else "all"
        rests.append(f"{what} at {UTILISATION:.0%} of {PEAK[gpu] / 1e12:.0f} TFLOP/s, an assumption")
    return (
        f"On one {gpu} what is left takes about {card.hours:.3g} GPU-hours, {card.fitting / 3600:.3g} of fits and "
        f"{card.sampling / 3600:.3g} of samples ({'; '.join(rests)}){f'; {cores}' if cores else ''}."
    )


def _time(ahead: Forecast, asked: Asked, rest: str = "everything is done") -> str:
    """How long it takes here, and how that is known; why nothing is left, where it is so."""
    if ahead.unknown:
        how = (
            "too large to be tried in a calibration"
            if asked.calibrate
            else "`plan --calibrate` measures it in ten seconds or so"
        )
        was = "was" if len(ahead.unknown) == 1 else "were"
        return f"Time on this machine: unknown; {', '.join(ahead.unknown)} {was} never timed here ({how})."
    if ahead.seconds == 0:
        return f"Time on this machine: none; {rest}."
    known = ", ".join(f"{count} by {WORDS[source]}" for source, count in ahead.sources.items())
    borrowed = "".join(f"; {made} as {other}" for made, other in ahead.borrowed.items() if made != other)
    return (
        f"Time on this machine, {ahead.workers} trials at a time: about {duration(ahead.seconds or 0.0)} "
        f"(speeds: {known}{borrowed})."
    )


WORDS = {"store": "this study's own records", "runs": "earlier runs", "calibration": "calibration"}


def _table(found: Plan) -> str:
    head = ["family", "size", "parameters", "cells", "generations", "to train", "rows", "tokens", "FLOPs", "disk"]
    rows = [[line.family, line.size, si(line.parameters), *_figures(line.totals)] for line in found.lines]
    return columns([head, *rows, ["total", "", "", *_figures(found.totals)]], left=2)


def _figures(totals: Totals) -> list[str]:
    return [
        f"{totals.cells:,}",
        f"{totals.generations:,}",
        f"{totals.trained - totals.stored:,}",
        si(totals.rows),
        si(totals.tokens),
        si(totals.flops),
        si(totals.disk) + "B",
    ]


def _summary(found: Plan) -> str:
    totals = found.totals
    shared = totals.generations - totals.trained
    said = [
        f"{found.study}: {totals.cells:,} cells of {totals.generations:,} generations; "
        f"{shared:,} of these are shared between cells, {totals.stored:,} are in the store, "
        f"{totals.trained - totals.stored:,} are to be trained."
    ]
    if found.estimated:
        said.append("Some cells depend on results: random draws stand for them here.")
    if found.tuning:
        said.append(
            f"{found.tuning:,} of the cells are fits of generation 1 that tune hyperparameters first; until then the "
            "first setting stands for what they choose."
        )
    if found.left_out:
        said.append(f"The budget leaves out {len(found.left_out):,} cells.")
    return " ".join(said)


def _plain(
    found: Plan, gpu: str, card: CardTime, ahead: Forecast, charged: Bill | None, judged: Sequence[Design]
) -> dict[str, Any]:
    return found.as_json() | {
        "gpu": gpu,
        "gpu_hours": card.hours,
        "gpu_hours_of": {"fits": card.fitting / 3600, "samples": card.sampling / 3600},
        "gpu_rates": card.measured,
        "utilisation": UTILISATION,
        "time": asdict(ahead),
        "cluster": charged.as_json() if charged else None,
        "power": [design.as_json() for design in judged],
        "words_from": words_from(),
    }


def si(value: float) -> str:
    """A number in three digits with k, M, G, T, P, E."""
    for unit in ("", "k", "M", "G", "T", "P"):
        if abs(value) < 999.5:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}E"
