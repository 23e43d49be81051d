"""What MLflow holds comes back whole and tidy, by whichever reader."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.data import IDENTITY, loading, mlflow_client, tidy
from analysis.data.frame import configuration, policy_labels
from tests.support import simulated

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's own, with SQLAlchemy 2.1


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two studies, a shared cell, a failed cell, an infinity, a deleted run and a repeated value."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    folder = tmp_path_factory.mktemp("workspace")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    linear = {"kind": "linear", "dim": 10, "noise": 1.0}
    losses = np.linspace(0.1, 0.4, 4)
    theory = np.array([np.inf, 0.2, 0.3, 0.4])
    shared = simulated.cell(linear, {"kind": "replace"}, 0)
    first = {
        "done 0": (shared, {"test_loss": losses, "theory_test_loss": theory, "corpus_rows": np.full(4, 100)}),
        "done 1": (simulated.cell(linear, {"kind": "sliding_window", "window": 2}, 1), {"test_loss": losses * 2}),
        "done 2": (simulated.cell(linear, {"kind": "sliding_window", "window": 4}, 1), {"test_loss": losses * 3}),
        "failed 3": (
            simulated.cell({"kind": "language", "architecture": "gpt2"}, {"kind": "replace"}, 3),
            {"test_loss": losses[:2]},
        ),
    }
    simulated.log_with_mlflow(uri, "first", first)
    simulated.log_with_mlflow(uri, "it's second", {"done 0": (shared, {"test_loss": losses})})
    client = MlflowClient(tracking_uri=uri)
    runs = client.search_runs(["1"], "tags.study = 'first'")
    doomed = client.create_run("1", tags={"study": "first", "cell": "x", "config": "{}"})
    client.log_metric(doomed.info.run_id, "test_loss", 1.0, step=1)
    client.delete_run(doomed.info.run_id)
    again = next(r for r in runs if r.data.tags["cell"] == simulated.tags("first", shared)["cell"])
    client.log_batch(again.info.run_id, metrics=[Metric("test_loss", 0.25, 5000, 2)])
    return folder


def test_one_row_per_cell_and_generation(workspace: Path) -> None:
    frame = analysis.load(workspace, study="first")
    assert list(frame.columns[: len(IDENTITY)]) == list(IDENTITY)
    assert len(frame) == 4 + 4 + 4 + 2
    assert not frame.duplicated(["cell", "generation"]).any()
    replace = frame[(frame["family"] == "linear") & (frame["policy"] == "replace")]
    assert replace["test_loss"].tolist() == [0.1, 0.25, 0.30000000000000004, 0.4]  # the later value of step 2 wins
    assert replace["theory_test_loss"].tolist() == [np.inf, 0.2, 0.3, 0.4]
    assert replace["family.dim"].tolist() == [10] * 4
    assert frame.loc[frame["family"] == "language", "status"].unique().tolist() == ["failed"]


def test_policies_are_told_apart_by_what_differs(workspace: Path) -> None:
    frame = analysis.load(workspace, study="first")
    assert set(frame["policy"]) == {"replace", "sliding_window(window=2)", "sliding_window(window=4)"}
    alone = frame[frame["policy.window"] != 4].assign(policy=frame["policy.kind"])
    assert set(policy_labels(alone)) == {"replace", "sliding_window"}


def test_sql_and_client_agree(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_sql = analysis.load(workspace)
    monkeypatch.setattr(loading, "_SQLITE", "never:")
    by_client = analysis.load(workspace, tracking_uri=f"sqlite:///{workspace / 'mlflow.db'}")
    pd.testing.assert_frame_equal(by_sql, by_client)
    assert set(by_sql["study"]) == {"first", "it's second"}


def test_study_with_a_quote_in_its_name(workspace: Path) -> None:
    runs, _ = mlflow_client.read(f"sqlite:///{workspace / 'mlflow.db'}", "it's second")
    assert len(runs) == 1
    assert len(analysis.load(workspace, study="it's second")) == 4


def test_config_is_found_in_params_and_artifacts(tmp_path: Path) -> None:
    import json

    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("x", artifact_location=str(tmp_path / "artifacts"))
    for place, noise in (("param", 1.0), ("artifact", 2.0)):  # two recursions, not one computed twice
        config = json.dumps(simulated.cell({"kind": "linear", "noise": noise}, {"kind": "replace"}, 7))
        run = client.create_run(experiment, tags={"study": "s", "cell": place}).info.run_id
        client.log_metric(run, "test_loss", 1.0, step=1)
        if place == "param":
            client.log_param(run, "config", config)
        else:
            client.log_text(run, config, "config.json")
    frame = analysis.load(tmp_path)
    assert frame["seed"].tolist() == [7, 7]
    assert frame["family"].tolist() == ["linear", "linear"]
    client.create_run(experiment, tags={"study": "s", "cell": "none"})
    with pytest.raises(ValueError, match="config: run"):
        analysis.load(tmp_path)


def test_configuration_leaves_out_what_is_compared_averaged_or_extended() -> None:
    one = simulated.cell({"kind": "linear"}, {"kind": "replace"}, 0, generations=10)
    assert configuration(one) == configuration({**one, "seed": 1, "policy": {"kind": "accumulate"}, "generations": 20})
    assert configuration(one) != configuration({**one, "rows": 101})
    assert configuration(one) != configuration({**one, "family": {"kind": "linear", "noise": 2.0}})


def test_the_run_that_got_furthest_stands_for_its_cell() -> None:
    held = simulated.cell({"kind": "linear"}, {"kind": "replace"}, 0)
    import json

    from analysis.data import CellRun, Points

    points = Points()
    for run, length in (("a", 3), ("b", 5), ("c", 1)):
        for step in range(1, length + 1):
            points.add(run, "test_loss", step, ord(run))
    runs = [CellRun(r, simulated.tags("s", held), json.dumps(held)) for r in "abc"]
    assert tidy(runs, points)["test_loss"].tolist() == [ord("b")] * 5


def test_a_cell_computed_again_under_another_key_is_no_second_seed() -> None:
    """Two runs of one recursion would count as independent, and make every interval too narrow."""
    import json

    from analysis.data import CellRun, Points

    held = simulated.cell({"kind": "linear"}, {"kind": "replace"}, 0)
    points = Points()
    for run, length in (("old", 5), ("new", 3)):  # "newest" has no generation yet
        for step in range(1, length + 1):
            points.add(run, "test_loss", step, len(run) + step)
    runs = [
        CellRun(run, simulated.tags("s", held) | {"cell": f"key-{run}"}, json.dumps({**held, "generations": g}))
        for run, g in (("old", 5), ("new", 8), ("newest", 8))
    ]
    frame = tidy(runs, points)
    assert frame["cell"].unique().tolist() == ["key-new"]
    assert frame["generation"].tolist() == [1, 2, 3]


def test_what_is_not_there_is_said(tmp_path: Path, workspace: Path) -> None:
    with pytest.raises(ValueError, match=r"mlflow\.db: no such file; run a study"):
        analysis.load(tmp_path)
    with pytest.raises(ValueError, match="study: no runs of 'absent'"):
        analysis.load(workspace, study="absent")
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at")
    with pytest.raises(ValueError, match="not a readable MLflow database"):
        analysis.load(tmp_path)


def test_import_is_light() -> None:
    code = (
        "import sys, analysis; "
        "print([m for m in ('torch', 'ray', 'mlflow', 'pandas', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
