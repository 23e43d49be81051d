"""What a node says of itself. Runs on the node, as a Ray task; imports only what a worker needs anyway."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.lineage import SCHEMA
from trainables.store import StoreError, open_place


@dataclass(frozen=True)
class Look:
    """What was found on a node.

    Attributes:
        schema: of lineage keys; nodes of another one would compute other keys.
        gpu_bytes: memory of its GPUs.
        storage: why the store can't be used from there; empty where it can.
        node_types: of the autoscaler, if it runs there.
    """

    schema: int
    gpu_bytes: list[float]
    storage: str = ""
    node_types: dict[str, Any] = field(default_factory=dict)


def look(storage: str, mark: str, gcs: str) -> Look:
    """Look around.

    Args:
        storage: URL of the store.
        mark: file that the driver wrote to it; empty where it wrote none.
        gcs: address of the cluster's control store, which tells clusters on one machine apart.
    """
    return Look(SCHEMA, gpu_memory(), _unseen(storage, mark) if mark else "", node_types(gcs))


def _unseen(storage: str, mark: str) -> str:
    """Why what the driver wrote is not seen here."""
    try:
        place = open_place(storage)
    except StoreError as problem:
        return str(problem)
    try:
        return "" if place.exists(mark) else "it does not hold there what it holds here"
    except place.errors as problem:
        return " ".join(str(problem).split()) or type(problem).__name__


def gpu_memory() -> list[float]:
    """Bytes of each NVIDIA GPU, by the driver's own tool; none where there is no such tool."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [float(line) * 2**20 for line in said.split() if line.replace(".", "").isdigit()]


def node_types(gcs: str) -> dict[str, Any]:
    """The node types of the autoscaler that runs on this node, as its file says; empty where there is none."""
    import psutil
    import yaml

    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        options = dict(word.removeprefix("--").split("=", 1) for word in words if word[:2] == "--" and "=" in word)
        path = options.get("autoscaling-config")
        if path and options.get("gcs-address") == gcs and any("monitor.py" in word for word in words):
            config = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
            return workers(config)
    return {}


def workers(config: dict[str, Any]) -> dict[str, Any]:
    """Resources and largest number of each node type of a cluster's file, but the head's."""
    head, most = config.get("head_node_type"), config.get("max_workers", 0)
    return {
        name: {"resources": kind.get("resources", {}), "count": min(kind.get("max_workers", most), most)}
        for name, kind in config.get("available_node_types", {}).items()
        if name != head
    }
