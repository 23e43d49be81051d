"""What runs say, by name: tags, params and metrics of docs/decisions/0002-mlflow-schema.md, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.data import metrics_of
from sweep.scheduling import Job
from trainables.cell import Record
from trainables.config import canonical_json

TAG = 8000
"""Characters of a tag at most, by MLflow's rule."""


def identity_tags(study: str, job: Job) -> dict[str, str]:
    """The tags of a cell's run that never change."""
    family, policy = job.cell.family, job.cell.policy
    return {
        "collapse_sweep.role": "cell",
        "collapse_sweep.study": study,
        "study": study,
        "cell": job.key,
        "family": family.kind,
        "policy": policy.kind,
        "architecture": str(getattr(family, "architecture", "")),
        "size": family.size_label(),
        "seed": str(job.cell.seed),
    }


def state_tags(job: Job) -> dict[str, str]:
    """The tags that change: where the job stands, and what exactly it is."""
    failure = job.failure
    return {
        "status": {"waiting": "stopped", "stopped": "stopped_early"}.get(job.status, job.status),
        "generations": str(job.done),
        "config": canonical_json(job.cell.canonical())[:TAG],
        "reason": failure.reason[:TAG] if failure else "",
        "failed_generation": str(failure.generation or "") if failure else "",
        "error": ("diverged" if failure.final else "unexpected") if failure else "",
    }


def summary_of(losses: Mapping[int, float]) -> dict[str, float]:
    """What a finished cell shows of its whole curve, so that runs can be sorted by it; nothing of a single generation.

    Args:
        losses: held-out loss by generation.

    Returns:
        `growth`, least-squares slope per generation; `growth_ratio`, last over first, where the first is positive.
    """
    import numpy as np

    from analysis.stats import ratio, slope

    if len(losses) < 2:
        return {}
    generations = np.array(sorted(losses))
    values = np.array([[losses[n] for n in generations]])
    found = {"growth": float(slope(values, generations)[0]), "growth_ratio": float(ratio(values)[0])}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings by dotted path."""
    flat: dict[str, Any] = {}
    for name, part in value.items():
        if isinstance(part, Mapping) and part:
            flat |= flatten(part, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = part
    return flat


Figures = Mapping[tuple[str, int], float]
"""Values by metric and generation."""


@dataclass(frozen=True)
class Difference:
    """A figure that is shown otherwise than it is stored.

    Attributes:
        run: which one, as the tracker names it.
        metric: its name.
        generation: whose figure it is.
        shown: what was there; None where nothing was.
        stored: what the store has.
    """

    run: str
    metric: str
    generation: int
    shown: float | None
    stored: float

    def __str__(self) -> str:
        there = "missing" if self.shown is None else f"{self.shown:g}"
        return f"run {self.run}: {self.metric} of generation {self.generation} was {there}, is {self.stored:g}"


def differences(run: str, shown: Figures, stored: Figures) -> list[Difference]:
    """Of what is stored, all that is shown otherwise; figures that only the view has are somebody's own."""
    return [
        Difference(run, metric, generation, shown.get((metric, generation)), value)
        for (metric, generation), value in stored.items()
        if not _equal(shown.get((metric, generation)), value)
    ]


def _equal(one: float | None, other: float) -> bool:
    return one == other or (one is not None and one != one and other != other)


def figures_of(records: Iterable[Record]) -> Figures:
    """What records say, as trackers show it."""
    return {(name, one.generation): value for one in records for name, value in metrics_of(one).items()}
