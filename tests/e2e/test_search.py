"""Searches and schedulers through Ray Tune, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SURFACE = """\
name: surface
cell: {family: {kind: linear, dim: 20, estimator: ridge}, policy: {kind: weighted_fresh}, rows: 60, generations: 3,
       replicates: 50}
space:
  family.penalty: {loguniform: [1.0e-2, 1.0e+4]}
  policy.weight: {uniform: [0.02, 0.98]}
  policy.bias: {uniform: [0.5, 1.5]}
search: {kind: optuna, sampler: gp, num_samples: 16, seed: 0}
"""
BEST_REGION = 0.46226
"""Held-out loss below which 0.5 % of the space lies, by the scan of `python -m benchmarks search`."""
STOPPED = """\
name: stopped
cell: {family: {kind: gaussian}, policy: {kind: replace}, generations: 6, replicates: 50}
space:
  rows: {grid: [128, 64, 32, 16, 8]}
scheduler: {kind: asha, grace: 2, reduction_factor: 2}
"""


def call(folder: Path, *arguments: str) -> tuple[Any, str]:
    out, said = commands.call(folder, *arguments, "--workspace", "w", "--json")
    return json.loads(out), said


def test_optuna_through_tune_reaches_the_best_region_in_a_third_of_what_random_search_needs(tmp_path: Path) -> None:
    """Random search needs 139 suggestions in the median for 0.5 % of a space; here there are 16."""
    (tmp_path / "surface.yaml").write_text(SURFACE)
    told, _ = call(tmp_path, "run", "surface.yaml", "--cpus", "1", "--no-report", "--tracking-uri", "none")
    (search,) = told["searches"]
    assert search["suggestions"] == len(told["cells"]) == 16
    (best,) = search["best"]
    assert best["values"]["final_loss"] <= BEST_REGION
    assert 2 < best["at"]["family.penalty"] < 80
    assert 0.5 < best["at"]["policy.weight"] < 0.95


def test_a_scheduler_stops_cells_through_tune_and_they_stay_in_the_study(tmp_path: Path) -> None:
    (tmp_path / "stopped.yaml").write_text(STOPPED)
    told, said = call(tmp_path, "run", "stopped.yaml", "--cpus", "1", "--no-report")
    assert "scheduler asha ranks cells of equal policy and seed by final_loss" in said
    assert "are the ones that collapse" in said
    ended = {cell["cell"]: (cell["status"], cell["done"]) for cell in told["cells"]}
    assert {status for status, _ in ended.values()} == {"done", "stopped early"}
    assert {done for status, done in ended.values() if status == "stopped early"} <= {2, 4}
    rows = [row for row in told["robustness"] if row["metric"] == "test_loss"]
    assert len(rows) == 5, "every configuration is in the table, the stopped ones too"
    assert sum(row["stopped"] for row in rows) == sum(status == "stopped early" for status, _ in ended.values())
    again, said = call(tmp_path, "run", "stopped.yaml", "--no-report")
    assert "nothing was trained" in said
    assert {cell["cell"]: (cell["status"], cell["done"]) for cell in again["cells"]} == ended
    assert {cell["status"] for cell in call(tmp_path, "status", "stopped.yaml")[0]["cells"]} == {
        "done",
        "stopped early",
    }


EARLIER = """\
name: earlier
cell: {family: {kind: gaussian}, generations: 2, replicates: 200}
space:
  rows: {grid: [8, 16, 32, 64, 128]}
  policy.kind: {grid: [replace, accumulate]}
"""
LATER = """\
name: later
cell: {family: {kind: gaussian}, generations: 2, replicates: 200, seed: 1}
space:
  rows: {lograndint: [5, 200]}
  policy.kind: {grid: [replace, accumulate]}
search: {kind: optuna, sampler: {kind: tpe, n_startup_trials: 5}, num_samples: 3, warm_start: [earlier], seed: 3}
"""


def test_a_search_learns_from_an_earlier_study_and_runs_none_of_it_again(tmp_path: Path) -> None:
    for name, text in (("earlier", EARLIER), ("later", LATER)):
        (tmp_path / f"{name}.yaml").write_text(text)
    _, said = commands.call(tmp_path, "run", "later.yaml", "--workspace", "empty", "--cpus", "1", code=2)
    assert "search.warm_start: " in said
    assert len(said.splitlines()) == 1
    call(tmp_path, "run", "earlier.yaml", "--cpus", "1", "--no-report")
    models = {path: path.stat().st_mtime_ns for path in (tmp_path / "w" / "store" / "model").rglob("*.json")}
    told, _ = call(tmp_path, "run", "later.yaml", "--cpus", "1", "--no-report")
    (search,) = told["searches"]
    assert search["suggestions"] == 3, "what was learned is not counted as suggested"
    assert len(told["cells"]) == 6
    tried = {int(row["hyperparameters"].removeprefix("rows=")) for row in told["robustness"]}
    assert sorted(tried)[1] > 128, "five earlier values stand for its random start-up, and more rows are better"
    assert {path: path.stat().st_mtime_ns for path in models} == models
    again, said = call(tmp_path, "run", "later.yaml", "--no-report")
    assert "nothing was trained" in said
    assert again["searches"] == told["searches"]
