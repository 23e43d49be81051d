"""The tracker contract on every tracker that comes with the product; values equal the store's to the last digit."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import analysis
from analysis.verdicts.paired import differences
from analysis.verdicts.robustness import assess
from search_spaces import Study
from search_spaces.expansion import expand
from sweep.errors import TrackingError
from sweep.scheduling import read_records
from sweep.testing import Seen, TrackerContract
from sweep.tracking import Tracker, check, connect
from sweep.tracking.tensorboard import events
from sweep.workspace import Workspace, open_workspace, prepare

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's and tensorboardX's own imports warn


def place(folder: Path, uri: str) -> Workspace:
    made = open_workspace(folder / "workspace", tracking_uri=uri)
    prepare(made)
    return made


def numbers(row: dict[str, Any], but: tuple[str, ...]) -> dict[str, float]:
    return {name: float(value) for name, value in row.items() if name not in but and value != ""}


class TestCsv(TrackerContract):
    """Tables."""

    compares = True

    def make(self, folder: Path, study: Study) -> Tracker:
        return connect(study, place(folder, f"csv://{folder}/runs"))

    def broken(self, folder: Path, study: Study) -> Tracker:
        (folder / "file").write_text("")
        return connect(study, place(folder, f"csv://{folder}/file"))

    def read(self, folder: Path, study: Study) -> Seen:
        there = folder / "runs" / study.name
        seen, about = Seen(), ("study", "cell", "family", "policy", "architecture", "size", "seed", "generation")
        for row in self.rows(there / "generations.csv"):
            key = (row["cell"], int(row["generation"]))
            seen.doubled += key in seen.points
            seen.points[key] = numbers(row, about)
        seen.statuses = {row["cell"]: row["status"] for row in self.rows(there / "cells.csv")}
        seen.summaries = {row["policy"]: row["verdict"] for row in self.rows(there / "summaries.csv")}
        return seen

    @staticmethod
    def rows(path: Path) -> list[dict[str, str]]:
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_a_metric_that_comes_later_is_a_new_column(self, tmp_path: Path) -> None:
        from sweep.scheduling import make_job

        study = Study.model_validate(
            {"name": "s", "cell": {"family": {"kind": "gaussian"}}, "space": {"policy.kind": {"grid": ["replace"]}}}
        )
        (point,) = expand(study)
        job, tracker = make_job(point.cell, point.values), self.make(tmp_path, study)
        tracker.write_generation(job, 1, {"test_loss": 0.1})  # type: ignore[attr-defined]
        tracker.write_generation(job, 2, {"test_loss": 0.2, "later": float("inf")})  # type: ignore[attr-defined]
        assert self.read(tmp_path, study).points == {
            (job.key, 1): {"test_loss": 0.1},
            (job.key, 2): {"test_loss": 0.2, "later": float("inf")},
        }

    def test_report_reads_the_table(self, tmp_path: Path) -> None:
        from sweep.testing.trackers import _run, _study
        from trainables.store import MemoryStore

        tracker = self.make(tmp_path, _study())
        _run(_study(), MemoryStore(), tracker)
        tracker.close("done")
        frame = analysis.load(tmp_path / "runs" / "contract" / "study" / "generations.csv")
        assert len(frame) == 12
        assert set(frame["policy"]) == {"replace", "accumulate"}
        assert frame["seed"].nunique() == 2

    def test_report_tells_configurations_of_the_table_apart(self, tmp_path: Path) -> None:
        """By what the study set of each cell: with seeds alone, cells of several settings were refused as repeats."""
        from sweep.testing.trackers import _run
        from trainables.store import MemoryStore

        space = {
            "policy": {"grid": [{"kind": "replace"}, *({"kind": "fresh_mix", "real": part} for part in (0.2, 0.5))]},
            "family.dim": {"grid": [1, 2]},
            "rows": {"grid": [10, 20]},
            "seed": {"grid": [0, 1, 2]},
        }
        cell = {"family": {"kind": "gaussian"}, "generations": 3}
        study = Study.model_validate({"name": "s", "cell": cell, "space": space})
        tracker, store = self.make(tmp_path, study), MemoryStore()
        board = _run(study, store, tracker)
        tracker.close("done")
        frame = analysis.load(tmp_path / "runs" / "s" / "generations.csv")
        records = {job.key: read_records(job, store) for job in board.jobs.values()}
        assert sorted(frame["test_loss"]) == sorted(one.test_loss for held in records.values() for one in held)
        table = assess(frame)
        assert (table["runs"] == 3).all()
        assert set(table["policy"]) == {"replace", "fresh_mix(real=0.2)", "fresh_mix(real=0.5)"}
        assert {tuple(row) for row in frame[["family.dim", "rows"]].to_numpy()} == {(1, 10), (1, 20), (2, 10), (2, 20)}
        assert frame["config"].nunique() == 4
        assert (differences(frame)["pairs"] == 3).all()
        again = self.make(tmp_path, study)
        for job in board.jobs.values():
            assert again.mend(job, records[job.key]) == []  # type: ignore[attr-defined]


class TestJsonLines(TrackerContract):
    """Events."""

    compares = True

    def make(self, folder: Path, study: Study) -> Tracker:
        return connect(study, place(folder, f"jsonl://{folder}/runs"))

    def broken(self, folder: Path, study: Study) -> Tracker:
        (folder / "file").write_text("")
        return connect(study, place(folder, f"jsonl://{folder}/file"))

    def read(self, folder: Path, study: Study) -> Seen:
        seen = Seen()
        for line in (folder / "runs" / f"{study.name}.jsonl").read_text().splitlines():
            event = json.loads(line)
            if event["event"] == "generation":
                key = (event["cell"], event["generation"])
                seen.doubled += key in seen.points
                seen.points[key] = {name: float(value) for name, value in event["metrics"].items()}
            elif event["event"] == "cell":
                seen.statuses[event["cell"]] = event["state"]["status"]
            elif event["event"] == "summary":
                seen.summaries[event["key"]] = event["tags"]["verdict"]
        return seen

    def test_a_line_that_was_cut_short_is_written_again(self, tmp_path: Path) -> None:
        from sweep.testing.trackers import _run, _study
        from trainables.store import MemoryStore

        store, study = MemoryStore(), _study()
        _run(study, store, self.make(tmp_path, study))
        whole = self.read(tmp_path, study)
        path = tmp_path / "runs" / "contract" / "study.jsonl"
        text = path.read_text()
        path.write_text(text[: text.rindex('"generation": 3') + 7])
        tracker = self.make(tmp_path, study)
        for job in _run(study, store).jobs.values():
            from sweep.scheduling import read_records

            tracker.complete(job, read_records(job, store))
        tracker.close("done")
        assert self.read(tmp_path, study) == whole


class TestTensorBoard(TrackerContract):
    """Event files."""

    compares = True

    def make(self, folder: Path, study: Study) -> Tracker:
        return connect(study, place(folder, f"tensorboard://{folder}/runs"))

    def broken(self, folder: Path, study: Study) -> Tracker:
        (folder / "file").write_text("")
        return connect(study, place(folder, f"tensorboard://{folder}/file"))

    def read(self, folder: Path, study: Study) -> Seen:
        seen, there = Seen(), folder / "runs" / study.name
        for mark in there.glob("*/*/cell.json"):
            state = json.loads(mark.read_text())
            key = json.loads(state["config"])
            cell = self.key_of(key)
            seen.statuses[cell] = state["status"]
            counts: Counter[tuple[str, int]] = Counter()
            for name, step, value in events(mark.parent):
                counts[name, step] += 1
                if name not in ("growth", "growth_ratio"):
                    seen.points.setdefault((cell, step), {})[name] = value
            seen.doubled += sum(count > 1 for count in counts.values())
        for mark in there.glob("summary/*/*/summary.json"):
            seen.summaries[mark.parent.name] = json.loads(mark.read_text())["tags"]["verdict"]
            assert {name for name, _, _ in events(mark.parent)} == {"test_loss", "test_loss_low", "test_loss_high"}
        return seen

    @staticmethod
    def key_of(config: dict[str, Any]) -> str:
        from trainables import Cell

        return Cell.model_validate(config).key

    def test_others_readers_understand_the_files(self, tmp_path: Path) -> None:
        """Checksums, and TensorBoard's plugin of scalars: read by another implementation."""
        import struct

        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import RecordWriter

        from sweep.tracking.tensorboard import _append, _point

        _append(tmp_path, [("loss", 3, 0.1)])
        (path,) = tmp_path.glob("events.out.tfevents.*")
        ours, theirs = path.read_bytes(), tmp_path / "theirs"
        (length,) = struct.unpack_from("<Q", ours, 0)
        first = ours[12 : 12 + length]
        assert Event.FromString(first).file_version == "brain.Event:2"
        writer = RecordWriter(str(theirs))
        writer.write(first)
        writer.close()
        assert ours.startswith(theirs.read_bytes()), "framed and summed as tensorboardX does it"
        (value,) = Event.FromString(_point("loss", 3, 0.1)).summary.value
        assert value.metadata.plugin_data.plugin_name == "scalars"
        assert value.tensor.double_val[0] == 0.1, "no digit is lost"


class Stand:
    """Stands for W&B: keeps what it is told as files, and like it refuses steps that go back."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def init(self, **about: Any) -> Any:
        assert about["resume"] == "allow"
        assert about["reinit"] == "create_new", "several runs are open at a time"
        return StandRun(self.root / f"{about['id']}.json", about)


class StandRun:
    """One of its runs."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path = path
        held = json.loads(path.read_text()) if path.is_file() else {"points": [], "summary": {}}
        self.about, self.points, self.summary = about, held["points"], held["summary"]

    def define_metric(self, name: str, step_metric: str) -> None:
        assert (name, step_metric) == ("*", "generation")

    def log(self, values: dict[str, float], step: int | None = None) -> None:
        if not self._path.parent.is_dir():
            raise RuntimeError("no such folder")
        latest = self.points[-1][0] if self.points else -1
        step = latest + 1 if step is None else step
        assert step > latest, "W&B drops steps that go back"
        self.points.append([step, values])
        self._keep()

    def finish(self, exit_code: int = 0) -> None:
        self._keep()

    def _keep(self) -> None:
        about = {name: self.about[name] for name in ("job_type", "group", "config", "project")}
        self._path.write_text(json.dumps({"about": about, "points": self.points, "summary": self.summary}))


class TestWandb(TrackerContract):
    """Against a stand-in, whose calls are those of wandb's documentation."""

    @pytest.fixture(autouse=True)
    def _stand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("wandb")
        self.root = tmp_path / "server"
        self.root.mkdir()
        module.init = Stand(self.root).init  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "wandb", module)

    def make(self, folder: Path, study: Study) -> Tracker:
        return connect(study, place(folder, "wandb://me/collapse"))

    def broken(self, folder: Path, study: Study) -> Tracker:
        self.root.rmdir()
        return self.make(folder, study)

    def read(self, folder: Path, study: Study) -> Seen:
        seen = Seen()
        for path in self.root.glob("*.json"):
            held = json.loads(path.read_text())
            assert (held["about"]["group"], held["about"]["project"]) == (study.name, "collapse")
            if held["about"]["job_type"] == "summary":
                seen.summaries[held["about"]["config"]["policy"]] = held["summary"]["verdict"]
            elif held["about"]["job_type"] != "study":
                cell = held["about"]["config"]["cell"]
                seen.statuses[cell] = held["summary"]["status"]
                for step, values in held["points"]:
                    seen.points[cell, step] = {name: v for name, v in values.items() if name != "generation"}
        return seen


@pytest.mark.slow
class TestWandbOffline:
    """The package itself: what an offline run's file says equals the store, to the last digit."""

    def test_a_study_is_written_offline_and_by_a_later_process_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wandb = pytest.importorskip("wandb", reason="pip install wandb")
        from sweep.scheduling import Board
        from sweep.testing.trackers import _expected, _run, _study, _summaries
        from tests.support import wandb_files
        from trainables.recursion import Recursion
        from trainables.store import MemoryStore

        monkeypatch.setenv("WANDB_MODE", "offline")
        store, uri = MemoryStore(), "wandb://collapse"
        killed = connect(_study(), place(tmp_path, uri))
        board = Board(store, [killed])
        board.admit(expand(_study()))
        job = board.take()
        assert job is not None
        board.start(job)
        board.record(job, Recursion(job.cell, store).record(1))
        wandb.teardown(exit_code=1)  # and then the driver is killed
        tracker = connect(_study(), place(tmp_path, uri))
        board = _run(_study(), store, tracker)
        tracker.conclude(_summaries("rises"))
        tracker.close("done")
        seen = Seen()
        for run in wandb_files.runs(tmp_path / "workspace" / "wandb"):
            assert (run.about["group"], run.about["project"]) == (_study().name, "collapse")
            if run.about["kind"] == "summary":
                seen.summaries[run.config["policy"]] = run.summary["verdict"]
            elif run.about["kind"] != "study":
                for step, values in run.points.items():
                    key = (run.config["cell"], step)
                    seen.doubled += key in seen.points
                    seen.points[key] = {n: float(v) for n, v in values.items() if n != "generation"}
                if run.summary["status"] != "running":
                    seen.statuses[run.config["cell"]] = run.summary["status"]
        assert seen.points == _expected(board, store)
        assert seen.doubled == 0
        assert seen.statuses == dict.fromkeys(board.jobs, "done")
        assert sorted(seen.summaries.values()) == ["rises", "stable"]


@pytest.mark.slow
class TestMlflow(TrackerContract):
    """The workspace's own database."""

    compares = True

    def make(self, folder: Path, study: Study) -> Tracker:
        return connect(study, place(folder, "mlflow"))

    def broken(self, folder: Path, study: Study) -> Tracker:
        (folder / "file").write_text("")
        return connect(study, place(folder, f"sqlite:///{folder}/file/mlflow.db"))

    def read(self, folder: Path, study: Study) -> Seen:
        seen = Seen()
        with contextlib.closing(sqlite3.connect(folder / "workspace" / "mlflow.db")) as database:
            tags = pd.read_sql(
                "select t.* from tags t join runs r using (run_uuid) where lifecycle_stage='active'", database
            )
            points = pd.read_sql("select * from metrics where key not in ('growth', 'growth_ratio')", database)
        cells = tags[tags["key"] == "cell"].set_index("run_uuid")["value"]
        points["cell"] = points["run_uuid"].map(cells)
        points = points.dropna(subset=["cell"])
        seen.doubled = int(points.duplicated(["cell", "step", "key"]).sum())
        for (cell, step), group in points.groupby(["cell", "step"]):
            seen.points[str(cell), int(step)] = dict(zip(group["key"], group["value"], strict=True))
        wide = tags.pivot(index="run_uuid", columns="key", values="value")
        seen.statuses = {str(cells[run]): str(wide.loc[run, "status"]) for run in cells.index}
        if "verdict" in wide:
            told = wide.dropna(subset=["verdict"])
            seen.summaries = dict(zip(told["policy"], told["verdict"], strict=True))
        return seen


def study() -> Study:
    return Study.model_validate(
        {"name": "s", "cell": {"family": {"kind": "gaussian"}}, "space": {"policy.kind": {"grid": ["replace"]}}}
    )


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("tensorbord:///tmp/x", "unknown scheme 'tensorbord'; did you mean 'tensorboard'?"),
        ("csv://", "names no folder; as in csv://runs"),
        ("wandb://", "names no project"),
    ],
)
def test_a_uri_that_means_nothing_is_refused(uri: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        connect(study(), place(tmp_path, uri))
    assert said in str(caught.value)


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrackingError, match=r'needs wandb, .*; pip install "collapse-sweep\[wandb\]"'):
        connect(study(), place(tmp_path, "wandb://project"))


def test_several_are_told_apart(tmp_path: Path) -> None:
    many = open_workspace(tmp_path, tracking_uri="csv://a,jsonl://b,mlflow")
    assert many.tracking_uris == ("csv://a", "jsonl://b", f"sqlite:///{tmp_path}/mlflow.db")
    assert many.mlflow_uri == many.tracking_uris[2]
    assert many.local_tracking
    assert not many.default_tracking
    assert open_workspace(tmp_path).default_tracking
    hosts = "postgresql://u@h1:1,h2:2/db"
    assert open_workspace(tmp_path, tracking_uri=f"{hosts},none").tracking_uris == (hosts, "none")
    assert open_workspace(tmp_path, tracking_uri="csv://a,none").mlflow_uri == "none"


def test_trackers_of_other_packages_are_found_by_their_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.tracking import NullTracker, connection

    class Entry:
        name = "mine"

        def load(self) -> Any:
            return lambda uri, study, workspace, beside: made.append(uri) or NullTracker()

    made: list[str] = []
    monkeypatch.setattr(connection, "entry_points", lambda group: [Entry()] if group == connection.PLUGINS else [])
    assert isinstance(connect(study(), place(tmp_path, "mine://somewhere")), NullTracker)
    assert made == ["mine://somewhere"]
    check("mine://somewhere")
