"""Tracking beside the driver: nothing lost, order kept for each job, the driver never waits, failures are told."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sweep.errors import TrackingError
from sweep.scheduling import Job, make_job
from sweep.tracking import Background, Guarded
from sweep.tracking.base import NullTracker
from tests.support.toys import points, toy


class Slow(NullTracker):
    """Takes a while for everything, and keeps what it heard. While its server hangs it hears nothing."""

    def __init__(self, seconds: float = 0.005, fails_at: int | None = None) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.heard: list[tuple[str, str, str, Any]] = []
        self.closed = ""
        self._seconds, self._fails_at, self._lock = seconds, fails_at, threading.Lock()

    def _hear(self, what: str, job: Job, more: Any = None) -> None:
        time.sleep(self._seconds)
        assert self.answers.wait(120), "the driver waits for a server that hangs"
        with self._lock:
            if len(self.heard) == self._fails_at:
                raise TrackingError("the server is gone")
            self.heard.append((what, job.key, job.status, more))

    def started(self, job: Job) -> None:
        self._hear("started", job)

    def recorded(self, job: Job, record: Any) -> None:
        self._hear("recorded", job, record)

    def ended(self, job: Job) -> None:
        self._hear("ended", job)

    def close(self, outcome: str) -> None:
        self.closed = outcome


def jobs(seeds: int) -> list[Job]:
    return [make_job(point.cell, point.values) for point in points(toy(("replace",), seeds))]


@pytest.mark.parametrize("threads", [1, 4])
def test_everything_is_written_in_order_and_as_it_was_when_it_was_told(threads: int) -> None:
    slow, many = Slow(), jobs(16)
    slow.answers.clear()
    tracker = Background(slow, threads)
    for job in many:
        job.status = "running"
        tracker.started(job)
    for record in range(3):
        for job in many:
            tracker.recorded(job, record)
    for job in many:
        job.status = "done"
        tracker.ended(job)
    tracker.tick()
    assert slow.heard == [], "the driver has told everything, and nothing is written yet"
    slow.answers.set()
    tracker.close("done")
    assert len(slow.heard) == 16 * 5
    assert slow.closed == "done"
    for job in many:
        own = [(what, status, more) for what, key, status, more in slow.heard if key == job.key]
        assert [what for what, _, _ in own] == ["started", "recorded", "recorded", "recorded", "ended"]
        assert [more for _, _, more in own[1:4]] == [0, 1, 2]
        assert [status for _, status, _ in own] == ["running"] * 4 + ["done"]


def test_after_a_failure_nothing_that_waits_is_tried() -> None:
    """It would wait as long for a database that is locked, and the end of the run for it."""
    slow, tried = Slow(fails_at=0), list[str]()
    hear = slow._hear
    slow._hear = lambda *told: [tried.append(told[0]), hear(*told)][1]  # type: ignore[method-assign]
    slow.answers.clear()
    tracker = Background(slow)
    for job in jobs(5):
        tracker.started(job)
    slow.answers.set()
    with pytest.raises(TrackingError, match="the server is gone"):
        tracker.close("done")
    for writer in tracker._writers:
        writer.shutdown(wait=True)
    assert tried == ["started"]


def test_a_failure_is_told_once_and_the_rest_is_left_alone() -> None:
    said: list[str] = []
    slow, (job,) = Slow(fails_at=2), jobs(1)
    tracker = Guarded(Background(slow), said.append)
    for record in range(500):
        tracker.recorded(job, record)
    deadline = time.monotonic() + 120
    while not said and time.monotonic() < deadline:
        tracker.tick()
    assert said == ["the server is gone"]
    tracker.close("done")
    assert len(slow.heard) == 2, "a server that is gone is not tried 498 times more"
    assert said == ["the server is gone"]


def test_a_driver_far_ahead_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.tracking.background.BACKLOG", 10)
    slow, (job,) = Slow(), jobs(1)
    tracker = Background(slow)
    for record in range(40):
        tracker.recorded(job, record)
        assert record - len(slow.heard) <= 11
    tracker.close("done")
    assert len(slow.heard) == 40
