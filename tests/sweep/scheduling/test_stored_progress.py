"""What the store knows of a job, also where a record is damaged."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sweep.scheduling import Board, make_job, settle
from tests.support.toys import drain, points, toy
from trainables.store import Store, open_store


def board_on(store: Store) -> Board:
    board = Board(store)
    board.admit(points(toy()))
    return board


def test_a_damaged_record_in_the_middle_of_a_finished_cell_is_to_be_done_again(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    drain(board_on(store), store)
    before = {one.key: dict(one.meta) for one in store.walk("record")}
    fitted = {p: p.stat().st_mtime_ns for p in (tmp_path / "model").rglob("*.json")}
    point = points(toy())[0]
    job = make_job(point.cell, point.values)
    key = job.stages[1].record
    path = next((tmp_path / "record").rglob(f"{key}.json"))
    path.write_bytes(path.read_bytes().replace(b"test_loss", b"test_lass"))
    settle(job, store, partial(store.has, "record"))
    assert (job.status, job.done) == ("waiting", 1)
    drain(board_on(store), store)
    after = {one.key: dict(one.meta) for one in store.walk("record")}
    assert {key: meta | {"seconds": 0} for key, meta in after.items()} == {
        key: meta | {"seconds": 0} for key, meta in before.items()
    }
    assert {p: p.stat().st_mtime_ns for p in fitted} == fitted, "its model is used as it is"
