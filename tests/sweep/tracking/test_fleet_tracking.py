"""A tracking server on PostgreSQL and S3 with 64 trials writing at once: nothing lost, no trial kept waiting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis
from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.engine import show_stored
from sweep.scheduling import Board, Job
from sweep.tracking import WRITERS, Background
from sweep.tracking.mlflow import MlflowTracker
from sweep.tracking.mlflow_server import experiment_of
from tests.support import servers
from trainables.cell import Record
from trainables.store import MemoryStore, Payload

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),  # MLflow's own, with SQLAlchemy 2.1
]

TRIALS, GENERATIONS = 64, 2
FEW = 12
"""Cells that are shown twice."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Addresses of MLflow and S3, and the server's folder."""
    home = servers.postgres_home()
    if home is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason='pip install "collapse-sweep[postgres]"')
    folder = tmp_path_factory.mktemp("server")
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}
    with servers.postgres(home) as database, servers.s3() as store:
        keys |= {"MLFLOW_S3_ENDPOINT_URL": store}
        with servers.mlflow(database, "s3://fleet/artifacts", folder, **keys) as address:
            yield address, store, folder


def study(name: str = "fleet", trials: int = TRIALS) -> Study:
    cell = {"family": {"kind": "gaussian"}, "rows": 20, "generations": GENERATIONS, "replicates": 5}
    space = {"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=tuple(range(trials // 2)))}
    return Study(name=name, blocks=(Block(cell=cell, space=space),))


def made_up(job: Job, generation: int) -> Record:
    """A record whose every figure is its own."""
    value = int(job.key[:8], 16) / 2**32 + generation
    return Record(
        generation=generation,
        test_loss=value,
        corpus_rows=20 * generation,
        real_fraction=1 / generation,
        metrics={f"metric_{i}": value / (i + 3) for i in range(3)},
        model=job.stages[generation - 1].model,
        composition={"rows": 20, "weight_by_batch": {"0": 1.0}, "duplicates": 0.0, "rejected": {}},
        seconds={"fit": 0.1 * value},
    )


def run(board: Board) -> int:
    """64 trials side by side, a generation each in turn; how many generations were reported."""
    running = []
    while (job := board.take()) is not None:
        board.start(job)
        running.append(job)
    assert len(running) > TRIALS / 4
    reports = 0
    while running:
        for job in list(running):
            record = made_up(job, job.done + 1)
            board.record(job, record)
            if job.done == GENERATIONS:
                board.finish(job)
            reports += 1
            if not board.holds(job):
                running.remove(job)
        while (job := board.take()) is not None:
            board.start(job)
            running.append(job)
    return reports


def admitted(name: str = "fleet") -> Board:
    board = Board(MemoryStore(), concurrency=TRIALS)
    board.admit(expand(study(name)))
    return board


def comparable(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sort_values(["cell", "generation"]).reset_index(drop=True).sort_index(axis=1)


def test_64_trials_at_once_lose_nothing_and_wait_for_nothing(fleet: tuple[str, str, Path]) -> None:
    """While they report, the server is stopped: who waited for its answer would wait for ever."""
    address, _, folder = fleet
    board = admitted()
    tracker = Background(MlflowTracker(address, study(), folder), WRITERS)
    board._listeners = [tracker]
    with servers.asleep(address):
        assert run(board) == TRIALS * GENERATIONS
    tracker.close("done")
    frame = analysis.load("", study="fleet", tracking_uri=address)
    assert len(frame) == TRIALS * GENERATIONS
    assert set(frame["status"]) == {"done"}
    for job in board.jobs.values():
        own = frame[frame["cell"] == job.key].sort_values("generation")
        assert own["generation"].tolist() == [1, 2]
        for generation, shown in zip((1, 2), own.to_dict("records"), strict=True):
            told: Any = made_up(job, generation)
            assert shown["test_loss"] == told.test_loss, "to the last digit"
            assert all(shown[name] == value for name, value in told.metrics.items())


def test_the_store_shown_on_both_servers_gives_equal_frames(fleet: tuple[str, str, Path], tmp_path: Path) -> None:
    """What `relog` does, to PostgreSQL and to the workspace's own database."""
    address, _, _ = fleet
    store = MemoryStore()
    for point in expand(study("relogged", FEW)):
        board = Board(MemoryStore())
        (job,) = board.admit([point])
        for generation, stage in enumerate(job.stages, 1):
            record = made_up(job, generation).model_dump()
            held = {name: value for name, value in record.items() if name != "generation"}
            store.put("record", stage.record, Payload(held))
    frames = []
    for uri in (address, f"sqlite:///{tmp_path / 'mlflow.db'}"):
        board = Board(store)
        board.admit(expand(study("relogged", FEW)))
        tracker = MlflowTracker(uri, study("relogged", FEW), tmp_path)
        assert show_stored(board, store, tracker) == FEW
        assert show_stored(board, store, MlflowTracker(uri, study("relogged", FEW), tmp_path)) == 0, (
            "found again, never doubled"
        )
        tracker.close("done")
        frames.append(comparable(analysis.load(tmp_path, study="relogged", tracking_uri=uri)))
    assert len(frames[0]) == FEW * GENERATIONS
    pd.testing.assert_frame_equal(*frames, check_exact=True)


def test_artifacts_go_to_s3_through_the_server_and_the_password_nowhere(fleet: tuple[str, str, Path]) -> None:
    import boto3
    from mlflow import MlflowClient

    address, store, folder = fleet
    MlflowTracker(address, study("files"), folder).close("done")
    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(experiment_of("files")).experiment_id
    (parent,) = client.search_runs([experiment], "tags.`collapse_sweep.study` = 'files'")
    client.log_text(parent.info.run_id, "a table", "report/table.md")
    keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    held = boto3.client("s3", endpoint_url=store, **keys).list_objects_v2(Bucket="fleet")["Contents"]
    assert [item["Key"] for item in held if item["Key"].endswith("report/table.md")]
    assert servers.PASSWORD not in (folder / "mlflow.log").read_text()
