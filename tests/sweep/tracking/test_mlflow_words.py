"""What MLflow is told, and its database, without MLflow: names, notes, reasons, damage, and where files are kept."""

import sqlite3
from contextlib import closing

import pytest
import requests

from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.tracking import database
from sweep.tracking.mlflow_server import ShownRuns, _expected, _reason
from sweep.tracking.mlflow_summaries import _named, description, told, verdicts
from sweep.tracking.summaries import Summary
from sweep.workspace import open_workspace
from tests.support.jobs import record
from tests.support.toys import toy
from trainables import Cell


def summary(**fields):
    tags = {"configuration": "dim 1", "policy": "replace", "verdict": "collapses"}
    given = {
        "key": "k",
        "title": "t",
        "tags": tags,
        "curves": {"loss": {1: 0.5, 2: 0.7}},
        "statistics": {"growth": 0.2},
    }
    return Summary(**given | fields)


def test_what_a_summary_says_has_a_name_that_every_figure_changes():
    same = summary(curves={"loss": {2: 0.7, 1: 0.5}}, key="other")
    assert told(same) == told(summary()), "in whatever order, and whoever says it"
    others = [
        summary(title="u"),
        summary(tags=summary().tags | {"verdict": "stable"}),
        summary(curves={"loss": {1: 0.5, 2: 0.7 + 1e-15}}),
        summary(curves={"other": {1: 0.5, 2: 0.7}}),
        summary(statistics={"growth": 0.25}),
        summary(statistics={}),
    ]
    assert len({told(one) for one in [*others, summary()]}) == 7


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("replace", "replace"),
        ("ratio_mix(ratio=0.3)", "ratio_mix-ratio-0.3"),
        ("levels off", "levels off"),
        ("a/b", "a/b"),
        ("(x)", "x"),
        ("p" * 100, "p" * 100),
    ],
)
def test_a_label_is_a_part_of_a_metric_s_name(label, name):
    assert _named(label) == name


def test_long_labels_stay_apart_and_short_enough():
    names = {_named("p" * 100 + end) for end in "abc"}
    assert len(names) == 3
    assert {len(name) for name in names} == {109}
    assert all(name.startswith("p" * 100 + "-") for name in names)


def test_the_study_s_note_has_a_row_for_each_configuration_and_policy():
    assert verdicts([]) == ""
    rows = verdicts([summary(), summary(tags={"configuration": "dim 2", "policy": "a", "verdict": "stable"})])
    assert rows.strip().splitlines() == [
        "| configuration | policy | verdict |",
        "|---|---|---|",
        "| dim 1 | replace | collapses |",
        "| dim 2 | a | stable |",
    ]
    study = toy().model_copy(update={"description": "What becomes of it?"})
    assert description(study).startswith("What becomes of it?\n\n")


class Foreign(Exception):
    """As of a library that nobody expects here."""


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (requests.exceptions.HTTPError("404 Not Found\nmore"), "404 Not Found"),
        (
            requests.exceptions.ConnectionError("Max retries exceeded with url: /api"),
            "the tracking server can't be reached",
        ),
        (TimeoutError("timed out"), "the tracking server can't be reached; start it, or leave the option out"),
        (OSError("disk full"), "disk full"),
        (Foreign("odd"), "Foreign: odd"),
        (Foreign(""), "Foreign"),
        (OSError(""), "OSError"),
        (ValueError("\n  first\nsecond"), "ValueError: first"),
        (OSError("x" * 999), "x" * 300),
    ],
)
def test_what_a_server_does_wrong_is_its_first_line_and_what_nobody_expects_has_its_type(problem, said):
    found = _reason(problem)
    assert found == said or found.startswith(said + ";")
    assert "\n" not in found


CELL = Cell.model_validate({"family": {"kind": "linear", "dim": 3}, "policy": {"kind": "replace"}, "generations": 3})


RECORDS = [record(n, loss) for n, loss in ((1, 2.0), (2, 3.0), (3, 6.0))]


@pytest.mark.parametrize(("status", "whole"), [("done", True), ("stopped", False), ("failed", False)])
def test_a_run_should_show_every_figure_and_of_one_that_is_done_its_whole_curve_s(status, whole):
    """2, 3, 6: a slope of 2, and three times the first."""
    expected = _expected(Job(CELL, "k", {}, done=3, status=status), RECORDS)
    assert [expected["test_loss", n] for n in (1, 2, 3)] == [2.0, 3.0, 6.0]
    assert (("growth", 3) in expected) is (("growth_ratio", 3) in expected) is whole
    if whole:
        assert expected["growth", 3] == pytest.approx(2.0)
        assert expected["growth_ratio", 3] == pytest.approx(3.0)


def shown(points, latest):
    made = ShownRuns.__new__(ShownRuns)
    made._points, made._latest = {"r": points}, {"r": latest}
    return made


def test_points_and_the_list_s_latest_values_are_compared_apart_and_each_difference_is_told_once():
    job = Job(CELL, "k", {}, done=3, status="stopped")
    stored = dict(_expected(job, RECORDS))
    last = {name: stored[name, 3] for name, _ in stored}
    assert shown(stored, last).differing("r", job, RECORDS) == []
    point = shown(stored | {("test_loss", 2): 9.0}, last).differing("r", job, RECORDS)
    assert [(one.metric, one.generation, one.shown, one.stored) for one in point] == [("test_loss", 2, 9.0, 3.0)]
    listed = shown(stored, last | {"test_loss": 9.0}).differing("r", job, RECORDS)
    assert [(one.metric, one.generation, one.shown, one.stored) for one in listed] == [("test_loss", 3, 9.0, 6.0)]
    both = shown(stored | {("test_loss", 3): 8.0}, last | {"test_loss": 9.0}).differing("r", job, RECORDS)
    assert [(one.generation, one.shown) for one in both] == [(3, 8.0)]
    gone = shown({}, last | {"their own": 1.0}).differing("r", job, RECORDS)
    assert {one.shown for one in gone} == {None}
    assert len(gone) == len(stored), "what is somebody's own is no difference"


def make(path, *tables):
    with closing(sqlite3.connect(path)) as made, made:
        for table in tables:
            made.execute(f"CREATE TABLE {table} (run_uuid TEXT, artifact_uri TEXT, artifact_location TEXT)")


TABLES = ("experiments", "runs", "tags", "params", "metrics", "alembic_version")


def test_a_broken_database_is_set_aside_and_told_once(tmp_path):
    workspace, said = open_workspace(tmp_path), []
    (tmp_path / "mlflow.db").write_bytes(b"scribbles " * 500)
    for _ in range(2):
        database.ready(workspace, said.append)
    (aside,) = tmp_path.iterdir()
    assert aside.name.startswith("mlflow.db.broken-")
    assert aside.read_bytes() == b"scribbles " * 500
    assert said == [
        f"{tmp_path / 'mlflow.db'}: is damaged (file is not a database); it is now {aside.name}, and a new one is begun"
        "; results are kept in the store; `relog` shows them there"
    ]


def test_what_lies_beside_a_database_goes_with_it(tmp_path):
    ends = ("", "-journal", "-wal", "-shm")
    for end in (*ends, ".lock"):
        (tmp_path / f"mlflow.db{end}").write_text(end)
    aside = database.set_aside(tmp_path / "mlflow.db")
    moved = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert moved == {aside.name + end: end for end in ends} | {"mlflow.db.lock": ".lock"}


def test_runs_of_a_workspace_that_was_moved_say_where_their_files_are_now(tmp_path):
    workspace = open_workspace(tmp_path)
    make(tmp_path / "mlflow.db", *TABLES)
    here = workspace.artifacts.as_uri()
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as held, held:
        held.execute("INSERT INTO experiments (artifact_location) VALUES ('file:///there/artifacts')")
        held.execute("INSERT INTO runs (run_uuid, artifact_uri) VALUES ('ab', 's3://elsewhere')")
    for _ in range(2):
        database.ready(workspace, pytest.fail)
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as held:
            assert held.execute("SELECT artifact_location FROM experiments").fetchall() == [(here,)]
            assert held.execute("SELECT artifact_uri FROM runs").fetchall() == [(f"{here}/ab/artifacts",)]


def test_a_database_that_another_process_holds_is_told_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    make(tmp_path / "mlflow.db", *TABLES)
    with closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"/mlflow.db: database is locked; results are kept in the store; "):
            database.ready(open_workspace(tmp_path), pytest.fail)


def test_files_are_laid_before_runs_and_nowhere_else(tmp_path):
    artifacts, folder, run = tmp_path / "artifacts", tmp_path / "report", "ab" * 16
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "table.csv").write_text("1")
    database.keep(artifacts, run, "report", folder)
    assert (artifacts / run / "artifacts" / "report" / "deep" / "table.csv").read_text() == "1"
    for stranger in ("../up", "AB" * 16, "ab" * 15):
        with pytest.raises(TrackingError) as refused:
            database.keep(artifacts, stranger, "report", folder)
        assert str(refused.value) == (
            f"{tmp_path / 'mlflow.db'}: {stranger!r} is no run of MLflow's; its files are not shown"
        )
    (artifacts / run / "artifacts" / "out").symlink_to(tmp_path)
    with pytest.raises(TrackingError, match=r"leads out of the workspace; remove the link$"):
        database.keep(artifacts, run, "out", folder)
