"""A calibration: how many rows it tries, what its seconds are divided by, and what comes of its processes."""

import io
import json
import subprocess
import sys

import pytest

from sweep.planning import calibrate
from sweep.planning.calibrate import BUDGET, LIMIT, TOGETHER, Scratch, calibrate_speeds, main, measure
from sweep.planning.speeds import Speed, make_of
from trainables import Cell
from trainables.families import Diverged
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload


def linear(rows=1000, dim=3, **fields):
    family = {"kind": "linear", "dim": dim}
    return Cell.model_validate({"family": family, "policy": {"kind": "replace"}, "rows": rows} | fields)


@pytest.fixture
def tried(monkeypatch):
    """Rows of each fit, which takes as many seconds as a test says; a fit of 64 rows fails."""
    rows = []

    def once(cell, count, store):
        rows.append(count)
        clock.now += clock.each
        return None if count == 64 else Speed(float(count), None, 0.0, 1, "calibration")

    class Clock:
        now, each = 50.0, 1.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(calibrate, "_once", once)
    return clock, rows


@pytest.mark.parametrize(
    ("share", "seconds", "expected"),
    [
        (10.0, 1.0, [16, 32, 128, 256, 512, 1000]),  # by fours while eight more such fits would do
        (100.0, 1.0, [16, 32, 128, 512, 1000]),
        (0.5, 1.0, [16, 32]),  # the first loads libraries and data, the second is timed
        (4.0, 1.0, [16, 32, 64, 128]),  # a third and a fourth of two seconds each would go beyond it
    ],
)
def test_rows_grow_until_the_share_is_spent_or_the_cell_s_own_are_reached(tried, share, seconds, expected):
    clock, rows = tried
    clock.each = seconds
    speed = measure(linear(), MemoryStore(), share, clock)
    assert rows == expected
    assert speed.fit == expected[-1], "the largest fit counts"


def test_a_fit_that_fails_costs_what_was_found_before_nothing(tried):
    clock, rows = tried
    assert measure(linear(), MemoryStore(), 2.9, clock).fit == 32.0
    assert rows == [16, 32]
    rows.clear()
    assert measure(linear(rows=64), MemoryStore(), 100.0, clock).fit == 32.0
    assert rows == [16, 32, 64]


def test_a_cell_of_few_rows_is_tried_at_its_own(tried):
    clock, rows = tried
    measure(linear(rows=9), MemoryStore(), 10.0, clock)
    assert rows == [9, 9]


@pytest.mark.parametrize(("dim", "fewest"), [(3, 16), (14, 16), (15, 32), (40, 64), (100, 128), (300, 400)])
def test_the_first_try_has_as_many_rows_as_the_family_can_do_with(tried, dim, fewest):
    """A regression needs more rows than it has coefficients by two, for its error to have a mean."""
    clock, rows = tried
    measure(linear(rows=400, dim=dim), MemoryStore(), 1.0, clock)
    assert rows[0] == fewest


def test_what_would_take_three_shares_on_a_slow_core_is_not_tried(tried):
    """A fit of the fewest rows is 4 · dim² operations a recursion, at 2e9 operations a second."""
    clock, rows = tried
    seconds = 4 * 90**2 * 1_000_000 / 2e9
    cell = linear(rows=200, dim=90, replicates=1_000_000)
    assert measure(cell, MemoryStore(), seconds / 3.01, clock) is None
    assert rows == []
    assert measure(cell, MemoryStore(), seconds / 2.99, clock) is not None


def test_seconds_are_told_by_operation_and_those_of_judging_by_generation(monkeypatch):
    """4 · 3² operations of fitting and of sampling, seven recursions side by side."""
    times = iter([10.0, 12.0, 15.0, 19.0])
    monkeypatch.setattr(calibrate, "_clock", lambda: next(times))
    speed = calibrate._once(linear(replicates=7), 50, MemoryStore())
    assert speed.fit == pytest.approx(2.0 / (36 * 7))
    assert speed.evaluate == pytest.approx(3.0)
    assert speed.sample == pytest.approx(4.0 / (36 * 7))
    assert (speed.generations, speed.source) == (1, "calibration")


def test_a_measurement_leaves_out_what_makes_a_cell_more_than_one_recursion(monkeypatch):
    """A population, a fork and a policy of many batches are not what runs at one speed."""
    made = []
    real = Recursion.__init__

    def init(self, cell, store):
        made.append(cell)
        real(self, cell, store)

    monkeypatch.setattr(Recursion, "__init__", init)
    cell = linear(policy={"kind": "accumulate"}, population={"models": 3}, generations=7)
    assert calibrate._once(cell, 50, MemoryStore()) is not None
    (alone,) = made
    assert (alone.policy.kind, alone.population, alone.fork) == ("replace", None, None)
    assert (alone.rows, alone.generations, alone.family) == (50, 2, cell.family)


@pytest.mark.parametrize(
    "problem", [Diverged("the loss is nan"), ValueError("few"), RuntimeError("x"), ZeroDivisionError()]
)
def test_a_model_of_so_few_rows_that_can_not_be_judged_ends_no_plan(monkeypatch, problem):
    def fail(self, generation):
        raise problem

    monkeypatch.setattr(Recursion, "record", fail)
    assert calibrate._once(linear(), 50, MemoryStore()) is None


@pytest.mark.parametrize("kind", ["model", "batch", "record", "judge", "scores"])
def test_what_a_measurement_makes_itself_is_not_the_store_s(kind):
    below = MemoryStore()
    Scratch(below).once(kind, "ab", lambda: Payload({"derived": 1}))
    assert not below.has(kind, "ab")


def test_medians_are_taken_over_processes_and_their_generations_added():
    speeds = [
        Speed(fit, sample, evaluate, n, "calibration")
        for fit, sample, evaluate, n in ((1.0, 7.0, 0.1, 1), (9.0, None, 0.3, 2), (2.0, 5.0, 0.9, 4))
    ]
    assert calibrate._middle(speeds) == Speed(2.0, 6.0, 0.3, 7, "calibration")
    assert calibrate._middle(speeds[1:2]).sample is None


def test_as_a_program_it_tells_a_line_for_each_make_that_it_can_try(tmp_path):
    cells = [linear(rows=40), linear(rows=200, dim=90, replicates=10_000_000), linear(rows=40, dim=5)]
    asked = {"storage": str(tmp_path), "share": 0.001, "cells": [cell.canonical() for cell in cells]}
    out = io.StringIO()
    main(io.StringIO(json.dumps(asked)), out)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [one["make"] for one in told] == [0, 2]
    assert all(one["fit"] > 0 and one["evaluate"] > 0 and one["generations"] == 1 for one in told)
    assert list(tmp_path.glob("model*")) == []


class Process:
    """Stands for one that measures: says a line for each make, and is cut short where it is slow."""

    started: list["Process"] = []  # noqa: RUF012 - the fixture empties it
    slow = False

    def __init__(self, command, env, text, **pipes):
        self.command, self.env, self.said = command, env, ""
        self.stdin = io.StringIO()
        self.stdin.close = lambda: setattr(self, "said", self.stdin.getvalue())
        self.number, self.killed = len(self.started), False
        self.started.append(self)

    def communicate(self, timeout=None):
        if self.slow and timeout is not None:
            assert timeout <= LIMIT
            raise subprocess.TimeoutExpired("calibrate", timeout)
        lines = [
            json.dumps(
                {"make": make, "fit": 10.0**make * (self.number + 1), "sample": None, "evaluate": 0.5, "generations": 1}
            )
            for make in range(len(json.loads(self.said)["cells"]))
        ]
        return "\n".join([*lines[:-1], lines[-1][:-9] if self.killed else lines[-1]]), None

    def kill(self):
        self.killed = True


@pytest.fixture
def processes(monkeypatch):
    Process.started, Process.slow = [], False
    monkeypatch.setattr(calibrate.subprocess, "Popen", Process)
    return Process


def test_a_make_that_is_alone_has_all_of_the_time(processes):
    calibrate_speeds({make_of(linear()): linear()}, "/store", 1)
    assert json.loads(processes.started[0].said)["share"] == BUDGET == 10.0


@pytest.mark.parametrize(("workers", "count"), [(1, 1), (3, 3), (99, TOGETHER)])
def test_as_many_measure_side_by_side_as_trials_would_run_each_with_one_thread(processes, workers, count):
    cells = [linear(dim=3), linear(dim=5)]
    found = calibrate_speeds({make_of(cell): cell for cell in cells}, "/store", workers)
    assert len(processes.started) == count
    for one in processes.started:
        assert one.command == [sys.executable, "-m", "sweep.planning.calibrate"]
        assert {one.env[name] for name in calibrate.THREADS} == {"1"}
        asked = json.loads(one.said)
        assert (asked["storage"], asked["share"]) == ("/store", BUDGET / 2)
        assert [Cell.model_validate(raw) for raw in asked["cells"]] == cells
    middle = (count + 1) / 2
    assert found == {
        make_of(cell): Speed(10.0**n * middle, None, 0.5, count, "calibration") for n, cell in enumerate(cells)
    }


def test_what_was_said_before_the_deadline_counts_and_half_a_line_does_not(processes):
    processes.slow = True
    cells = [linear(dim=3), linear(dim=5)]
    found = calibrate_speeds({make_of(cell): cell for cell in cells}, "/store", 2)
    assert [one.killed for one in processes.started] == [True, True]
    assert list(found) == [make_of(cells[0])]
