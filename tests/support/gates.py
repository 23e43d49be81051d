"""A step of a study that nobody gets to compute while a test looks on: the study can't end before the test lets it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from search_spaces import load_study
from search_spaces.expansion import expand
from trainables import Cell
from trainables.recursion import Steps
from trainables.store import FsspecStore
from trainables.store.leases import Leases


@contextlib.contextmanager
def unfinished(study: Path, storage: str) -> Iterator[None]:
    """For the block, the last record of the study's last cell seems to be computed by somebody else.

    A run does everything else meanwhile, as fast as it can, and waits; what a test does to it in the block happens
    before its end, however slow the test, the run or the machine are.
    """
    with held(expand(load_study(str(study)))[-1].cell, storage):
        yield


@contextlib.contextmanager
def held(cell: Cell, storage: str) -> Iterator[None]:
    """For the block, the last record of a cell seems to be computed by somebody else."""
    store = FsspecStore(storage)
    store.begin()
    key = Steps(cell).step(cell.generations).record
    with Leases(store.place, wait=False).claim("record", key, lambda: False) as mine:
        assert mine
        yield
