"""`run --keep`: what is removed as a study goes, what stays, and that nothing is computed twice for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.cli import app
from sweep.scheduling import Board, Failure, Job, Pruner
from tests.support.toys import Counting, drain, step
from trainables import Cell, run
from trainables.families import FAMILIES
from trainables.policies import POLICIES
from trainables.recursion import Keep, Recursion, Steps
from trainables.store import MemoryStore, Store, StoreError

ABLE = FAMILIES.get("gaussian").abilities
SUPPORTED = tuple(kind for kind in POLICIES if POLICIES.get(kind)().requires() <= ABLE)
FORKS = (
    {"generation": 2, "policy": {"kind": "accumulate"}},
    {"generation": 3, "policy": {"kind": "verified"}},
    {"generation": 3, "policy": {"kind": "detector_weighted"}},
)
"""A fork may ask for what no earlier generation has made: a judge, a batch of long ago."""


def study(policies: tuple[str, ...] = SUPPORTED, generations: int = 5, **more: Any) -> Study:
    cell = {"family": {"kind": "gaussian"}, "rows": 20, "generations": generations, "replicates": 5} | more
    plain = Block(cell=cell, space={"policy.kind": Grid(values=policies), "seed": Grid(values=(0, 1))})
    forked = Block(
        cell=cell | {"policy": {"kind": "replace"}}, space={"fork": Grid(values=FORKS), "seed": Grid(values=(0, 1))}
    )
    return Study(name="toy", blocks=(plain, forked))


def boarded(of: Study, store: Store, keep: Keep) -> tuple[Board, Pruner]:
    pruner = Pruner(store, keep, lambda line: None)
    board = Board(store, [pruner], concurrency=2)
    board.admit(expand(of))
    return board, pruner


def told(cells: list[Cell], store: Store | None) -> list[dict[str, Any]]:
    return [record.model_dump(exclude={"seconds"}) for cell in cells for record in run(cell, store)]


def cells(of: Study) -> list[Cell]:
    return [point.cell for point in expand(of)]


@pytest.mark.parametrize("keep", ["last", "records"])
@pytest.mark.parametrize("slots", [1, 2, 7])
def test_a_pruned_study_computes_no_more_than_one_that_keeps_everything(keep: Keep, slots: int) -> None:
    whole, pruned = Counting(MemoryStore()), Counting(MemoryStore())
    plain = Board(whole, concurrency=slots)
    plain.admit(expand(study()))
    drain(plain, whole, slots)
    board, _ = boarded(study(), pruned._store, keep)
    drain(board, pruned, slots)
    assert sorted(pruned.computed) == sorted(whole.computed)
    assert len(set(pruned.computed)) == len(pruned.computed)
    assert told(cells(study()), pruned._store) == told(cells(study()), whole._store)


def test_records_alone_are_left_and_the_last_level_goes_on_without_a_step_done_again() -> None:
    store = MemoryStore()
    drain(boarded(study(), store, "records")[0], store)
    assert set(store.kinds()) == {"record", "collected"}
    store = MemoryStore()
    drain(boarded(study(), store, "last")[0], store)
    counted = Counting(store)
    longer = study(generations=6)
    for cell in cells(longer):
        assert [Recursion(cell, counted).record(6).test_loss] == [r["test_loss"] for r in told([cell], None)][5:]
    earlier = {Steps(cell).step(n).model for cell in cells(study()) for n in range(1, 6)}
    again = {name for name in counted.computed if name.partition("/")[2] in earlier}
    assert again == set(), "nothing of the first five generations"


def test_few_models_lie_in_the_store_at_any_time() -> None:
    of = Study(
        name="toy",
        blocks=(
            Block(
                cell={"family": {"kind": "gaussian"}, "rows": 20, "generations": 12, "replicates": 5},
                space={"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1, 2))},
            ),
        ),
    )
    store, most = MemoryStore(), 0

    class Watching(Counting):
        def once(self, kind: str, key: str, compute: Any, parents: Any = None) -> Any:
            nonlocal most
            most = max(most, len(list(store.keys("model", ""))))
            return super().once(kind, key, compute, parents)

    drain(boarded(of, store, "records")[0], Watching(store))
    assert most <= 2 * 2 + 3, "two at work, each with its last model, and the first of each seed for its sibling"


@pytest.mark.parametrize("keep", ["last", "records"])
@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_study_that_was_stopped_goes_on_without_a_step_done_again(keep: Keep, after: int) -> None:
    store = Counting(MemoryStore())
    board, _ = boarded(study(), store._store, keep)
    jobs: list[Job] = []
    for _ in range(after):  # four cells side by side, a generation each in turn
        while len(jobs) < 4 and (job := board.take()) is not None:
            jobs.append(job)
        step(board, jobs[0], store)
        jobs = [*jobs[1:], *jobs[:1]] if board.holds(jobs[0]) else jobs[1:]
    board.interrupt()
    again, pruner = boarded(study(), store._store, keep)
    drain(again, store)
    pruner.finish(again.jobs.values())
    assert len(set(store.computed)) == len(store.computed)
    assert told(cells(study()), store._store) == told(cells(study()), None)


def test_a_cell_that_may_be_tried_again_keeps_what_it_needs_and_one_that_failed_for_good_does_not() -> None:
    of = study(("replace",))
    for final in (False, True):
        store = MemoryStore()
        board, _ = boarded(of, store, "records")
        job = board.take()
        assert job is not None
        step(board, job, store)
        step(board, job, store)
        board.fail(job, Failure("no luck", 3, final=final))
        needed = Steps(job.cell).step(2).model
        others = [j for j in board.jobs.values() if j is not job and needed in {s.model for s in j.stages}]
        for other in others:
            board.jobs[other.key].failure = Failure("no luck", 3)
            board._listeners[0].ended(other)
        assert store.has("model", needed) is not final


def test_what_generation_one_is_made_of_waits_for_cells_that_a_search_may_still_suggest() -> None:
    store = MemoryStore()
    pruner = Pruner(store, "records", lambda line: None, growing=True)
    board = Board(store, [pruner])
    board.admit(expand(study(("replace",)))[:1])
    drain(board, store)
    job = next(iter(board.jobs.values()))
    assert list(store.keys("model", "")) == [Steps(job.cell).step(1).model]
    pruner.finish(board.jobs.values())
    assert list(store.keys("model", "")) == []


def test_a_store_from_which_nothing_can_be_removed_is_told_of_once_and_stops_nothing() -> None:
    class Fixed(MemoryStore):
        def delete(self, kind: str, key: str) -> None:
            raise StoreError("store here: no permission to write or read there")

    store, said = Fixed(), list[str]()
    board = Board(store, [Pruner(store, "records", said.append)])
    board.admit(expand(study(("replace", "accumulate"))))
    drain(board, store)
    assert board.finished
    assert len(said) == 1
    assert "no permission" in said[0]


def test_an_unknown_level_is_refused_before_anything_runs(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["run", "quickstart", "--keep", "most", "--workspace", str(tmp_path / "w")])
    assert (result.exit_code, result.stderr) == (2, "collapse-sweep: --keep most: is none of all, last, records\n")
    assert not (tmp_path / "w").exists()
