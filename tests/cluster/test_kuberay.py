"""docs/howto/kuberay.yaml, by the names of KubeRay's published API reference.

The schema of the custom resource is in no package of PyPI, npm or Debian: names are checked here, and the types of the
fields that the manifest sets; pods' fields are not, nor does a Kubernetes server look at any of it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from search_spaces.studies import STUDIES
from sweep.cli import app

ROOT = Path(__file__).parents[2]
FIELDS = {
    "RayJob": {"apiVersion", "kind", "metadata", "spec"},
    "RayJobSpec": {
        "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint",
        "entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata",
        "preRunningDeadlineSeconds", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes", "submissionMode",
        "submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished",
    },
    "RayClusterSpec": {
        "authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec",
        "headServiceAnnotations", "managedBy", "rayVersion", "suspend", "workerGroupSpecs",
    },
    "HeadGroupSpec": {
        "enableIngress", "headService", "labels", "rayStartParams", "resources", "serviceType", "template",
    },
    "WorkerGroupSpec": {
        "groupName", "idleTimeoutSeconds", "labels", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams",
        "replicas", "resources", "scaleStrategy", "suspend", "template",
    },
}  # fmt: skip


TYPES: dict[str, type] = {
    "activeDeadlineSeconds": int, "backoffLimit": int, "enableInTreeAutoscaling": bool, "entrypoint": str,
    "groupName": str, "idleTimeoutSeconds": int, "maxReplicas": int, "minReplicas": int, "mode": str,
    "rayStartParams": dict, "rayVersion": str, "replicas": int, "shutdownAfterJobFinishes": bool,
    "submissionMode": str, "ttlSecondsAfterFinished": int, "version": str,
}  # fmt: skip
"""Of KubeRay's fields, by its Go types: int32, string, bool, map[string]string."""


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs/howto/kuberay.yaml").read_text())
    return found


def groups(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def test_every_field_is_one_of_kuberays(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert set(job) <= FIELDS["RayJob"]
    assert set(job["spec"]) <= FIELDS["RayJobSpec"]
    assert set(cluster) <= FIELDS["RayClusterSpec"]
    assert set(cluster["headGroupSpec"]) <= FIELDS["HeadGroupSpec"]
    assert {"rayStartParams", "template"} <= set(cluster["headGroupSpec"])
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= FIELDS["WorkerGroupSpec"]
        assert {"groupName", "maxReplicas", "minReplicas", "template"} <= set(group)
    assert job["spec"]["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
    assert cluster["autoscalerOptions"]["version"] in ("v1", "v2")


def test_values_are_of_kuberays_types(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    parts = [job["spec"], cluster, cluster["autoscalerOptions"], cluster["authOptions"], *groups(job)]
    held = [(name, value) for part in parts for name, value in part.items()]
    apart = {"rayClusterSpec", "headGroupSpec", "workerGroupSpecs", "autoscalerOptions", "authOptions", "template"}
    assert {name for name, _ in held} <= {*TYPES, *apart}
    assert [name for name, value in held if name in TYPES and type(value) is not TYPES[name]] == []


def test_ray_asks_for_a_token_and_is_the_pinned_version(job: dict[str, Any]) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    pinned = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("ray=="))
    assert pinned == f"ray=={cluster['rayVersion']}"
    assert f"rayproject/ray:{cluster['rayVersion']}" in (ROOT / "docs/howto/kuberay.yaml").read_text()


def test_the_head_runs_no_trials_and_workers_start_from_zero(job: dict[str, Any]) -> None:
    head, *workers = groups(job)
    assert head["rayStartParams"]["num-cpus"] == "0"
    for group in workers:
        assert group["minReplicas"] == group["replicas"] == 0 < group["maxReplicas"]
    assert all(isinstance(value, str) for group in groups(job) for value in group["rayStartParams"].values())


def test_pods_have_no_more_rights_than_they_need(job: dict[str, Any]) -> None:
    for group in groups(job):
        (container,) = group["template"]["spec"]["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "runAsUser": 1000,  # the image names its user, and Kubernetes wants a number
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert not {"hostNetwork", "hostPID", "volumes"} & set(group["template"]["spec"])
        assert "env" not in container, "credentials come from the service account"
    assert [group["template"]["spec"]["automountServiceAccountToken"] for group in groups(job)] == [True, False, False]


def test_the_entrypoint_is_a_command_of_ours(job: dict[str, Any]) -> None:
    program, command, study, *options = shlex.split(job["spec"]["entrypoint"])
    assert (program, command) == ("collapse-sweep", "run")
    assert study in STUDIES
    known = {name for option in _options(command) for name in option}
    assert {word for word in options if word.startswith("--")} <= known
    assert options[options.index("--address") + 1] == "auto"
    assert options[options.index("--storage") + 1].startswith("s3://"), "every pod sees it"


def _options(command: str) -> Iterator[list[str]]:
    for parameter in get_command(app).commands[command].params:  # type: ignore[attr-defined]
        yield [*parameter.opts, *parameter.secondary_opts]
