"""What is said while a study runs, and how long it may still take."""

from __future__ import annotations

import io

import pytest

from sweep.progress import LiveProgress, PlainProgress, duration
from sweep.progress.eta import Eta
from sweep.progress.view import HEARTBEAT
from sweep.scheduling import Board, Failure, make_job
from tests.support.toys import drain, points, step, toy
from trainables.store import MemoryStore


def test_every_cell_that_ends_gets_one_line() -> None:
    said: list[str] = []
    store = MemoryStore()
    board = Board(store, [PlainProgress(2, said.append)])
    board.admit(points(toy()))
    drain(board, store)
    assert len(said) == 4
    assert all(line.startswith("done    gaussian / dim 1 / ") for line in said)
    assert "4/4 cells done, 0 running, 0 failed" in said[-1]


def test_a_failure_is_said_with_its_reason_and_silence_is_broken() -> None:
    now = 0.0
    said: list[str] = []
    store = MemoryStore()
    board = Board(store, [PlainProgress(1, said.append, lambda: now)])
    board.admit(points(toy()))
    job = board.take()
    assert job is not None
    step(board, job, store)
    board.tick()
    assert said == []
    now = HEARTBEAT
    board.tick()
    assert "generation 2/3" in said[0]
    board.fail(job, Failure("the loss is nan", 2))
    assert "generation 2: the loss is nan" in said[-1]


def test_the_live_view_shows_cells_generations_and_time_left() -> None:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120)
    progress = LiveProgress(2, console, "toy")
    store = MemoryStore()
    board = Board(store, [progress])
    board.admit(points(toy()))
    job = board.take()
    assert job is not None
    step(board, job, store)
    console.print(progress._view())
    progress.close()
    shown = out.getvalue()
    assert "0/4 cells done, 1 running, 0 failed" in shown
    assert "generation 2/3" in shown


def test_time_left_counts_what_is_shared_once_and_learns_the_speed() -> None:
    now = 0.0
    eta = Eta(2, lambda: now)
    jobs = [make_job(point.cell, point.values) for point in points(toy(policies=("replace",), seeds=2))]
    twin = [make_job(point.cell, point.values) for point in points(toy(policies=("replace",), seeds=2))]
    for job in [*jobs, *twin]:
        eta.expect(job)
    assert eta.seconds() is None, "nothing was measured yet"
    eta.start(jobs[0])
    for generation in (1, 2, 3):
        now += 10.0
        eta.learn(jobs[0], generation)
    assert eta.seconds() == pytest.approx(30.0 / 2, rel=0.02), "one cell like it, on two workers"


@pytest.mark.parametrize(("seconds", "text"), [(4, "4 s"), (89, "89 s"), (200, "3 min"), (9000, "2.5 h")])
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_search_s_total_is_known_from_its_first_cell_on() -> None:
    """Suggestions times the grid, not only what was suggested so far."""
    said: list[str] = []
    progress, ahead = PlainProgress(1, said.append), [8]
    progress.upcoming = lambda: ahead[0]
    store = MemoryStore()
    board = Board(store, [progress])
    board.admit(points(toy()))
    assert (progress.cells, progress.expected) == (12, 36)
    job = board.take()
    assert job is not None
    for _ in range(3):
        step(board, job, store)
    assert "1/12 cells done" in said[-1]
    with_others = progress.left_seconds
    progress._to_come = 0
    assert with_others is not None
    assert with_others > (progress.left_seconds or 0), "what is yet to be suggested takes time too"
    ahead[0] = 0
    drain_rest(board, store)
    assert "4/4 cells done" in said[-1]


def drain_rest(board: Board, store: MemoryStore) -> None:
    while (job := board.take()) is not None:
        while board.holds(job):
            step(board, job, store)
