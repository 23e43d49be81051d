"""`gc` and `show` on a study whose cells were run in this process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.cli import app
from sweep.progress import Chronicle, Progress
from sweep.workspace import open_workspace
from trainables import run
from trainables.recursion import Steps
from trainables.store import open_store

TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 3, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}}
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "toy.yaml").write_text(TOY, encoding="utf-8")
    for point in expand(load_study(str(tmp_path / "toy.yaml"))):
        list(run(point.cell, str(tmp_path / "runs" / "store")))
    return tmp_path


def call(workspace: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, [command, *arguments, "--workspace", str(workspace / "runs")])


def test_a_dry_run_says_what_would_go_and_removes_nothing(workspace: Path) -> None:
    before = sorted(workspace.rglob("*"))
    said = json.loads(call(workspace, "gc", str(workspace / "toy.yaml"), "--dry-run", "--json").stdout)
    assert said["dry_run"] is True
    assert {removed["kind"] for removed in said["removed"]} == {"model", "batch"}
    assert sorted(workspace.rglob("*")) == before


def test_a_study_that_is_running_is_left_alone_until_it_has_ended(workspace: Path) -> None:
    place = open_workspace(workspace / "runs")
    running = Chronicle("toy", place, Progress(2))
    place.running("toy").parent.mkdir()
    running.tick()
    before = sorted(path for path in workspace.rglob("*") if path.is_file())
    said = call(workspace, "gc", str(workspace / "toy.yaml"))
    assert said.exit_code == 2
    assert f"toy: is running as process {os.getpid()} on " in said.stderr
    assert sorted(path for path in workspace.rglob("*") if path.is_file()) == before
    assert call(workspace, "gc", str(workspace / "toy.yaml"), "--dry-run").exit_code == 0
    running.close()
    assert "artifacts are gone" in call(workspace, "gc", str(workspace / "toy.yaml")).stdout


def test_records_stay_and_collected_steps_can_be_computed_again(workspace: Path) -> None:
    study = load_study(str(workspace / "toy.yaml"))
    cell = expand(study)[0].cell
    url = str(workspace / "runs" / "store")
    first = list(run(cell, url))
    assert call(workspace, "gc", str(workspace / "toy.yaml"), "--keep", "records").exit_code == 0
    assert open_store(url).get("model", Steps(cell).step(1).model) is None
    assert list(run(cell, url)) == first
    longer = list(run(cell.model_copy(update={"generations": 4}), url))
    assert longer[:3] == first
    assert longer[3].test_loss == list(run(cell.model_copy(update={"generations": 4})))[3].test_loss


def test_what_killed_writes_left_goes_an_hour_later(workspace: Path) -> None:
    late = workspace / "runs" / "store" / "model" / "ab" / f"{'ab' * 16}.00000000.safetensors"
    fresh = late.with_name(f"{'ab' * 16}.11111111.safetensors")
    late.parent.mkdir(exist_ok=True)
    for path in (late, fresh):
        path.write_bytes(bytes(1000))
    os.utime(late, (time.time() - 7200,) * 2)
    said = call(workspace, "gc", str(workspace / "toy.yaml"), "--dry-run")
    assert "Leftovers of writes that never ended, in the whole store: 1 (1 kB) would go." in said.stdout
    assert late.exists()
    said = call(workspace, "gc", str(workspace / "toy.yaml"), "--json")
    assert list(json.loads(said.stdout)["leftovers"].values()) == [1000]
    assert [late.exists(), fresh.exists()] == [False, True]


def test_a_read_only_workspace_shows_the_table_of_what_is_done(workspace: Path) -> None:
    from tests.support.crew import mounted, remount

    disk = workspace / "disk"
    with mounted(disk, "size=50m"):
        shutil.copytree(workspace / "runs", disk / "runs")
        words = ["report", str(workspace / "toy.yaml"), "--workspace", str(disk / "runs"), "--tracking-uri", "none"]
        remount(disk, "ro")
        done = CliRunner().invoke(app, words)
        remount(disk, "rw")
    assert done.exit_code == 0, done.output
    assert "accumulate" in done.stdout
    assert "Read-only file system; the report is not written" in done.stderr


def test_without_a_matplotlib_that_works_the_table_is_shown(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = call(workspace, "report", str(workspace / "toy.yaml"), "--tracking-uri", "none")
    assert done.exit_code == 0, done.output
    assert "accumulate" in done.stdout
    assert "the report is not written" in done.stderr


def test_show_draws_the_ancestry_of_a_record_down_to_the_real_rows(workspace: Path) -> None:
    cell = expand(load_study(str(workspace / "toy.yaml")))[0].cell
    steps = Steps(cell)
    lines = call(workspace, "show", steps.step(3).record).stdout.splitlines()
    assert lines[0].startswith(f"record {steps.step(3).record}")
    assert any(steps.step(1).model in line for line in lines)
    assert any(steps.batch(0).key in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("gc", "toy.yaml", "--keep", "weights"), "--keep weights: is none of last, records"),
        (("show", "ffffffffffff"), "has a key that starts with 'ffffffffffff'"),
    ],
)
def test_bad_requests_get_one_line(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], line: str
) -> None:
    monkeypatch.chdir(workspace)
    result = call(workspace, *arguments)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert line in result.stderr
