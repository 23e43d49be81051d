"""cluster.yaml and its variants: against Ray's own schema and preparation, and against what these do not check."""

from __future__ import annotations

import copy
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = ("cluster.yaml", "docs/howto/cluster-gcp.yaml", "docs/howto/cluster-azure.yaml")
WORLD = ("0.0.0.0/0", "::/0")


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return config


@pytest.fixture(params=FILES)
def cluster(request: pytest.FixtureRequest) -> dict[str, Any]:
    return load(request.param)


@pytest.mark.slow
def test_ray_accepts_the_file(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(cluster)
    validate_config(prepared)
    assert set(prepared["available_node_types"]) == {"head", "cpu_worker", "gpu_spot_worker"}
    assert prepared["available_node_types"]["head"]["max_workers"] == 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_ray_prepares_it_for_aws_and_opens_nothing_to_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto = pytest.importorskip("moto", reason="the group `test` is not installed")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # a key pair is made there
    with moto.mock_aws():
        prepared, groups = _on_aws(load("cluster.yaml"))
    nodes = {name: kind["node_config"] for name, kind in prepared["available_node_types"].items()}
    assert nodes["head"]["IamInstanceProfile"] == {"Name": "collapse-sweep-head"}, "Ray's own role may do everything"
    assert nodes["gpu_spot_worker"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert all(node["SubnetIds"] and node["KeyName"] for node in nodes.values())
    open_to = [block["CidrIp"] for group in groups for rule in group["IpPermissions"] for block in rule["IpRanges"]]
    assert open_to == ["203.0.113.7/32"], "a group that Ray makes itself opens SSH to the world"


def _on_aws(cluster: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The file as Ray prepares it, with the group and the profiles that it asks for, and all groups afterwards."""
    import boto3
    from ray.autoscaler._private.providers import _get_node_provider_cls
    from ray.autoscaler._private.util import prepare_config, validate_config

    region = cluster["provider"]["region"]
    ec2, iam = boto3.client("ec2", region_name=region), boto3.client("iam", region_name=region)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="collapse-sweep", Description="Ray", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=made, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="203.0.113.7/32"
    )
    for kind in cluster["available_node_types"].values():
        assert kind["node_config"]["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
        kind["node_config"]["SecurityGroupIds"] = [made]
    for role in ("head", "worker"):
        iam.create_instance_profile(InstanceProfileName=f"collapse-sweep-{role}")
    config = prepare_config(copy.deepcopy(cluster))
    validate_config(config)
    return _get_node_provider_cls(config["provider"]).bootstrap_config(config), ec2.describe_security_groups()[
        "SecurityGroups"
    ]


def test_the_head_runs_no_trials_and_workers_start_from_zero(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert types[cluster["head_node_type"]]["resources"]["CPU"] == 0
    workers = {name: node for name, node in types.items() if name != cluster["head_node_type"]}
    assert all(node["min_workers"] == 0 for node in workers.values())
    assert sum(node["max_workers"] for node in workers.values()) == cluster["max_workers"]
    assert cluster["idle_timeout_minutes"] <= 15


def test_trials_of_both_kinds_find_a_place_and_networks_share_a_gpu(cluster: dict[str, Any]) -> None:
    from search_spaces.resources import Resources
    from sweep.ray_backend.node_probe import workers
    from sweep.resources import ClusterCapacity, NodeType
    from sweep.resources.requests import ResourceEstimator
    from sweep.scheduling import make_job
    from trainables import Cell

    types = workers(cluster)
    assert "head" not in types
    shapes = [NodeType(kind["resources"], kind["count"], name=name) for name, kind in types.items()]
    pool = ClusterCapacity([NodeType({"CPU": 0.0})], shapes)
    needs = ResourceEstimator(pool)
    for family, rows, sharing in (("linear", 100, 0), ("language", 100, 0), ("language", 20_000, 8), ("vae", 1000, 6)):
        cell = Cell.model_validate({"family": {"kind": family}, "rows": rows, "policy": {"kind": "replace"}})
        request = needs.request(make_job(cell, {}, Resources()))
        assert pool.holds(request.bundle)
        assert bool(request.gpu) == bool(sharing)
        assert (int(1 / request.gpu + 1e-3) if request.gpu else 0) >= sharing


def test_nothing_listens_to_the_world(cluster: dict[str, Any]) -> None:
    assert "security_group" not in cluster["provider"]
    commands = " ".join(cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"])
    assert not any(word in str(cluster) for word in (*WORLD, "0.0.0.0"))
    assert commands.count("RAY_AUTH_MODE=token ray start") == 2
    assert cluster["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token", "all nodes ask for the same token"
    assert "--dashboard-host=127.0.0.1" in commands
    assert "--host 127.0.0.1" in commands


def _tracking(cluster: dict[str, Any], folder: Path, port: int) -> subprocess.CompletedProcess[bytes]:
    """The head's command that starts MLflow, with an `mlflow` that only notes how it was called."""
    (command,) = [line for line in cluster["head_start_ray_commands"] if "mlflow server" in line]
    (folder / "tracking").mkdir(exist_ok=True)
    (folder / "mlflow").write_text('#!/bin/sh\necho "$@" >>"$HOME/called"\n')
    (folder / "mlflow").chmod(0o755)
    home = {"HOME": str(folder), "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    script = f"{command.replace('5000', str(port))}\nwait"
    return subprocess.run(["bash", "-c", script], env=os.environ | home, capture_output=True, timeout=600, check=True)


def test_the_head_starts_its_tracking_server_and_no_second_one(cluster: dict[str, Any], tmp_path: Path) -> None:
    """A look for processes by name would find the very shell that looks."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said = _tracking(cluster, tmp_path, port)  # bound, but nobody listens yet
        called = (tmp_path / "called").read_text()
        assert f"server --host 127.0.0.1 --port {port} " in called
        assert "--backend-store-uri postgresql:///mlflow?host=/var/run/postgresql " in called
        assert (said.stdout, said.stderr) == (b"", b""), "nothing holds the terminal that `ray up` waits for"
        taken.listen()
        _tracking(cluster, tmp_path, port)
    assert (tmp_path / "called").read_text() == called


def test_every_mounted_source_exists_and_installs_are_constrained(cluster: dict[str, Any]) -> None:
    sources = [source for source in cluster["file_mounts"].values() if not source.startswith("~")]
    assert sources
    assert all((ROOT / source).exists() for source in sources)
    installs = [line for line in cluster["setup_commands"] if "pip install" in line]
    assert installs
    assert all("-c ~/collapse-sweep/constraints.txt" in line for line in installs)
