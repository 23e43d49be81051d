"""Ray's memory monitor kills every worker, again and again: cells fail in one line, and the study ends."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.air.execution._internal.actor_manager import RayActorManager
from ray.exceptions import ObjectLostError, OutOfDiskError, OutOfMemoryError, RayActorError, WorkerCrashedError

from sweep.ray_backend.internals import losses_are_deaths
from sweep.ray_backend.last_words import reason
from tests.support.commands import call

STUDY = """\
name: long
cell: {family: {kind: gaussian, dim: 10}, rows: 40, generations: 4, replicates: 100000}
space: {policy.kind: {grid: [replace]}}
"""
SAID = """\
2 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 127.0.0.1, ID: 91) was \
22.56GB used / 23.54GB limit (0.958408)
OOM kill reason: Memory usage 24014462976B exceeded threshold of 24012677120B (95.0% of 25276502016B limit)
Refer to the documentation on how to address the out of memory issue
"""
ALWAYS = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "100"}


@pytest.mark.slow
def test_workers_killed_for_memory_fail_their_cells_and_not_the_study(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(STUDY)
    command = ["run", "long.yaml", "--workspace", "w", "--cpus", "1", "--no-report"]
    out, err = call(tmp_path, *command, code=1, environment=os.environ | ALWAYS)
    assert "Traceback" not in out
    assert "the worker process died 3 times" in err + out
    assert "times: its machine ran low on memory" in err + out


LOST = [OutOfMemoryError(SAID), ObjectLostError("00ff", None, ""), WorkerCrashedError(), OutOfDiskError("no room")]
"""What Ray says of a worker that was killed within a task, of a result whose node is gone, of a full disk."""


@pytest.mark.parametrize("unexpected", LOST, ids=lambda error: type(error).__name__)
def test_what_ray_has_lost_reaches_tune_as_a_dead_worker(unexpected: Exception) -> None:
    told: list[Exception] = []
    actor = SimpleNamespace(_on_error=None, actor_id=1)
    task = SimpleNamespace(_tracked_actor=actor, _on_error=lambda _, exception: told.append(exception))
    manager = SimpleNamespace(_failed_actor_ids=set(), _cleanup_actor=lambda tracked_actor: None)
    with pytest.raises(RuntimeError):  # what Tune does with it
        RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=unexpected)
    with losses_are_deaths():
        RayActorManager._actor_task_failed(manager, tracked_actor_task=task, exception=unexpected)
    (death,) = told
    assert isinstance(death, RayActorError)
    assert str(unexpected) in str(death)


def test_a_kill_for_memory_says_how_much_there_was() -> None:
    assert reason(SAID) == "its machine ran low on memory, 22.56GB of 23.54GB were used"


def test_other_deaths_have_other_reasons() -> None:
    assert reason("The actor died because its node has died.") is None
