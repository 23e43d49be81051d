"""cluster.yaml and its variants: against Ray's own schema and preparation, and against what these do not check."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]


FILES = ("cluster.yaml", "docs/howto/cluster-gcp.yaml", "docs/howto/cluster-azure.yaml")


@pytest.fixture(scope="module", params=FILES)
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / request.param).read_text())
    return config


@pytest.mark.slow
def test_ray_accepts_the_file(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(cluster)
    validate_config(prepared)
    assert set(prepared["available_node_types"]) == {"head", "cpu_worker", "gpu_spot_worker"}


def test_the_head_runs_no_trials_and_workers_start_from_zero(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert types[cluster["head_node_type"]]["resources"]["CPU"] == 0
    workers = {name: node for name, node in types.items() if name != cluster["head_node_type"]}
    assert all(node["min_workers"] == 0 for node in workers.values())
    assert sum(node["max_workers"] for node in workers.values()) == cluster["max_workers"]


def test_nothing_listens_to_the_world(cluster: dict[str, Any]) -> None:
    rules = cluster["provider"].get("security_group", {}).get("IpPermissions", [])
    assert all(block["CidrIp"] != "0.0.0.0/0" for rule in rules for block in rule["IpRanges"])
    commands = " ".join(cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"])
    assert "0.0.0.0" not in commands
    assert commands.count("RAY_AUTH_MODE=token ray start") == 2


def test_every_mounted_source_exists_and_installs_are_constrained(cluster: dict[str, Any]) -> None:
    assert all((ROOT / source).exists() for source in cluster["file_mounts"].values())
    installs = [line for line in cluster["setup_commands"] if "pip install" in line]
    assert installs
    assert all("-c ~/collapse-sweep/constraints.txt" in line for line in installs)
