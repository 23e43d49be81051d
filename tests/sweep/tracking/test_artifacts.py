"""What MLflow shows besides generations: growth to sort by, the report, and samples to look at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import analysis
from search_spaces import Study
from sweep.engine import open_board, show_stored
from sweep.reporting.report import stored, tracked, write_report
from sweep.tracking import connect, exhibit, pages
from sweep.tracking.artifacts import names
from sweep.tracking.schema import summary_of
from sweep.workspace import Workspace, open_workspace, prepare
from trainables import run
from trainables.families.vae.config import VaeConfig
from trainables.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's own imports warn


def test_growth_is_the_slope_of_the_loss() -> None:
    losses = {1: 2.0, 2: 2.5, 3: 3.5, 4: 3.0}
    found = summary_of(losses)
    assert found["growth"] == pytest.approx(np.polyfit([*losses], [*losses.values()], 1)[0])
    assert found["growth_ratio"] == pytest.approx(1.5)
    assert summary_of({1: 2.0}) == {}
    assert set(summary_of({1: -2.0, 2: -1.0})) == {"growth"}, "a ratio to a negative loss says nothing"


def test_no_file_of_a_generation_takes_the_place_of_another() -> None:
    assert names(3, ["samples.png"]) == {"samples.png": "generation-0003.png"}
    assert names(12, ["a/x.png", "b/x.png", "text.txt"]) == {
        "a/x.png": "generation-0012-a-x.png",
        "b/x.png": "generation-0012-b-x.png",
        "text.txt": "generation-0012.txt",
    }


def pictures() -> Study:
    family, rows = VaeConfig.tiny()
    return Study.model_validate(
        {
            "name": "pictures",
            "cell": {"family": family.canonical(), "rows": rows, "generations": 2},
            "space": {"policy.kind": {"grid": ["replace", "accumulate"]}, "seed": {"grid": [0, 1]}},
        }
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Any, Any]:
    workspace, study = open_workspace(tmp_path_factory.mktemp("w")), pictures()
    prepare(workspace)
    store = open_store(workspace.storage)
    for job in open_board(study, workspace, store).jobs.values():
        for _ in run(job.cell, store):
            pass
    board, tracker = open_board(study, workspace, store), connect(study, workspace)
    show_stored(board, store, tracker)
    tracker.close("done")
    frame = tracked(study, board, workspace)
    assert frame is not None
    assert frame.equals(stored(study, board, store)), "summaries of runs are no part of the frame"
    folder = workspace.report(study.name)
    table, _ = write_report(frame, folder, study.name, store, "command")
    said: list[str] = []
    for _ in range(2):  # again, and nothing is doubled
        exhibit(study, board, workspace, store, frame, table, folder, said.append)
    assert said == []
    from mlflow import MlflowClient

    client = MlflowClient(workspace.tracking_uri)
    experiment = client.get_experiment_by_name("collapse-sweep/pictures")
    assert experiment is not None
    return workspace, client, client.search_runs([experiment.experiment_id])


def paths(client: Any, run: Any, folder: str) -> set[str]:
    return {Path(file.path).name for file in client.list_artifacts(run.info.run_id, folder)}


def test_the_study_s_run_shows_table_pictures_and_report_and_keeps_its_status(shown: Any) -> None:
    _, client, runs = shown
    (parent,) = (run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    assert {"report.html", "robustness.csv", "curves-vae.png"} <= paths(client, parent, "report")
    assert parent.info.status == "FINISHED"


def test_runs_can_be_sorted_by_growth(shown: Any) -> None:
    _, client, runs = shown
    cells = "metrics.growth > -1e9 and tags.`collapse_sweep.role` = 'cell'"
    order = client.search_runs([runs[0].info.experiment_id], cells, order_by=["metrics.growth DESC"])
    growth = [run.data.metrics["growth"] for run in order]
    assert len(growth) == 4
    assert growth == sorted(growth, reverse=True)
    for shown_run in order:
        losses = {point.step: point.value for point in client.get_metric_history(shown_run.info.run_id, "test_loss")}
        assert shown_run.data.metrics["growth"] == pytest.approx(losses[2] - losses[1])


def test_each_configuration_has_a_run_a_policy_with_mean_interval_and_verdict(shown: Any) -> None:
    workspace, client, runs = shown
    frame = analysis.load(workspace.root, study="pictures")
    told = [found for found in runs if found.data.tags["collapse_sweep.role"] == "summary"]
    assert sorted(one.data.tags["policy"] for one in told) == ["accumulate", "replace"]
    (parent,) = (found for found in runs if found.data.tags["collapse_sweep.role"] == "study")
    for one in told:
        own = frame[frame["policy"] == one.data.tags["policy"]]
        for n, losses in own.groupby("generation")["test_loss"]:
            mean, half = losses.mean(), 12.706204736 * losses.std(ddof=1) / 2**0.5  # Student's t, 1 degree of freedom
            for name, expected in (("", mean), ("_low", mean - half), ("_high", mean + half)):
                points = client.get_metric_history(one.info.run_id, f"test_loss{name}")
                assert {p.step: p.value for p in points}[n] == pytest.approx(expected), name
        assert one.data.tags["verdict"] == "undecided"
        assert one.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert f"| {one.data.tags['policy']} | undecided |" in parent.data.tags["mlflow.note.content"]
        assert parent.data.metrics[f"verdicts/{one.data.tags['policy']}/undecided"] == 1
    assert parent.data.params["block.cell.generations"] == "2"
    assert parent.data.metrics["configurations"] == 1


def test_a_link_opens_the_study_s_own_page(shown: Any) -> None:
    workspace, client, runs = shown
    (path,) = pages(workspace.tracking_uri).values()
    experiment = client.get_experiment(runs[0].info.experiment_id)
    view = "viewStateShareKey=collapse-sweep&workflowType=machine_learning"
    assert path == f"/#/experiments/{experiment.experiment_id}/runs?{view}"
    view = json.loads(experiment.tags["mlflow.sharedViewState.collapse-sweep"])
    assert view["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "policy"}]
    found = client.search_runs([experiment.experiment_id], view["searchFilter"])
    assert len(found) == 2, "the filter is one that MLflow takes"
    shown_there = {f"tags.`{tag}`" for tag in found[0].data.tags} | {f"metrics.`{m}`" for m in found[0].data.metrics}
    assert set(view["selectedColumns"]) <= shown_there, "no empty column"
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_study_of_an_earlier_version_goes_on_in_the_common_experiment(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    workspace, study = open_workspace(tmp_path), pictures()
    prepare(workspace)
    connect(study, workspace).close("done")
    client = MlflowClient(workspace.tracking_uri)
    own = client.get_experiment_by_name("collapse-sweep/pictures")
    client.rename_experiment(own.experiment_id, "collapse-sweep")
    connect(study, workspace).close("done")
    assert [e.name for e in client.search_experiments() if e.name.startswith("collapse")] == ["collapse-sweep"]
    assert len(client.search_runs([own.experiment_id])) == 1


def test_samples_of_every_generation_lie_with_the_lowest_seed_of_each_policy(shown: Any) -> None:
    _, client, runs = shown
    for shown_run in runs:
        expected = {"generation-0001.png", "generation-0002.png"} if shown_run.data.tags.get("seed") == "0" else set()
        assert paths(client, shown_run, "samples") == expected
