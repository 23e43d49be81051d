"""Runs made up from known curves: tidy frames, and the same cells as an MLflow database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.data import CellRun, Points
from analysis.data import frame as frames
from trainables.lineage import make_key

LAWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "replace": lambda n: n.astype(float),
    "replace_multiple": lambda n: np.cumsum(1.0 / n),
    "accumulate": lambda n: np.cumsum(1.0 / n**2),
    "accumulate_subsample": lambda n: 3 * np.cumsum(1.0 / n**2) - 2,
    "constant": lambda n: np.ones(len(n)),
}
"""Excess error of generation n over that of generation 1 (FIELD.md's R_n), n = 1, 2, …"""


def cell(family: Mapping[str, Any], policy: Mapping[str, Any], seed: int, **more: Any) -> dict[str, Any]:
    """The canonical mapping of a cell, close enough for a reader that never validates it."""
    return {"family": dict(family), "policy": dict(policy), "seed": seed, "rows": 100, "replicates": 1, **more}


def tags(study: str, held: Mapping[str, Any], status: str = "done") -> dict[str, str]:
    """The tags of docs/decisions/0002 that belong to a cell."""
    family = held["family"]
    return {
        "collapse_sweep.role": "cell",
        "collapse_sweep.study": study,
        "study": study,
        "cell": make_key("cell", **held),
        "family": family["kind"],
        "policy": held["policy"]["kind"],
        "architecture": family.get("architecture", ""),
        "size": str(family.get("size", "")),
        "seed": str(held["seed"]),
        "status": status,
        "config": json.dumps(held, sort_keys=True),
    }


def study(
    values: Mapping[tuple[str, str, int], np.ndarray],
    family: str = "linear",
    name: str = "study",
    metrics: Mapping[str, Mapping[tuple[str, str, int], np.ndarray]] | None = None,
    **more: Any,
) -> pd.DataFrame:
    """A tidy frame from curves of `test_loss` by (configuration, policy, seed)."""
    runs, points = [], Points()
    for (size, policy, seed), curve in values.items():
        held = cell({"kind": family, "size": size}, {"kind": policy}, seed, **more)
        run = f"{size}/{policy}/{seed}"
        runs.append(CellRun(run, tags(name, held), json.dumps(held)))
        columns = {
            "test_loss": curve,
            "corpus_rows": np.full(len(curve), 100.0),
            "real_fraction": 1 / np.arange(1, len(curve) + 1),
        }
        columns |= {metric: held_values[size, policy, seed] for metric, held_values in (metrics or {}).items()}
        for metric, column in columns.items():
            for step, value in enumerate(column, start=1):
                points.add(run, metric, step, float(value))
    return frames.tidy(runs, points)


def noisy(
    rng: np.random.Generator,
    policies: tuple[str, ...] = ("replace", "accumulate"),
    sizes: tuple[str, ...] = ("dim 10",),
    seeds: int = 5,
    generations: int = 20,
    noise: float = 0.1,
) -> dict[tuple[str, str, int], np.ndarray]:
    """Curves of known laws with independent relative noise."""
    n = np.arange(1, generations + 1)
    return {
        (size, policy, seed): LAWS[policy](n) * (1 + noise * rng.standard_normal(generations))
        for size in sizes
        for policy in policies
        for seed in range(seeds)
    }


def log_with_mlflow(uri: str, name: str, cells: Mapping[str, tuple[dict[str, Any], Mapping[str, np.ndarray]]]) -> None:
    """Write a study as `sweep` does: one parent run, a child run per cell, one metric step per generation."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunTag

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name("collapse-sweep")
    experiment = found.experiment_id if found else client.create_experiment("collapse-sweep")
    parent = client.create_run(
        experiment, tags={"collapse_sweep.role": "study", "collapse_sweep.study": name}, run_name=name
    )
    for status, (held, columns) in cells.items():
        run = client.create_run(experiment, tags={"mlflow.parentRunId": parent.info.run_id}, run_name=status)
        status_word = "failed" if status.startswith("failed") else "done"
        logged = [
            Metric(metric, float(value), 1000 + step, step)
            for metric, column in columns.items()
            for step, value in enumerate(column, start=1)
            if np.isfinite(value) or np.isinf(value)
        ]
        client.log_batch(
            run.info.run_id, metrics=logged, tags=[RunTag(k, v) for k, v in tags(name, held, status_word).items()]
        )
        client.set_terminated(run.info.run_id)
