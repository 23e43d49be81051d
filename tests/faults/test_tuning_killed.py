"""A run that ends while hyperparameters are tuned first: what was tried is kept, and what is chosen is the same."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from search_spaces import load_study
from sweep.engine import open_board
from sweep.tune_first import tuned
from sweep.tune_first.state import pending
from sweep.workspace import open_workspace
from tests.support.commands import Command, call
from trainables import run
from trainables.recursion import validate
from trainables.store import MemoryStore, open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

STUDY = """\
name: fair
cell: {family: {kind: kde, held_out: 2000}, rows: 1500, generations: 2}
space:
  family.data: {grid: [moons, blobs]}
  family.bandwidth: {loguniform: [0.01, 2.0]}
  policy.kind: {grid: [replace, accumulate]}
tune_first: {params: [bandwidth], num_samples: 8}
"""
FITS = 16


def start(folder: Path, *more: str) -> Command:
    command = ["run", "fair.yaml", "--workspace", "w", "--cpus", "1", "--no-report", "--tracking-uri", "none"]
    return Command(folder, *command, *more, environment=os.environ | {"COLLAPSE_SWEEP_LEASE_SECONDS": "4"})


def tried(folder: Path) -> dict[str, int]:
    """When each validation loss was committed."""
    return {path.stem: path.stat().st_mtime_ns for path in (folder / "w/store/validation").rglob("*.json")}


def wait_for(count: int, folder: Path, driver: Command) -> None:
    deadline = time.monotonic() + 120
    while len(tried(folder)) < count:
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_tuning_that_was_killed_and_stopped_ends_with_the_same_choice_and_repeats_no_trial(tmp_path: Path) -> None:
    (tmp_path / "fair.yaml").write_text(STUDY)
    driver = start(tmp_path)
    wait_for(3, tmp_path, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=60)
    kept = tried(tmp_path)
    assert 3 <= len(kept) < FITS

    driver = start(tmp_path)
    wait_for(len(kept) + 3, tmp_path, driver)
    driver.send_signal(signal.SIGSTOP)  # or it may be through before it is looked at and told to stop
    told = json.loads(call(tmp_path, "status", "fair.yaml", "--workspace", "w", "--json", timeout=60)[0])
    driver.send_signal(signal.SIGTERM)
    driver.send_signal(signal.SIGCONT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert said.splitlines()[-1].startswith("stopped: hyperparameters are not tuned yet, what was tried is kept; go on")
    assert "SIGTERM" not in said
    assert "Traceback" not in said
    assert told["tune_first"]["fits"] == FITS
    assert told["run"]["what"] == "fits of generation 1"
    assert [node["alive"] for node in told["run"]["nodes"]] == [True]

    driver = start(tmp_path)
    _, said = driver.communicate(timeout=200)
    assert driver.returncode == 0, said
    after = tried(tmp_path)
    assert len(after) == FITS
    assert {key: after[key] for key in kept} == kept, "what was tried is not tried again"

    study, alone = load_study(str(tmp_path / "fair.yaml")), MemoryStore()
    for point in pending(study, alone):
        validate(point.cell, alone)
    store = open_store(str(tmp_path / "w" / "store"))
    assert [one.losses for one in tuned(study, store)] == [one.losses for one in tuned(study, alone)]
    board = open_board(study, open_workspace(tmp_path / "w", tracking_uri="none"), store)
    assert len(board.jobs) == 4
    for job in board.jobs.values():
        mine = [record.test_loss for record in run(job.cell, store)]
        assert mine == [record.test_loss for record in run(job.cell)]


def test_a_head_of_ray_s_that_is_killed_while_tuning_ends_the_run_at_once_and_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "fair.yaml").write_text(STUDY)
    driver = start(tmp_path, "-o", "cell.rows=6000", "-o", "cell.family.held_out=20000")
    wait_for(2, tmp_path, driver)
    started = psutil.Process(driver.pid).children(recursive=True)
    next(process for process in started if process.name().startswith("gcs_server")).kill()
    killed = time.monotonic()
    _, said = driver.communicate(timeout=200)
    assert driver.returncode == 1, said
    assert time.monotonic() - killed < 30, "Ray itself waits for a minute"
    assert "warning: Ray's head was killed" in said
    assert "run the same command again to go on" in said
    assert "Traceback" not in said
    assert "Failed to connect to GCS" not in said
    assert len(tried(tmp_path)) < FITS
    assert len(psutil.wait_procs(started, timeout=60)[1]) == 0, "nothing of Ray stays"


def test_a_tuning_that_no_machine_has_room_for_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "fair.yaml").write_text(STUDY)
    driver = start(tmp_path, "-o", "resources.gpu=64")
    _, said = driver.communicate(timeout=100)
    assert driver.returncode == 2
    assert "collapse-sweep: resources: no node has room for a trial with cpu 1, gpu 64 (kde / " in said
    assert "Traceback" not in said
    assert tried(tmp_path) == {}
