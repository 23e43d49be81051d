"""The end of Ray in a driver that has threads of its own."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator

import pytest

from sweep.ray_backend import nodes
from sweep.resources import Machines


class Cycle:
    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[bool, bool]]]:
    """At each end of Ray: whether a cycle made before is still there, and whether a collector may run in any thread."""
    seen: list[tuple[bool, bool]] = []
    left: list[weakref.ref[Cycle]] = []

    def start(cpus: int) -> None:
        left.append(weakref.ref(Cycle()))

    monkeypatch.setattr(nodes, "_start_here", start)
    monkeypatch.setattr(nodes.ray, "shutdown", lambda: seen.append((left[0]() is not None, gc.isenabled())))
    environment = dict(os.environ)
    yield seen
    os.environ.clear()
    os.environ.update(environment)


def test_nothing_is_left_to_be_collected_while_ray_shuts_down(ended: list[tuple[bool, bool]]) -> None:
    """Ray 2.60.0: an ObjectRef dropped by another thread during `ray.shutdown` ends the process with exit code 1, after
    the line "The core worker has already been shutdown". Tune leaves two in cycles after a study of two cells.
    """
    with nodes.started(Machines(cpus=1)):
        pass
    assert ended == [(False, False)]
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off(ended: list[tuple[bool, bool]]) -> None:
    gc.disable()
    try:
        with nodes.started(Machines(cpus=1)):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert ended == [(False, False)]
