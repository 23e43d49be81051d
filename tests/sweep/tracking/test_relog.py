"""`relog` of a lost view: everything that docs/decisions/0002 says a study's runs hold is there again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.commands import relog, report
from sweep.workspace import Workspace, open_workspace
from tests.support.toys import toy
from trainables import run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's own imports warn


@pytest.fixture
def study(tmp_path: Path) -> str:
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy(("replace", "accumulate"), 3).canonical()))
    return str(path)


@pytest.fixture
def workspace(study: str, tmp_path: Path) -> Workspace:
    """One whose store holds the study, and nothing else."""
    found = open_workspace(tmp_path / "runs")
    for point in expand(load_study(study)):
        list(run(point.cell, found.storage))
    return found


def shown(workspace: Workspace) -> list[dict[str, Any]]:
    """What each run holds, without what tells runs of two databases apart."""
    from mlflow import MlflowClient

    client = MlflowClient(workspace.mlflow_uri)
    (experiment,) = client.search_experiments(filter_string="name = 'collapse-sweep/toy'")
    found = [
        {
            "role": one.data.tags["collapse_sweep.role"],
            "tags": {k: v for k, v in one.data.tags.items() if not k.startswith("mlflow.") and "time" not in k},
            "params": one.data.params,
            "metrics": {name: value for name, value in one.data.metrics.items() if not name.startswith("seconds.")},
            "files": sorted(file.path for file in client.list_artifacts(one.info.run_id)),
            "status": one.info.status,
        }
        for one in client.search_runs([experiment.experiment_id], max_results=1000)
    ]
    return sorted(found, key=lambda one: (one["role"], one["tags"].get("cell", ""), one["tags"].get("policy", "")))


def test_a_lost_database_is_written_again_in_full(study: str, workspace: Workspace, tmp_path: Path) -> None:
    assert relog.relog(study, [], workspace, json=False) == 0
    before = shown(workspace)
    assert [one["role"] for one in before] == ["cell"] * 6 + ["study", "summary", "summary"]
    assert report.report(study, [], workspace, json=False) == 0
    assert relog.relog(study, [], workspace, json=False) == 0
    whole = shown(workspace)
    (parent,) = (one for one in whole if one["role"] == "study")
    assert parent["files"] == ["report"]
    assert parent["metrics"]["recursions"] == 30, "3 seeds of 5 replicates under each of two policies"
    assert "gaussian" in parent["params"].values()
    left = shutil.copytree(
        workspace.root, tmp_path / "left", ignore=shutil.ignore_patterns("mlflow.db*", "artifacts"), dirs_exist_ok=True
    )  # deleted under MLflow, which holds it open, a database can't be written anew in this process
    assert relog.relog(study, [], open_workspace(left), json=False) == 0
    assert shown(open_workspace(left)) == whole


def test_a_new_place_is_written_in_full(study: str, workspace: Workspace, tmp_path: Path) -> None:
    beside = open_workspace(workspace.root, tracking_uri=f"csv://{tmp_path / 'tables'}")
    assert relog.relog(study, [], beside, json=False) == 0
    folder = tmp_path / "tables" / "toy"
    held = sorted(path.name for path in folder.iterdir())
    assert {"generations.csv", "cells.csv", "summaries.csv", "study.json"} <= set(held)
    with (folder / "summaries.csv").open(newline="") as file:
        assert {row["policy"] for row in csv.DictReader(file)} == {"replace", "accumulate"}


def test_nothing_that_is_done_has_come_to_nothing_yet(study: str, tmp_path: Path) -> None:
    empty = open_workspace(tmp_path / "empty")
    assert relog.relog(study, [], empty, json=False) == 0
    assert [one["role"] for one in shown(empty)] == ["study"]
