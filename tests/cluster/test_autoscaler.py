"""Ray's own autoscaler, with its provider of nodes on this machine: a study that finds no node makes it add some,
and when it is over they go."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import start
from tests.support.fleet import Fleet, bucket, fleet, s3

pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

STUDY = """\
name: grown
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5, policy: {kind: replace}}
space: {seed: {grid: [0, 1]}}
"""
HEAD = f"{'f' * 51}00000"
"""The number that the provider expects the head to have."""
FAKE = {"RAY_FAKE_CLUSTER": "1", "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD, "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
"""As Ray's own tests of its autoscaler have it, which looks once a second for what is asked for."""

IDLE = 15
"""Seconds after which a node without trials goes."""


def settings(address: str) -> dict[str, Any]:
    """A file for `ray start --autoscaling-config`: no workers at first, one of one core at most."""
    worker = {"resources": {"CPU": 1, "object_store_memory": 80_000_000}, "node_config": {}, "max_workers": 1}
    commands = ("initialization", "setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    return {
        "cluster_name": "grown",
        "max_workers": 1,
        "idle_timeout_minutes": IDLE / 60,
        "upscaling_speed": 1.0,
        "provider": {"type": "fake_multinode", "gcs_address": address, "head_node_id": HEAD, "use_node_id_as_ip": True},
        "auth": {},
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": worker | {"min_workers": 0},
        },
        "head_node_type": "ray.head.default",
        "file_mounts": {},
        "cluster_synced_files": [],
        "file_mounts_sync_continuously": False,
        "rsync_exclude": [],
        "rsync_filter": [],
    } | {f"{name}_commands": [] for name in commands}


@pytest.fixture(scope="module")
def growing() -> Iterator[Fleet]:
    """A head alone, and an autoscaler that may add a node."""
    with (
        s3() as found,
        pytest.MonkeyPatch.context() as patch,
        fleet(**found, **FAKE) as made,
    ):
        for name, value in found.items():
            patch.setenv(name, value)
        file = made.folder / "autoscaler.json"
        file.write_text(json.dumps(settings(made.address)))
        made.head(0, False, f"--autoscaling-config={file}")
        yield made


def call(folder: Path, machines: Fleet, *more: str) -> tuple[int | None, str]:
    (folder / "grown.yaml").write_text(STUDY)
    command = ["run", "grown.yaml", "--address", machines.address, "--no-report", "--tracking-uri", "none", *more]
    done = start(folder, *command, environment=machines.environment)
    _, said = done.communicate(timeout=600)
    return done.returncode, said


def test_what_no_node_type_brings_is_refused_and_what_one_brings_is_waited_for(tmp_path: Path, growing: Fleet) -> None:
    url = f"s3://{bucket()}/store"
    code, said = call(tmp_path, growing, "--storage", url, "-o", "resources.gpu=1")
    assert code == 2
    assert "no node has room for a trial with cpu 1, gpu 1" in said
    assert "up to 1 × (CPU 1) of type worker" in said
    code, said = call(tmp_path, growing)
    assert code == 2
    assert "nodes that the autoscaler adds would not see this folder" in said
    code, said = call(tmp_path, growing, "--storage", url)
    assert code == 0, said
    assert "[2/2 cells done" in said
    assert workers(growing, IDLE + 300) == [False], "it came, and has gone again; else it is kept and paid for"


WATCH = """\
import json, ray, sys, time
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
deadline = time.monotonic() + float(sys.argv[3])
while any(alive := [node["Alive"] for node in ray.nodes() if node["NodeID"] != sys.argv[2]]):
    if time.monotonic() > deadline:
        break
    time.sleep(0.5)
print(json.dumps(alive))
"""


def workers(machines: Fleet, patience: float) -> list[bool]:
    """Whether each node that was ever added is alive, as soon as none is, or after so many seconds."""
    command = [sys.executable, "-c", WATCH, machines.address, HEAD, str(patience)]
    done = subprocess.run(
        command, env=machines.environment, cwd=machines.folder, capture_output=True, text=True, timeout=600, check=True
    )
    found: list[bool] = json.loads(done.stdout)
    return found
