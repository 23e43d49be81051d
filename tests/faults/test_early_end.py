"""A run that is ended before its first trial, while Ray and MLflow are loaded and started."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STUDY = """\
name: toy
cell: {family: {kind: linear, dim: 3}, policy: {kind: replace}, rows: 20, generations: 2, replicates: 5}
"""


def loading(driver: psutil.Process, folder: Path) -> bool:
    """The workspace has been made; Ray has not been imported."""
    return (folder / "w").exists()


def starting(driver: psutil.Process, folder: Path) -> bool:
    """Ray's first process is there, its others are not."""
    return bool(driver.children(recursive=True))


@pytest.mark.parametrize(("reached", "number"), [(loading, signal.SIGINT), (starting, signal.SIGTERM)])
def test_a_signal_before_the_first_trial_ends_a_run_as_any_other_does(
    reached: Callable[[psutil.Process, Path], bool], number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / "toy.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "sweep", "run", "toy.yaml", "--workspace", "w", "--cpus", "1", "--no-report"]
    driver = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = psutil.Process(driver.pid)
    while not reached(seen, tmp_path):
        assert driver.poll() is None
        time.sleep(0.005)
    begun = seen.children(recursive=True)
    driver.send_signal(number)
    out, said = driver.communicate(timeout=200)
    assert driver.returncode == 1
    assert said.startswith("stopped: 0 of 1 cells are done and kept; go on with: collapse-sweep run toy.yaml")
    assert "Traceback" not in said
    assert out == ""
    assert not psutil.wait_procs(begun, timeout=60)[1], "Ray's processes end with the run"
