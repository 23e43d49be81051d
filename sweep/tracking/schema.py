"""What runs say, by name: tags, params and metrics of docs/decisions/0002-mlflow-schema.md, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sweep.scheduling import Job
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
