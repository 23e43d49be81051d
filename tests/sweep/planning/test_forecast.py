"""Time: what a store's timings say of what is left, and what they are worth for other sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweep.planning import plan_study, speeds
from sweep.planning.calibrate import Scratch, measure
from sweep.planning.forecast import OVERHEAD, START, Effort, forecast
from sweep.planning.speeds import Make, Speed, nearest
from sweep.scheduling import Board, read_records
from tests.support.toys import drain, points, toy
from trainables import Cell
from trainables.store import MemoryStore, Payload, Store, open_store

SMALL, LARGE = Make("vae", "1k", 1_000, "a"), Make("vae", "1M", 1_000_000, "b")
SPEED = Speed(1e-9, 2e-9, 0.5, 5, "store")


def run(store: Store, seeds: int) -> Board:
    board = Board(store)
    board.admit(points(toy(seeds=seeds)))
    drain(board, store)
    return board


def test_speeds_are_medians_over_stored_generations() -> None:
    store = MemoryStore()
    board = run(store, 3)
    found = speeds.observe(plan_study(toy(seeds=3), store).left.stored, store)
    (speed,) = found.values()
    taken = sorted(record.seconds["evaluate"] for job in board.jobs.values() for record in read_records(job, store))
    assert taken[0] < speed.evaluate < taken[-1]
    assert speed.source == "store"


def test_a_study_that_is_done_in_part_is_told_by_its_own_records() -> None:
    store = MemoryStore()
    run(store, 2)
    found = plan_study(toy(seeds=6), store)
    ahead = found.forecast(found.speeds(store, {}), workers=2)
    assert ahead.sources == {"store": 1}
    assert not ahead.unknown
    left = found.totals.trained - found.totals.stored
    assert left == 20
    assert ahead.seconds is not None
    assert ahead.seconds >= START + left * OVERHEAD / 2


def test_a_study_that_is_done_takes_no_time() -> None:
    store = MemoryStore()
    run(store, 2)
    found = plan_study(toy(seeds=2), store)
    assert found.forecast({}, 2).seconds == 0.0
    assert found.left.flops == 0.0


def test_what_was_never_timed_is_said_to_be_unknown() -> None:
    ahead = plan_study(toy()).forecast({LARGE: SPEED}, 2)
    assert ahead.seconds is None
    assert ahead.unknown == ["gaussian dim 1"]


def test_work_is_divided_but_no_cell_is() -> None:
    effort = Effort(generations=10, fitting=1e11)
    one = effort.seconds(SPEED)
    assert one == pytest.approx(100 + 10 * (0.5 + OVERHEAD))
    whole = Effort(generations=40, fitting=4e11)
    cells = [(SMALL, effort)] * 4
    assert forecast({SMALL: whole}, cells, {SMALL: SPEED}, 2).seconds == pytest.approx(2 * one + START)
    assert forecast({SMALL: whole}, cells, {SMALL: SPEED}, 100).seconds == pytest.approx(one + START)


def test_the_nearest_size_of_a_family_stands_for_one_that_was_not_timed() -> None:
    near = Make("vae", "2k", 2_000, "c")
    other = Speed(5e-9, None, 0.1, 1, "runs")
    assert nearest({SMALL: SPEED, LARGE: other}, near) == (SPEED, SMALL)
    assert nearest({LARGE: other}, near) == (other, LARGE)
    assert nearest({Make("language", "2k", 2_000, "c"): SPEED}, near) is None
    sibling = Make("vae", "2k", 9_000, "d")
    assert nearest({SMALL: SPEED, sibling: other}, near) == (other, sibling), "a size's name goes before its parameters"


def test_speeds_are_kept_by_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w" / "speeds.json"
    assert speeds.read(path) == {}
    speeds.write(path, {SMALL: SPEED})
    monkeypatch.setattr(speeds, "machine", lambda: "another")
    assert speeds.read(path) == {}
    speeds.write(path, {LARGE: SPEED})
    monkeypatch.undo()
    assert speeds.read(path) == {SMALL: SPEED}
    path.write_text("garbage")
    assert speeds.read(path) == {}, "a damaged file costs a calibration, not a plan"


def test_records_of_other_hardware_say_nothing_of_this_machine(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    board = run(store, 1)
    stages = plan_study(toy(seeds=1), store).left.stored
    assert speeds.observe(stages, store)
    run_key = next(store.walk("record")).made["run"]
    held = store.get("provenance", run_key)
    assert held is not None
    assert board.jobs
    store.delete("provenance", run_key)
    hardware = {**held.meta["hardware"], "cpu": "another"}
    store.put("provenance", run_key, Payload({**held.meta, "hardware": hardware}))
    assert speeds.observe(stages, store) == {}


def test_a_calibration_keeps_models_to_itself(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    cell = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "accumulate"}, "replicates": 50})
    speed = measure(cell, store, share=0.05)
    assert speed is not None
    assert speed.fit > 0
    assert speed.evaluate > 0
    assert store.kinds() == [], "what a measurement makes is not taken for results"
    below = MemoryStore()
    Scratch(below).once("features", "ab", lambda: Payload({"derived": 1}))
    assert below.has("features", "ab"), "what families derive from data is kept for runs"


def test_a_model_too_large_to_try_is_not_tried() -> None:
    cell = Cell.model_validate(
        {"family": {"kind": "linear", "dim": 90}, "policy": {"kind": "replace"}, "replicates": 10_000_000}
    )
    assert measure(cell, MemoryStore(), share=0.01) is None
