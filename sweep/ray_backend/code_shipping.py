"""This package as a folder that Ray ships: every node of a cluster runs the code of whoever started the study."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from trainables.runtime import COMMIT, current_provenance

ROOMS = ("trainables", "search_spaces", "analysis", "sweep")
METADATA = ("METADATA", "entry_points.txt")
FORWARDED = ("COLLAPSE_SWEEP_DEVICE", "COLLAPSE_SWEEP_LEASE_SECONDS", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
"""Variables that trials elsewhere see too. No credentials: a node has its own, and Ray shows these to whoever asks."""


@contextlib.contextmanager
def packed() -> Iterator[Path]:
    """A folder with the four rooms and what names their entry points; source state is kept, as there is no git."""
    home = Path(__file__).resolve().parents[2]
    with tempfile.TemporaryDirectory(prefix="collapse-sweep-parcel-") as folder:
        target = Path(folder, "parcel")
        for room in ROOMS:
            shutil.copytree(home / room, target / room, ignore=shutil.ignore_patterns("__pycache__"))
        (target / "trainables" / "runtime" / COMMIT).write_text(
            json.dumps(current_provenance()["git"]), encoding="utf-8"
        )
        _metadata(target)
        yield target


def environment() -> dict[str, str]:
    """What trials on other machines are told of this one's environment."""
    return {name: os.environ[name] for name in FORWARDED if name in os.environ}


def _metadata(target: Path) -> None:
    try:
        held = distribution("collapse-sweep")
    except PackageNotFoundError:
        return
    folder = target / f"collapse_sweep-{held.version}.dist-info"
    folder.mkdir()
    for name in METADATA:
        text = held.read_text(name)
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
