"""How fast this machine fits, judges and samples each make of model: measured by runs and calibrations, kept by the
workspace.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sweep.scheduling import Job, Stage
from trainables.cell import Cell
from trainables.lineage import make_key
from trainables.runtime import current_provenance, write_whole
from trainables.store import Store

ENOUGH = 24
"""Generations of a make that are read from the store: a median of more says no more."""


@dataclass(frozen=True)
class Make:
    """What runs at one speed: a family's config at a number of replicates.

    Attributes:
        family, title: as tables call it.
        parameters: of the model.
        variant: names the whole config.
    """

    family: str
    title: str
    parameters: int
    variant: str


@dataclass(frozen=True)
class Speed:
    """Measured seconds of one thread.

    Attributes:
        fit: per floating-point operation of fitting.
        sample: per operation of sampling; None where nothing was sampled.
        evaluate: per generation.
        generations: how many were measured.
        source: "store", "runs" (earlier ones in this workspace) or "calibration".
    """

    fit: float
    sample: float | None
    evaluate: float
    generations: int
    source: str


Speeds = dict[Make, Speed]


def make_of(cell: Cell) -> Make:
    """The make of a cell's models."""
    family = cell.family
    variant = make_key("make", family=family.canonical(), replicates=cell.replicates)[:16]
    return Make(family.kind, family.title, family.cost(cell.rows).parameters, variant)


@cache
def machine() -> str:
    """Names the hardware that speeds belong to."""
    return _name(current_provenance()["hardware"])


def _name(hardware: Mapping[str, Any]) -> str:
    return make_key("machine", **{part: hardware.get(part) for part in ("cpu", "cores", "gpus")})[:16]


def observe(stages: Mapping[Make, Sequence[Stage]], store: Store) -> Speeds:
    """Medians over stored generations that this machine computed: a first fit, which loads libraries and data, or one
    that another program slowed down, does not move them."""
    here: dict[str, bool] = {}
    found = {}
    for make, held in stages.items():
        speed = _median(held, store, here)
        if speed is not None:
            found[make] = speed
    return found


def _median(stages: Sequence[Stage], store: Store, here: dict[str, bool]) -> Speed | None:
    fits, samples, evaluations = [], [], []
    for stage in stages[-ENOUGH:]:
        record = store.describe("record", stage.record)
        if record is None or "seconds" not in record.meta or not _ours(record.made, store, here):
            continue
        evaluations.append(record.meta["seconds"]["evaluate"])
        fits.append(record.meta["seconds"]["fit"] / max(stage.flops - stage.sampling - stage.pretraining, 1.0))
        batch = store.describe("batch", stage.batch) if stage.batch else None
        if batch is not None and "sample_seconds" in batch.meta:
            samples.append(batch.meta["sample_seconds"] / max(stage.sampling, 1.0))
    if not fits:
        return None
    sample = statistics.median(samples) if samples else None
    return Speed(statistics.median(fits), sample, statistics.median(evaluations), len(fits), "store")


def _ours(made: Mapping[str, Any], store: Store, here: dict[str, bool]) -> bool:
    """Whether hardware like this machine's made an artifact; what a store in memory holds, this process made."""
    run = made.get("run")
    if run is None:
        return True
    if run not in here:
        held = store.describe("provenance", run)
        here[run] = held is not None and _name(held.meta["hardware"]) == machine()
    return here[run]


def learn(path: Path, jobs: Iterable[Job], store: Store) -> None:
    """Keep what the finished generations of a study tell, for plans of other studies.

    Raises:
        OSError: it can't be written.
    """
    stages: dict[Make, list[Stage]] = {}
    for job in jobs:
        stages.setdefault(make_of(job.cell), []).extend(job.stages[: job.done])
    found = observe(stages, store)
    if found:
        write(path, {make: replace(speed, source="runs") for make, speed in found.items()})


def read(path: Path) -> Speeds:
    """What the workspace's file says of this machine; nothing where there is none, or it can't be read."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))[machine()]
        return {Make(**entry["make"]): Speed(**entry["speed"]) for entry in held}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(path: Path, fresh: Speeds) -> None:
    """Add speeds to the file, replacing those of the same makes. Others' machines keep theirs."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        whole = {}
    speeds = read(path) | fresh
    whole = {name: held for name, held in whole.items() if isinstance(held, list)} if isinstance(whole, dict) else {}
    whole[machine()] = [{"make": asdict(make), "speed": asdict(speed)} for make, speed in speeds.items()]
    write_whole(path, json.dumps(whole, indent=1))


def nearest(speeds: Mapping[Make, Speed], make: Make) -> tuple[Speed, Make] | None:
    """The speed of a make, or of the one most like it: of the same size, else of the same family and nearest size."""
    if make in speeds:
        return speeds[make], make
    kin = [other for other in speeds if other.family == make.family]
    if not kin:
        return None

    def unlike(other: Make) -> tuple[bool, float, str]:
        ratio = max(other.parameters, 1) / max(make.parameters, 1)
        return other.title != make.title, max(ratio, 1 / ratio), other.variant

    other = min(kin, key=unlike)
    return speeds[other], other
