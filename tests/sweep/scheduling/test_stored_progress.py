"""What the store knows of a job, also where a record is damaged."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Point
from sweep.scheduling import Board, Job, asker, make_job, read_records, settle
from sweep.scheduling.job import Failure
from sweep.scheduling.stored_progress import MANY
from tests.support.toys import drain, points, toy
from trainables.cell import Cell
from trainables.families.language.config import LanguageConfig
from trainables.recursion import Recursion, Steps
from trainables.store import MemoryStore, Payload, Store, open_store


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


def begun(done: int) -> tuple[Store, Job]:
    """A store in memory with so many records of a cell of three generations."""
    store, point = MemoryStore(), points(toy())[0]
    recursion = Recursion(point.cell, store)
    for generation in range(1, done + 1):
        recursion.record(generation)
    return store, make_job(point.cell, point.values)


@pytest.mark.parametrize(("done", "status"), [(0, "waiting"), (1, "waiting"), (2, "waiting"), (3, "done")])
def test_a_job_goes_on_where_its_records_end(done: int, status: str) -> None:
    store, job = begun(done)
    settle(job, store, partial(store.has, "record"))
    assert (job.done, job.status, job.failure) == (done, status, None)
    assert [record.generation for record in read_records(job, store)] == list(range(1, done + 1))


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_a_failure_that_is_stored_is_one_for_good(failed: int) -> None:
    store, job = begun(failed - 1)
    told = Payload(meta={"failed": "the loss is nan", "generation": failed})
    store.once("record", job.stages[failed - 1].record, lambda: told, {})
    settle(job, store, partial(store.has, "record"))
    assert (job.done, job.status) == (failed - 1, "failed")
    assert job.failure == Failure("the loss is nan", failed)


def test_a_last_record_that_can_not_be_read_is_computed_again() -> None:
    store, job = begun(2)
    lost = job.stages[1].record
    settle(job, Without(store, lost), partial(store.has, "record"))
    assert (job.done, job.status) == (1, "waiting")


def test_records_that_are_held_are_not_read_again() -> None:
    store, job = begun(3)
    settle(job, store, partial(store.has, "record"))
    first = read_records(job, store)
    assert read_records(job, MemoryStore()) == first, "the job holds them"
    job.records = {1: first[0]}
    assert read_records(job, Without(store, job.stages[1].record)) == first[:1]


@pytest.mark.parametrize(("cells", "questions"), [(MANY, 0), (MANY + 1, 1)])
def test_many_cells_are_asked_for_at_once(cells: int, questions: int) -> None:
    store, job = begun(1)
    counted = Without(store, "")
    has = asker(counted, cells)
    assert counted.listed == questions
    assert [has(stage.record) for stage in job.stages] == [True, False, False]


class Without:
    """A store of which one record is damaged, and which counts how often its records are listed."""

    def __init__(self, store: Store, lost: str) -> None:
        self.store, self.lost, self.listed = store, lost, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def get(self, kind: str, key: str) -> Payload | None:
        return None if key == self.lost else self.store.get(kind, key)

    def keys(self, kind: str) -> Any:
        self.listed += 1
        return self.store.keys(kind)


def test_a_checkpoint_that_is_made_is_no_work_any_more(tmp_path: Path) -> None:
    family = LanguageConfig.tiny()[0].canonical() | {"start": "checkpoint", "checkpoint": {"pretrain": {"rows": 500}}}
    cells = [Cell.model_validate({"family": family, "policy": {"kind": "replace"}, "seed": seed}) for seed in (0, 1)]
    asked = [Point(0, {}, cell) for cell in cells]
    store = open_store(str(tmp_path))
    first = [job.stages[0] for job in Board(store).admit(asked)]
    made = cells[0].family.pretraining()
    assert made is not None
    pretraining = made[0] * made[1].fit_flops
    assert {(one.checkpoint, one.pretraining) for one in first} == {(Steps(cells[0]).checkpoint, pretraining)}
    store.put("checkpoint", Steps(cells[0]).checkpoint, Payload(meta={}))
    jobs = Board(store).admit(asked)
    assert [job.stages[0].flops for job in jobs] == pytest.approx([one.flops - pretraining for one in first])
    assert {(job.stages[0].checkpoint, job.stages[0].pretraining) for job in jobs} == {("", 0.0)}
