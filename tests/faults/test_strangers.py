"""A workspace from a stranger, a moved one, a broken one: nothing is written outside, and what is shown is right."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import sqlite3
import threading
import tracemalloc
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from analysis.data import is_own
from search_spaces import StudyError, load_study
from search_spaces.expansion import expand
from search_spaces.loading.study import study_from
from sweep.cli import app
from sweep.errors import TrackingError, UsageError
from sweep.tracking import damaged, database
from sweep.workspace import open_workspace, prepare
from trainables import run
from trainables.runtime import NotAsked, unasked
from trainables.sources.images.hub import Hub as ImageHub
from trainables.sources.molecules.hub import Hub as MoleculeHub
from trainables.sources.text.hub import TextHub

TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}}
"""


def call(folder: Path, command: str, root: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [command, str(folder / "toy.yaml"), "--workspace", str(root), *words])


def rows(root: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as held, held:
        return held.execute(query).fetchall()


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace `w` whose study is done and shown; the path holds what URIs give a meaning."""
    folder = tmp_path_factory.mktemp("job%2F7?x#y")
    (folder / "toy.yaml").write_text(TOY)
    for point in expand(load_study(str(folder / "toy.yaml"))):
        list(run(point.cell, str(folder / "w" / "store")))
    assert call(folder, "relog", folder / "w").exit_code == 0
    return folder


@pytest.fixture
def moved(origin: Path, tmp_path: Path) -> Path:
    shutil.copytree(origin, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
class TestWithMlflow:
    """What needs a database of MLflow's."""

    def test_a_path_that_looks_like_a_uri_is_one_all_the_same(self, origin: Path) -> None:
        assert {path.name for path in origin.iterdir()} == {"toy.yaml", "w"}
        assert not list(origin.parent.glob("job%252F7*")), "MLflow's empty folder goes again"
        assert (origin / "w" / "mlflow.db").stat().st_size > 0
        assert len(rows(origin / "w", "SELECT 1 FROM runs")) == 5, "the study's, two cells' and what each came to"

    def test_a_moved_workspace_shows_its_files_where_it_is_now(self, origin: Path, moved: Path) -> None:
        before = sorted(str(path) for path in origin.rglob("*"))
        done = call(moved, "report", moved / "w")
        assert done.exit_code == 0, done.output
        assert "warning" not in done.output
        here = (moved / "w" / "artifacts").as_uri()
        assert {row[0] for row in rows(moved / "w", "SELECT artifact_location FROM experiments")} == {here}
        assert all(
            uri == f"{here}/{run}/artifacts"
            for uri, run in rows(moved / "w", "SELECT artifact_uri, run_uuid FROM runs")
        )
        assert list((moved / "w" / "artifacts").glob("*/artifacts/report/report.html"))
        assert sorted(str(path) for path in origin.rglob("*")) == before

    def test_a_report_of_a_stranger_s_workspace_goes_nowhere_else(
        self, moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "planted-token")
        outside = tmp_path / "outside"
        outside.mkdir()
        with listening() as (address, heard):
            places = (outside.as_uri(), f"{address}/api/2.0/mlflow-artifacts", f"mlflow-artifacts://{address[7:]}/x")
            for (run,), place in zip(rows(moved / "w", "SELECT run_uuid FROM runs"), cycle(places), strict=False):
                rows(moved / "w", f"UPDATE runs SET artifact_uri = '{place}' WHERE run_uuid = '{run}'")
            rows(moved / "w", "DELETE FROM tags WHERE key IN ('config', 'collapse_sweep.samples')")
            assert call(moved, "report", moved / "w").exit_code == 0
        assert heard == []
        assert not list(outside.iterdir())

    def test_a_scribbled_database_is_set_aside_and_written_again(self, moved: Path) -> None:
        held = bytearray((moved / "w" / "mlflow.db").read_bytes())
        held[4096 : len(held) // 2] = b"\xa5" * (len(held) // 2 - 4096)
        (moved / "w" / "mlflow.db").write_bytes(held)
        assert call(moved, "report", moved / "w").exit_code == 0
        again = call(moved, "relog", moved / "w")
        assert again.exit_code == 0, again.output
        assert "is damaged" in again.output
        assert "2 of 2 cells" in again.output
        assert len(list((moved / "w").glob("mlflow.db.broken-*"))) == 1
        assert len(rows(moved / "w", "SELECT 1 FROM runs")) == 5


@contextlib.contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """A server that hears what is asked of it: its address, and the paths."""
    heard: list[str] = []

    class Ear(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_error(404)

        do_PUT = do_POST = do_HEAD = do_GET

        def log_message(self, *words: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("tracking", "artifacts", "own"),
    [
        ("http://here:5000", "mlflow-artifacts:/1/ab/artifacts", True),
        ("http://here:5000", "mlflow-artifacts://here:5000/1/ab", True),
        ("https://here", "https://here/api/2.0/mlflow-artifacts/artifacts/1", True),
        ("http://here:5000", "mlflow-artifacts://there:5000/1/ab", False),
        ("http://here:5000", "http://there/1/ab", False),
        ("https://here", "http://here/1/ab", False),
        ("http://here:5000", "s3://bucket/1", False),
        ("http://here:5000", "file:///home/me", False),
        ("http://here:5000", "/home/me", False),
        ("http://here:5000", "http://here:5000/api", True),
        ("http://here:5000", "https://here:5000/api", False),
        ("http://here:5000", "http:/api", False),
        ("sqlite:////w/mlflow.db", "file:///w/artifacts/ab", True),
        ("sqlite:////w/mlflow.db", "/w/artifacts/ab", True),
        ("sqlite:////w/mlflow.db", "file:///w/../etc", False),
        ("sqlite:////w/mlflow.db", "file://there/w/artifacts", False),
        ("sqlite:////w/mlflow.db", "http://there/x", False),
        ("postgresql://u@here/d", "s3://bucket/1", False),
        ("postgresql://here/db", "/home/me", False),
    ],
)
def test_files_lie_with_the_server_that_was_named(tracking: str, artifacts: str, own: bool) -> None:
    assert is_own(tracking, artifacts) is own


@pytest.mark.parametrize("run", ["../../../x", "", "a/b", "A" * 32, "a" * 31])
def test_a_forged_run_leads_nowhere(tmp_path: Path, run: str) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "file").write_text("x")
    with pytest.raises(TrackingError, match="no run of MLflow's"):
        database.keep(tmp_path / "w" / "artifacts", run, "report", tmp_path / "from")
    assert [path.name for path in tmp_path.iterdir()] == ["from"]


def test_files_of_a_run_are_not_written_through_links(tmp_path: Path) -> None:
    artifacts, run, own = tmp_path / "w" / "artifacts", "a" * 32, tmp_path / "from"
    (tmp_path / "mine").write_text("mine")
    (artifacts / run / "artifacts" / "report").mkdir(parents=True)
    (artifacts / run / "artifacts" / "report" / "file").symlink_to(tmp_path / "mine")
    (artifacts / run / "artifacts" / "samples").symlink_to(tmp_path)
    own.mkdir()
    (own / "file").write_text("theirs")
    database.keep(artifacts, run, "report", own)
    assert (artifacts / run / "artifacts" / "report" / "file").read_text() == "theirs"
    with pytest.raises(TrackingError, match="remove the link"):
        database.keep(artifacts, run, "samples", own)
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("content", [b"", b"scribble" * 600, None])
def test_which_databases_are_damaged(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "mlflow.db"
    assert damaged(file) == ""
    if content is None:
        with contextlib.closing(sqlite3.connect(file)) as held, held:
            held.execute("CREATE TABLE theirs (x)")
        assert damaged(file) == "is no database of MLflow's"
    else:
        file.write_bytes(content)
        assert damaged(file) == ("is damaged (file is not a database)" if content else "")


def test_a_locked_database_is_not_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    workspace = open_workspace(tmp_path)
    said: list[str] = []
    with contextlib.closing(sqlite3.connect(workspace.database)) as held:
        held.execute("CREATE TABLE runs (x)")
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackingError, match=r"locked; .*relog"):
            database.ready(workspace, said.append)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    "name", ["running", "running/toy.json", "speeds.json", "mlflow.db", "mlflow.db-wal", "artifacts"]
)
def test_no_file_of_a_workspace_is_a_link_out_of_it(tmp_path: Path, name: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "w"
    outside.write_text("mine") if "." in name else outside.mkdir()
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(outside)
    workspace = open_workspace(root)
    places = {
        "running": lambda: workspace.running("toy"),
        "speeds.json": lambda: workspace.speeds,
        "artifacts": lambda: workspace.artifacts,
    }
    with pytest.raises(UsageError, match="leads out of it"):
        places.get(name.split("/")[0], lambda: workspace.database)()


def test_a_file_of_a_report_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    folder = tmp_path / "w" / "reports" / "toy"
    folder.mkdir(parents=True)
    (folder / "report.html").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match=r"reports/toy/report.html leads out of it"):
        open_workspace(tmp_path / "w").report("toy")


def test_the_mark_takes_the_place_of_a_link_to_nothing(tmp_path: Path) -> None:
    """Such a link does not exist, as far as `exists` can tell, and was written through."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "workspace.json").symlink_to(tmp_path / "made")
    prepare(open_workspace(tmp_path / "w"))
    assert not (tmp_path / "made").exists()
    assert json.loads((tmp_path / "w" / "workspace.json").read_text()) == {"schema": 1}


def test_an_empty_mark_is_made_again(tmp_path: Path) -> None:
    """As a full disk left it."""
    (tmp_path / "workspace.json").touch()
    prepare(open_workspace(tmp_path))
    assert json.loads((tmp_path / "workspace.json").read_text()) == {"schema": 1}


@pytest.mark.parametrize("file", ["reports", "reports/toy"])
def test_a_file_in_the_place_of_reports_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    with pytest.raises(UsageError, match=f"{file} must be a folder and is a file"):
        open_workspace(tmp_path).report("toy")


@pytest.mark.parametrize(
    "family",
    [
        "{kind: language, source: {kind: text, path: ADDRESS/corpus.txt}}",
        "{kind: vae, source: {kind: folder, path: ADDRESS/pictures.zip}}",
        "{kind: diffusion, source: {kind: smiles, path: ADDRESS/molecules.smi}}",
        "{kind: diffusion, source: {kind: sdf, path: ADDRESS/molecules.sdf}}",
    ],
)
def test_what_runs_nothing_calls_no_server_unless_told(tmp_path: Path, family: str) -> None:
    with listening() as (address, heard):
        words = f"cell: {{family: {family}, rows: 10, generations: 2}}\nspace: {{policy.kind: {{grid: [fresh_mix]}}}}\n"
        (tmp_path / "toy.yaml").write_text(words.replace("ADDRESS", address))
        planned = call(tmp_path, "plan", tmp_path / "w")
        assert planned.exit_code == 0, planned.output
        assert "is on a server, which this command asks only with --online" in planned.output
        stood = call(tmp_path, "status", tmp_path / "w")
        assert stood.exit_code == 2
        assert "--online" in stood.output
        assert heard == []
        call(tmp_path, "plan", tmp_path / "w", "--online")
        assert heard


@pytest.mark.parametrize("source", [TextHub(name="o/d"), ImageHub(name="o/d"), MoleculeHub(name="o/d", smiles="s")])
def test_the_hub_is_no_exception(monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    import datasets

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    asked: list[str] = []

    def load(name: str, *words: Any, **more: Any) -> None:
        asked.append(name)
        raise OSError("no answer")

    monkeypatch.setattr(datasets, "load_dataset", load)
    read = source._table if isinstance(source, MoleculeHub) else source.read
    with unasked(), pytest.raises(NotAsked, match="'o/d' is on a server"):
        read()
    assert asked == []
    with pytest.raises(ValueError, match=r"'o/d' can't be read \(no answer\)"):
        read()
    assert asked == ["o/d"]


def test_grids_are_counted_before_they_are_multiplied() -> None:
    """Two of 40,000 values would be 1.6 billion cells."""
    many = list(range(40_000))
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 10, "generations": 1}
    raw = {"name": "large", "cell": cell, "space": {"seed": {"grid": many}, "replicates": {"grid": many[1:]}}}
    tracemalloc.start()
    try:
        with pytest.raises(StudyError, match=r"the grids make 1,599,960,000 cells or more; the most is 100,000"):
            study_from(raw, "study")
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["random", "optuna"])
def test_samples_are_counted_before_they_are_drawn(kind: str) -> None:
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}
    search = {"kind": kind, "num_samples": 10**12}
    raw = {"name": "large", "cell": cell, "space": {"rows": {"randint": [1, 99]}}, "search": search}
    with pytest.raises(StudyError, match=r"search.num_samples: 1,000,000,000,000 make more than 100,000 cells"):
        study_from(raw, "study")
