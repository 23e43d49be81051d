"""What MLflow shows: the schema, found again and never doubled, complete after every kind of loss."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from sweep.commands.report import show
from sweep.engine import show_stored
from sweep.errors import TrackingError
from sweep.reporting.report import stored, tracked
from sweep.scheduling import Board, Failure, Job, read_records
from sweep.tracking import Guarded
from sweep.tracking.base import NullTracker
from sweep.workspace import Workspace, open_workspace, prepare
from tests.support.toys import drain, points, step, toy
from trainables import Cell, Record
from trainables.store import MemoryStore, open_store

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's own imports warn


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = open_workspace(tmp_path / "w")
    prepare(made)
    return made


def tracker(workspace: Workspace) -> Any:
    from sweep.tracking.mlflow import MlflowTracker

    return MlflowTracker(workspace.tracking_uri, toy(), workspace.artifacts)


def board_of(store: Any, *listeners: Any) -> Board:
    board = Board(store, listeners)
    board.admit(points(toy()))
    return board


def rows(workspace: Workspace, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(workspace.root / "mlflow.db")) as database:
        return database.execute(query).fetchall()


def test_a_new_database_is_made_in_a_hurry_and_written_through_from_then_on(workspace: Workspace) -> None:
    from sweep.tracking.mlflow_server import reach

    for _ in ("new", "there already"):
        store = reach(workspace.tracking_uri)._tracking_client.store
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        with store.engine.connect() as one, store.engine.connect() as another:
            assert {c.exec_driver_sql("PRAGMA synchronous").scalar() for c in (one, another)} == {2}


def test_runs_follow_the_schema(workspace: Workspace) -> None:
    store = MemoryStore()
    shown = tracker(workspace)
    board = board_of(store, shown)
    drain(board, store)
    shown.close("done")
    children = rows(workspace, "select run_uuid from tags where key = 'collapse_sweep.role' and value = 'cell'")
    parents = rows(workspace, "select run_uuid from tags where key = 'collapse_sweep.role' and value = 'study'")
    assert (len(parents), len(children)) == (1, 4)
    for (run,) in children:
        tags = dict(rows(workspace, f"select key, value from tags where run_uuid = '{run}'"))
        cell = Cell.model_validate_json(tags["config"])
        assert tags["cell"] == cell.key
        assert tags["mlflow.parentRunId"] == parents[0][0]
        assert (tags["study"], tags["family"], tags["status"], tags["generations"]) == ("toy", "gaussian", "done", "3")
        assert (tags["policy"], tags["seed"], tags["size"]) == (cell.policy.kind, str(cell.seed), "dim 1")
        params = dict(rows(workspace, f"select key, value from params where run_uuid = '{run}'"))
        assert (params["family.kind"], params["policy.kind"], params["rows"]) == ("gaussian", cell.policy.kind, "20")
        steps = rows(
            workspace, f"select step, value from metrics where run_uuid = '{run}' and key = 'test_loss' order by 1"
        )
        records = {record.generation: record for record in read_records(board.jobs[cell.key], store)}
        assert steps == [(n, records[n].test_loss) for n in (1, 2, 3)], "to the last digit"
    assert {row[0] for row in rows(workspace, "select status from runs")} == {"FINISHED"}


def test_nothing_is_doubled_by_a_second_driver_that_goes_on(workspace: Workspace) -> None:
    store = MemoryStore()
    board = board_of(store, tracker(workspace))
    job = board.take()
    assert job is not None
    step(board, job, store)  # and then the driver is killed
    second = tracker(workspace)
    again = board_of(store, second)
    assert show_stored(again, store, second) == 2, "the killed cell, and its sibling that shares generation 1"
    drain(again, store)
    counts = rows(workspace, "select count(*), count(distinct run_uuid || key || step) from metrics")
    assert counts[0][0] == counts[0][1]
    assert len(rows(workspace, "select run_uuid from runs")) == 5
    assert all(second.shown(found) for found in again.jobs.values())


def test_a_lost_database_is_written_again_from_the_store_with_the_same_figures(workspace: Workspace) -> None:
    store = MemoryStore()
    board = board_of(store, tracker(workspace))
    drain(board, store)
    frames = [tracked(toy(), board, workspace)]
    (workspace.root / "mlflow.db").unlink()
    other = open_workspace(workspace.root.parent / "other")
    prepare(other)
    shown = tracker(other)
    fresh = board_of(store)
    assert tracked(toy(), fresh, other) is None, "what is not there is not taken for complete"
    assert show_stored(fresh, store, shown) == 4
    assert show_stored(fresh, store, shown) == 0
    frames += [tracked(toy(), fresh, other), stored(toy(), fresh, store)]
    import pandas as pd

    for frame in frames[1:]:
        assert frame is not None
        pd.testing.assert_frame_equal(frame, frames[0], check_like=True)


def test_a_failed_cell_is_shown_with_generation_and_reason(workspace: Workspace) -> None:
    store = MemoryStore()
    board = board_of(store, tracker(workspace))
    job = board.take()
    assert job is not None
    step(board, job, store)
    board.fail(job, Failure("the loss is nan", 2))
    (run,) = rows(workspace, "select run_uuid from tags where key = 'status' and value = 'failed'")[0]
    tags = dict(rows(workspace, f"select key, value from tags where run_uuid = '{run}'"))
    assert (tags["failed_generation"], tags["reason"], tags["error"]) == ("2", "the loss is nan", "diverged")
    assert rows(workspace, f"select status from runs where run_uuid = '{run}'") == [("FAILED",)]


def test_a_database_that_another_process_writes_is_told_without_a_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow prints one of what it raises, which is told in a line."""
    from sweep.tracking.mlflow_server import mlflow_reported, reach

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}?timeout=0.1"
    client = reach(uri)
    run = client.create_run("0").info.run_id
    capfd.readouterr()
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackingError, match="database is locked"), mlflow_reported(uri):
            client.set_tag(run, "study", "toy")
    assert capfd.readouterr() == ("", "")


def test_a_server_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    from sweep.tracking.mlflow import MlflowTracker

    (tmp_path / "file").touch()
    with pytest.raises(TrackingError) as caught:
        MlflowTracker(f"sqlite:///{tmp_path}/file/mlflow.db", toy(), tmp_path)
    assert str(caught.value).startswith("--tracking-uri sqlite:///")
    assert "\n" not in str(caught.value)


class Dying(NullTracker):
    """A tracker whose server dies after some calls."""

    def __init__(self, calls: int) -> None:
        self.left, self.calls = calls, 0

    def recorded(self, job: Job, record: Record) -> None:
        self.calls += 1
        self.left -= 1
        if self.left < 0:
            raise TrackingError("gone")


def test_a_server_that_dies_is_told_once_and_stops_nothing() -> None:
    said: list[str] = []
    dying = Dying(2)
    guarded = Guarded(dying, said.append)
    store = MemoryStore()
    board = board_of(store, guarded)
    drain(board, store)
    assert said == ["gone"]
    assert guarded.trouble == "gone"
    assert dying.calls == 3, "a server that is gone is left alone"
    assert {job.status for job in board.jobs.values()} == {"done"}


def test_a_report_never_takes_figures_from_the_tracking_database(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anybody may change it, and a damaged disk too: a loss of 0.01 there was "+0.0000 stable"."""
    store, shown, study = open_store(workspace.storage), tracker(workspace), toy()
    board = board_of(store, shown)
    drain(board, store)
    shown.close("done")

    def table() -> list[dict[str, Any]]:
        show(study, board, workspace, store, "command", json=True, report=False)
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["robustness"]
        return found

    before = table()
    assert before
    with contextlib.closing(sqlite3.connect(workspace.root / "mlflow.db")) as database, database:
        changed = database.execute("UPDATE metrics SET value = 0.01 WHERE key = 'test_loss'").rowcount
    assert changed > 0
    assert table() == before


def values(workspace: Workspace) -> dict[tuple[str, str, int], float]:
    """What active cells' runs show, by cell, metric and generation."""
    found = rows(
        workspace,
        "select c.value, m.key, m.step, m.value from metrics m "
        "join tags c on c.run_uuid = m.run_uuid and c.key = 'cell' "
        "join runs r on r.run_uuid = m.run_uuid where r.lifecycle_stage = 'active'",
    )
    assert len(found) == len({row[:3] for row in found}), "no point is there twice"
    return {(cell, name, step): value for cell, name, step, value in found}


@pytest.mark.parametrize("table", ["metrics", "latest_metrics"])
def test_relog_tells_and_mends_figures_that_are_not_the_store_s(
    workspace: Workspace, table: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sweep.commands import relog

    store, shown = open_store(workspace.storage), tracker(workspace)
    drain(board_of(store, shown), store)
    shown.close("done")
    before = values(workspace)
    monkeypatch.setattr(relog, "load_study", lambda reference, overrides: toy())

    def relogged() -> dict[str, Any]:
        relog.relog("toy", [], workspace, json=True)
        told: dict[str, Any] = json.loads(capsys.readouterr().out)
        return told

    assert relogged() == {"study": "toy", "written": 0, "mended": 0, "differing": []}
    (run, generation), *_ = rows(
        workspace,
        "select m.run_uuid, max(m.step) from metrics m join tags c on c.run_uuid = m.run_uuid and c.key = 'cell' "
        "where m.key = 'trace_ratio' group by 1",
    )
    with contextlib.closing(sqlite3.connect(workspace.root / "mlflow.db")) as database, database:
        where = f"key = 'trace_ratio' and step = {generation} and run_uuid = '{run}'"
        assert database.execute(f"UPDATE {table} SET value = 0.01 WHERE {where}").rowcount == 1
    told = relogged()
    ((one,), mended) = (told["differing"], told["mended"])
    assert (mended, one["run"], one["metric"], one["generation"]) == (1, run, "trace_ratio", generation)
    assert one["shown"] == 0.01
    assert one["stored"] in before.values()
    assert values(workspace) == before
    assert relogged()["differing"] == []


def test_points_that_are_gone_are_written_again(workspace: Workspace) -> None:
    from sweep.commands.relog import _mend

    store, shown = MemoryStore(), tracker(workspace)
    board = board_of(store, shown)
    drain(board, store)
    before = values(workspace)
    with contextlib.closing(sqlite3.connect(workspace.root / "mlflow.db")) as database, database:
        gone = database.execute("DELETE FROM metrics WHERE step = 2 AND key = 'test_loss'").rowcount
    assert gone == 4
    found = _mend(board, store, tracker(workspace))
    assert [str(one).split(": ", 1)[1][:31] for many in found for one in many] == [
        "test_loss of generation 2 was mi"[:31]
    ] * 4
    assert values(workspace) == before


@pytest.mark.filterwarnings("error:toy")
def test_cells_that_the_study_no_longer_has_are_left_out_with_a_word(workspace: Workspace) -> None:
    import analysis
    from sweep.tracking import exhibit

    store, shown = open_store(workspace.storage), tracker(workspace)
    board = board_of(store, shown)
    drain(board, store)
    shown.close("done")
    everything = analysis.load(workspace.root, study="toy")
    smaller = Board(store, ())
    smaller.admit([point for point in points(toy()) if point.cell.policy.kind == "replace"])

    def show(now: Board) -> None:
        frame = stored(toy(), now, store)
        exhibit(toy(), now, workspace, store, frame, frame.iloc[:0], None, pytest.fail)

    show(smaller)
    with pytest.warns(
        UserWarning, match=r"toy: 2 cells that the study no longer has are left out; load\(\.\.\., former"
    ):
        left = analysis.load(workspace.root, study="toy")
    assert set(left["cell"]) == set(smaller.jobs)
    assert set(analysis.load(workspace.root, study="toy", former=True)["cell"]) == set(everything["cell"])
    show(board)
    assert set(analysis.load(workspace.root, study="toy")["cell"]) == set(everything["cell"]), "they are its own again"
