"""Cells, processes that run them, and what they are compared with."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Command
from trainables import Cell, run

WORKER = Path(__file__).with_name("worker.py")


def a_cell(policy: str, generations: int = 4, **more: Any) -> dict[str, Any]:
    """A cell whose models are too large for a manifest, so that a commit has several files."""
    family = {"kind": "gaussian", "dim": 3}
    return {"family": family, "policy": {"kind": policy}, "generations": generations, "rows": 30} | {
        "replicates": 1000,
        **more,
    }


def undisturbed(cells: list[dict[str, Any]]) -> list[str]:
    """What a worker prints when nothing happens to it."""
    return [
        json.dumps(record.model_dump(exclude={"seconds"}), sort_keys=True)
        for cell in cells
        for record in run(Cell.model_validate(cell))
    ]


class Crew:
    """Workers on one store."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "store"
        self.log = folder / "log"
        self.log.touch()

    def start(self, cells: list[dict[str, Any]], **orders: Any) -> Command:
        """A worker at work."""
        told = {"store": str(self.store), "cells": cells, "log": str(self.log)} | orders
        return Command(self.log.parent, json.dumps(told), module="tests.support.worker")

    def run(self, cells: list[dict[str, Any]], **orders: Any) -> tuple[int | None, list[str], str]:
        """A worker's exit status, records, and what it said on stderr."""
        worker = self.start(cells, **orders)
        out, err = worker.communicate(timeout=600)
        return worker.returncode, out.splitlines(), err

    @property
    def processes(self) -> dict[str, list[int]]:
        """Each computation, and the processes that started it, in order."""
        found: dict[str, list[int]] = {}
        for line in self.log.read_text().splitlines():
            step, _, pid = line.rpartition(" ")
            found.setdefault(step, []).append(int(pid))
        return found

    @property
    def computed(self) -> dict[str, int]:
        """How often each computation was started."""
        return {step: len(pids) for step, pids in self.processes.items()}

    @property
    def repeated(self) -> int:
        """Computations started again."""
        return sum(times - 1 for times in self.computed.values())


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small disk of its own at `folder`; skips the test where the machine does not allow one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        made = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if made.returncode:
        pytest.skip(f"this machine mounts no tmpfs for user {os.geteuid()}: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the disk at `folder`."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)
