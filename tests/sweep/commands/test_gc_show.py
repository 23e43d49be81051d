"""`gc` and `show` on a study whose cells were run in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.cli import app
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
