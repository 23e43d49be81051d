"""A run all of whose cells wait for what other drivers compute: Tune only asks it for trials, and it is alive all the
same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import Interrupted
from sweep.ray_backend import tuner
from sweep.ray_backend.nodes import KILLED
from sweep.resources import ClusterCapacity, NodeType, Slots
from sweep.resources.requests import ResourceEstimator
from sweep.scheduling import Board
from tests.support.gates import held
from tests.support.toys import points, toy
from trainables.store import open_store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # Ray's own imports


class Ticks:
    """Counts them; hears nothing else."""

    def __init__(self) -> None:
        self.heard = 0

    def tick(self) -> None:
        self.heard += 1

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def test_it_tells_that_time_passes_can_be_stopped_and_notices_that_ray_has_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (point,) = points(toy(("replace",), 1))
    store, pool = open_store(str(tmp_path)), ClusterCapacity([NodeType({"CPU": 1.0})])
    ticks, stop, said = Ticks(), threading.Event(), list[str]()
    board: Any = Board(store, [ticks])
    (job,) = board.admit([point])
    pulse, slots = tuner._Pulse(board, stop, said.append), Slots(pool, ResourceEstimator(pool))
    chooser = tuner._Next(board, str(tmp_path), pulse, slots, tuner._Deaths())
    with held(point.cell, str(tmp_path)):
        assert board.take() is job
        board.start(job)
        board.requeue(job, ("record", job.stages[-1].record))
        board._cooling[0].due = 0.0
        assert [chooser.suggest("trial") for _ in range(3)] == [None] * 3
        assert ticks.heard == 3
        monkeypatch.setattr(tuner, "LOOK", 0.0)
        monkeypatch.setattr(tuner, "lost", lambda: True)
        with pytest.raises(Interrupted):
            chooser.suggest("trial")
        assert said == [KILLED]
        monkeypatch.setattr(tuner, "lost", lambda: False)
        stop.set()
        with pytest.raises(Interrupted):
            chooser.suggest("trial")
