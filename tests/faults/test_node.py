"""kill -9 of Ray's node in the middle of a study: the run ends by itself, and what was done stays."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import psutil
import pytest

from search_spaces import load_study
from search_spaces.expansion import expand
from tests.support.commands import start
from tests.support.gates import unfinished
from trainables import run

STUDY = """\
name: long
cell: {family: {kind: gaussian}, rows: 40, generations: 60, replicates: 2000}
space: {policy.kind: {grid: [replace]}}
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_ray_node_ends_the_run_in_one_line_and_costs_no_finished_generation(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(STUDY)
    command = ["run", "long.yaml", "--workspace", "w", "--cpus", "1", "--no-report"]
    with unfinished(tmp_path / "long.yaml", str(tmp_path / "w" / "store")):
        driver = start(tmp_path, *command)
        records = tmp_path / "w" / "store" / "record"
        deadline = time.monotonic() + 600
        while len(list(records.rglob("*.json"))) < 4:
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        node_of(driver.pid).kill()
        _, err = driver.communicate(timeout=200)
    assert driver.returncode == 1
    assert "warning: Ray's node was killed" in err
    assert "go on with: collapse-sweep run" in err
    kept = {path: path.stat().st_mtime_ns for path in records.rglob("*.json")}
    assert 4 <= len(kept) < 60
    cell = expand(load_study(str(tmp_path / "long.yaml")))[0].cell
    gone_on = [record.test_loss for record in run(cell, str(tmp_path / "w" / "store"))]
    assert gone_on == [record.test_loss for record in run(cell)]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_head_of_ray_s_ends_the_run_at_once_and_says_how_to_go_on(tmp_path: Path) -> None:
    """Ray itself waits for a minute and ends the process, with a line of its own and runs that seem to go on."""
    (tmp_path / "long.yaml").write_text(STUDY)
    command = ["run", "long.yaml", "--workspace", "w", "--cpus", "1", "--no-report"]
    with unfinished(tmp_path / "long.yaml", str(tmp_path / "w" / "store")):
        driver = start(tmp_path, *command)
        records = tmp_path / "w" / "store" / "record"
        deadline = time.monotonic() + 600
        while len(list(records.rglob("*.json"))) < 4:
            assert driver.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = psutil.Process(driver.pid).children(recursive=True)
        next(process for process in started if process.name().startswith("gcs_server")).kill()
        _, err = driver.communicate(timeout=200)
    assert driver.returncode == 1
    assert "Failed to connect to GCS" not in err
    assert "warning: Ray's head was killed" in err
    assert "run the same command again to go on" in err
    assert len(psutil.wait_procs(started, timeout=60)[1]) == 0, "nothing of Ray stays"
    with contextlib.closing(sqlite3.connect(tmp_path / "w" / "mlflow.db")) as database:
        assert {row[0] for row in database.execute("SELECT status FROM runs")} == {"KILLED"}


def node_of(driver: int) -> psutil.Process:
    """Ray's node among the processes that a driver has started."""
    names = {}
    for process in psutil.Process(driver).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            names[process.name()] = process
    return names["raylet"]
