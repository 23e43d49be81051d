"""`collapse-sweep export`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from search_spaces import load_study
from sweep.commands.outcome import DONE, say
from sweep.engine import open_board
from sweep.errors import UsageError
from sweep.reporting import replacing
from sweep.scheduling import Job
from sweep.workspace import Workspace
from trainables.recursion import Recursion, Steps
from trainables.store import open_store

LISTED = 5
"""Models that a refusal names."""


@dataclass(frozen=True)
class _Place:
    """Whose model one is."""

    job: Job
    generation: int
    member: int

    def __str__(self) -> str:
        whose = f", member {self.member}" if self.job.cell.population is not None else ""
        return f"{self.job.title}, generation {self.generation}{whose}"


def export(reference: str, overrides: Sequence[str], workspace: Workspace, prefix: str, folder: Path) -> int:
    """Write a model of a study, what its searches and tunings chose included, where other libraries, and further
    studies, read it.
    """
    study, store = load_study(reference, overrides), open_store(workspace.storage)
    key, place = _named(open_board(study, workspace, store).jobs.values(), prefix)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"FOLDER: {str(folder)!r} is there already and not empty")
    model = store.get("model", key)
    if model is None:
        raise UsageError(f"KEY: model {key} is not in {workspace.storage}: it was collected, or the study has not run")
    try:
        with replacing(folder) as fresh:
            Recursion(place.job.cell, store).family.export(model, fresh)
    except TypeError as problem:
        raise UsageError(f"KEY: {problem}") from problem
    except (OSError, SafetensorError) as problem:
        reason = getattr(problem, "strerror", None) or " ".join(str(problem).split())
        raise UsageError(f"FOLDER: {str(folder)!r} can't be written: {reason}") from None
    say(f"model {key} ({place}) is in {folder}")
    return DONE


def _named(jobs: Iterable[Job], prefix: str) -> tuple[str, _Place]:
    """The one model of a study whose key starts so, and whose it is."""
    models: dict[str, _Place] = {}
    for job in jobs:
        for member, steps in enumerate(Steps(job.cell).members, 1):
            for generation in range(1, job.cell.generations + 1):
                models.setdefault(steps.step(generation).model, _Place(job, generation, member))
    found = {key: place for key, place in models.items() if key.startswith(prefix)}
    if len(found) == 1:
        return next(iter(found.items()))
    last = {key: place for key, place in models.items() if place.generation == place.job.cell.generations}
    lines = [f"{key[:12]} ({place})" for key, place in (found or last).items()]
    told = "; ".join([*lines[:LISTED], *(["…"] if len(lines) > LISTED else [])])
    if found:
        raise UsageError(f"KEY: {prefix!r} starts {len(found)} models of this study; give more digits: {told}")
    raise UsageError(f"KEY: no model of this study has a key that starts with {prefix!r}; its last ones: {told}")
