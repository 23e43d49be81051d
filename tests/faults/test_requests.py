"""Requests that can't be met: what is wrong and what would be right, in one line, before anything waits."""

from __future__ import annotations

import json
import shutil
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import analysis
from search_spaces import StudyError, load_study
from search_spaces.expansion import expand
from search_spaces.loading.study import study_from
from sweep.cli import app
from sweep.errors import UsageError
from sweep.reporting import records
from sweep.resources import check_address
from tests.support.ports import free_port
from trainables import run

CELL = "family: {kind: gaussian}\npolicy: {kind: replace}\nrows: 20\ngenerations: 2\nreplicates: 5\n"
STUDY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 3, replicates: 20}
space: {policy.kind: {grid: [replace, accumulate]}, seed: {grid: [0, 1]}}
"""


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cell.yaml").write_text(CELL)
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trial", "study.yaml"), "study.yaml: is a study, not a cell; run it with `collapse-sweep run study.yaml`"),
        (("plan", "cell.yaml"), "cell.yaml: is a cell, not a study; run it with `collapse-sweep trial`"),
        (("run", "study.yaml", "--address", "nonsense"), "--address nonsense: is no HOST:PORT"),
    ],
)
def test_the_other_command_is_named(folder: Path, words: tuple[str, ...], said: str) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_workspace_that_is_not_there_is_said(folder: Path) -> None:
    done = call("status", "study.yaml", "--workspace", "typo")
    assert done.exit_code == 0
    assert f"note: there is no workspace {folder / 'typo'} yet" in done.stderr
    assert not (folder / "typo").exists()


def test_the_version_is_the_package_s() -> None:
    done = call("--version")
    assert (done.exit_code, done.stdout.strip()) == (0, version("collapse-sweep"))


def test_a_path_beside_its_own_kind_is_refused() -> None:
    space = {"policy": {"grid": [{"kind": "replace"}]}, "policy.kind": {"grid": ["accumulate"]}}
    with pytest.raises(StudyError, match=r"space.policy: policy.kind stands beside it"):
        study_from({"name": "s", "cell": {"family": {"kind": "gaussian"}}, "space": space}, "study")


@pytest.mark.parametrize(
    ("size", "said"),
    [("0.02M", "the nearest is '0.1M'"), ("60m", "the nearest is '42M'"), ("1B", "the nearest is '126M'"),
     ("3000K", "the nearest is '2M'"), ("large", r"\(known: 0.1M"), ("0M", r"\(known: 0.1M")],
)  # fmt: skip
def test_the_nearest_size_is_named(size: str, said: str) -> None:
    cell = {"family": {"kind": "language", "size": size}, "policy": {"kind": "replace"}}
    with pytest.raises(StudyError, match=f"unknown size '{size}'.*{said}"):
        study_from({"name": "s", "cell": cell}, "study")


def test_a_cluster_that_is_not_there_is_refused_at_once(folder: Path) -> None:
    """Ray tried for over eleven minutes, and where all was done already nobody looked."""
    began = time.monotonic()
    for point in expand(load_study("study.yaml")):
        list(run(point.cell, str(folder / "collapse-runs" / "store")))
    address = f"127.0.0.1:{free_port()}"
    done = call("run", "study.yaml", "--address", address)
    assert done.exit_code == 2
    assert f"--address {address}: no Ray cluster answers there (Connection refused)" in done.stderr
    assert time.monotonic() - began < 60
    check_address(None)
    check_address("auto")


def test_a_full_folder_of_ray_s_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweep.ray_backend import nodes

    full = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with pytest.raises(UsageError, match=r"only 1 MB are free; make room, or name another folder in RAY_TMPDIR"):
        nodes._start_here(1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_one_call_assesses_as_the_command_does(folder: Path) -> None:
    """`robustness.assess` of the frame alone lacks the replicates, and gave other intervals."""
    for point in expand(load_study("study.yaml")):
        list(run(point.cell, str(folder / "collapse-runs" / "store")))
    assert call("relog", "study.yaml").exit_code == 0
    told = json.loads(call("report", "study.yaml", "--json").stdout)["robustness"]
    found = analysis.assess("collapse-runs", study="toy")
    assert told == records(found)
    assert (found["runs"] == 40).all()
    alone = analysis.assess("collapse-runs", study="toy", storage=str(folder / "nowhere"))
    assert not pd.Series(alone["growth_high"]).equals(pd.Series(found["growth_high"]))
