"""A small study as a user runs it, and what its workspace holds: to be compared with that of an undisturbed run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.commands import Command
from trainables.store import open_store

TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 40, generations: 6, replicates: 200}
space:
  policy.kind: {grid: [replace, accumulate]}
  seed: {grid: [0, 1]}
"""
PATIENCE = 600
"""Seconds that a command may take; no claim about it, but the end of a test that hangs."""


def records(folder: Path, workspace: str) -> dict[str, dict[str, Any]]:
    """Every record of a store by key, without how long it took, which differs between runs."""
    found = open_store(str(folder / workspace / "store")).walk("record")
    return {one.key: {name: value for name, value in one.meta.items() if name != "seconds"} for one in found}


def models(folder: Path, workspace: str) -> dict[str, int]:
    """When each model was committed, by key."""
    return {p.stem: p.stat().st_mtime_ns for p in (folder / workspace / "store" / "model").rglob("*.json")}


def robustness(folder: Path, workspace: str) -> str:
    """The study's table, as text."""
    return (folder / workspace / "reports" / "toy" / "robustness.csv").read_text()


def wait_for(condition: Callable[[], bool], process: Command) -> None:
    """Until it is met, by a command that is at work."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
