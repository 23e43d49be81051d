"""With what an artifact was made: source state, library versions, hardware. Recorded, and never part of a key."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

COMMIT = "commit.json"
"""File beside this one that holds the source state of a copy without git, as made for other machines."""

PACKAGES = (
    "collapse-sweep",
    "numpy",
    "numba",
    "scipy",
    "scikit-learn",
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "pyarrow",
    "safetensors",
    "diffusers",
    "rdkit",
    "ray",
    "optuna",
    "mlflow",
)


@cache
def current_provenance() -> dict[str, Any]:
    """Plain data, computed once per process; loads no library, and a machine without git is no error."""
    return {"git": _git(Path(__file__)), "packages": _packages(), "python": _python(), "hardware": _hardware()}


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _python() -> dict[str, str]:
    return {"version": platform.python_version(), "implementation": platform.python_implementation()}


def _hardware() -> dict[str, Any]:
    import psutil

    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _gpus() -> list[str]:
    """Names of NVIDIA devices by their driver's own files, so that no library is loaded to ask."""
    found = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        found += [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]
    return found


def _git(source: Path) -> dict[str, Any]:
    """Commit of the source tree and whether it was changed since; empty where the source is in none."""
    if (kept := source.with_name(COMMIT)).exists():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    if not any((parent / ".git").exists() for parent in source.resolve().parents):
        return {}
    try:
        if not _ask(source.parent, "ls-files", source.name):  # an environment may lie in somebody else's tree
            return {}
        commit = _ask(source.parent, "rev-parse", "HEAD")
        changed = bool(_ask(source.parent, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": commit, "changed": changed}


def _ask(folder: Path, *words: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
