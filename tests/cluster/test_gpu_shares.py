"""A machine whose GPU exists for Ray alone: networks share it by the memory that they are estimated to need, closed
forms run beside them on its cores. (CUDA itself is not in this test: the networks train on the CPU.)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fleet import Fleet, fleet
from trainables import Cell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TINY = {"kind": "vae", "source": {"kind": "digits"}, "width": 4, "depth": 2, "latent": 2, "epochs": 20.0}
STUDY = """\
name: mixed
blocks:
- name: networks
  cell: {family: FAMILY, rows: 400, generations: 2, policy: {kind: replace}}
  space: {seed: {grid: [0, 1, 2]}}
- name: closed
  cell: {family: {kind: linear, dim: 50}, rows: 200, generations: 20, replicates: 200, policy: {kind: replace}}
  space: {seed: {grid: [0, 1]}}
"""
SHARING = 2
WATCH = """\
import json, ray, sys, time
from ray.util import placement_group_table
ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
seen, run = set(), __import__("subprocess").Popen(sys.argv[2:])
while run.poll() is None:
    placed = [group["bundles"] for group in placement_group_table().values() if group["state"] == "CREATED"]
    seen.add(tuple(sorted(bundle.get("GPU", 0.0) for bundles in placed for bundle in bundles.values())))
    time.sleep(0.02)
print(json.dumps([run.returncode, sorted(seen)]))
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Fleet]:
    """A head, and a machine of three cores and a GPU with room for two of the study's networks, but not for three."""
    cell = Cell.model_validate({"family": TINY, "rows": 400, "policy": {"kind": "replace"}})
    memory = round((SHARING + 0.5) * cell.family.device_bytes(cell.rows) / 0.9 / 2**20)
    with fleet() as made:
        tool = made.folder / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\necho {memory}\n")
        tool.chmod(0o755)
        made.environment["PATH"] = f"{tool.parent}{os.pathsep}{made.environment['PATH']}"
        made.head()
        made.join("worker", cpus=3, gpus=1, apart=False)
        yield made


def test_networks_share_a_gpu_by_their_memory_and_closed_forms_take_the_cores(tmp_path: Path, machine: Fleet) -> None:
    (tmp_path / "mixed.yaml").write_text(STUDY.replace("FAMILY", json.dumps(TINY)))
    (tmp_path / "watch.py").write_text(WATCH)
    run = [sys.executable, "-m", "sweep", "run", "mixed.yaml", "--address", machine.address, "--no-report"]
    command = [sys.executable, "watch.py", machine.address, *run, "--tracking-uri", "none", "--workspace", "w"]
    done = subprocess.run(
        command, cwd=tmp_path, env=machine.environment, capture_output=True, text=True, timeout=600, check=True
    )
    code, seen = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    assert [0.5, 0.5] in seen, "two networks share the GPU"
    assert [0.0, 0.5, 0.5] in seen, "a closed form runs on the third core beside them"
    assert max(len(shares) for shares in seen) == 3, "the third network waits"
    assert {share for shares in seen for share in shares} == {0.0, 0.5}
    assert "[5/5 cells done, 0 running, 0 failed" in done.stderr
