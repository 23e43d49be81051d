"""Where every cell stands: finished ones never run again, failures are kept, budgets and searches are honoured."""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Grid, OptunaSearch, Range, Study, StudyBudget
from sweep.planning import plan_study
from sweep.scheduling import Board, Failure, Job, read_records
from sweep.search import OptunaSource
from sweep.search.objectives import PENALTY
from tests.support.toys import GAUSSIAN, Counting, drain, points, step, toy
from trainables import Record
from trainables.store import MemoryStore, open_store


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Any]] = []

    def admitted(self, job: Job) -> None:
        self.events.append(("admitted", job.key, job.status))

    def started(self, job: Job) -> None:
        self.events.append(("started", job.key, None))

    def recorded(self, job: Job, record: Record) -> None:
        self.events.append(("recorded", job.key, record.generation))

    def ended(self, job: Job) -> None:
        self.events.append(("ended", job.key, job.status))

    def tick(self) -> None:
        self.events.append(("tick", "", None))


def board_of(study: Study, store: Any, **options: Any) -> Board:
    board = Board(store, budget=study.budget, **options)
    board.admit(points(study))
    return board


def test_a_study_trains_exactly_what_the_plan_says_and_a_second_run_nothing() -> None:
    study = toy(seeds=3, policies=("replace", "accumulate", "accumulate_subsample"))
    store = Counting(MemoryStore())
    expected = plan_study(study, store).totals  # type: ignore[arg-type]
    board = board_of(study, store)
    drain(board, store)
    trained = [name for name in store.computed if name.startswith("model/")]
    assert len(trained) == len(set(trained)) == expected.trained
    assert expected.trained < expected.generations, "generation 1 is shared"
    assert {job.status for job in board.jobs.values()} == {"done"}
    again = board_of(study, store)
    assert not again.has_work()
    assert plan_study(study, store).totals.stored == expected.trained  # type: ignore[arg-type]


def test_a_longer_study_costs_only_the_new_generations() -> None:
    store = Counting(MemoryStore())
    drain(board_of(toy(generations=2), store), store)
    before = len(store.computed)
    board = board_of(toy(generations=4), store)
    assert {job.done for job in board.jobs.values()} == {2}
    drain(board, store)
    trained = [name for name in store.computed[before:] if name.startswith("model/")]
    assert len(trained) == 2 * 4, "two new generations of four cells"


def test_listeners_hear_everything_in_order() -> None:
    study, store, heard = toy(seeds=1, policies=("replace",)), MemoryStore(), Heard()
    board = Board(store, [heard])
    board.admit(points(study))
    drain(board, store)
    key = next(iter(board.jobs))
    assert heard.events == [
        ("admitted", key, "waiting"),
        ("started", key, None),
        *[("recorded", key, n) for n in (1, 2, 3)],
        ("ended", key, "done"),
    ]


def test_an_interrupted_job_goes_back_and_is_not_lost() -> None:
    study, store = toy(), MemoryStore()
    board = board_of(study, store)
    job = board.take()
    assert job is not None
    step(board, job, store)
    board.interrupt()
    assert job.status == "waiting"
    assert job.done == 1
    assert not board.running
    fresh = board_of(study, store)
    assert fresh.jobs[job.key].done == 1
    drain(fresh, store)
    assert {found.status for found in fresh.jobs.values()} == {"done"}


def test_a_busy_job_waits_a_while_and_comes_back() -> None:
    now = 0.0
    study, store = toy(seeds=1, policies=("replace",)), MemoryStore()
    board = board_of(study, store, clock=lambda: now)
    job = board.take()
    assert job is not None
    board.start(job)
    board.requeue(job)
    assert board.take() is None
    assert not board.finished
    now = 1.0
    assert board.take() is job


def test_failures_that_the_store_keeps_are_final_and_others_are_not() -> None:
    study, store = toy(seeds=1), MemoryStore()
    board = board_of(study, store)
    first = board.take()
    assert first is not None
    step(board, first, store)
    board.fail(first, Failure("MemoryError", 2, final=False))
    second = board.take()
    assert second is not None, "the study outlives a cell"
    while board.holds(second):
        step(board, second, store)
    assert board.finished
    assert (first.status, second.status) == ("failed", "done")
    again = board_of(study, store)
    assert again.jobs[first.key].status == "waiting", "what the store does not keep is tried again"

    stage = again.jobs[first.key].stages[1]
    from trainables.store import Payload

    store.put("record", stage.record, Payload(meta={"failed": "the loss is nan", "generation": 2}))
    third = board_of(study, store)
    kept = third.jobs[first.key]
    assert (kept.status, kept.done) == ("failed", 1)
    assert kept.failure == Failure("the loss is nan", 2)
    assert not third.has_work()


def test_a_budget_of_cells_leaves_the_rest_out_and_says_how_many() -> None:
    study = toy(seeds=4).model_copy(update={"budget": StudyBudget(cells=3)})
    store = MemoryStore()
    board = board_of(study, store)
    drain(board, store)
    assert (len(board.jobs), len(board.left_out)) == (3, 5)
    assert len(plan_study(study).left_out) == 5


def test_a_budget_of_wall_time_starts_no_further_cell() -> None:
    now = 0.0
    study = toy(seeds=4).model_copy(update={"budget": StudyBudget(wall_time=60)})
    store = MemoryStore()
    board = Board(store, budget=study.budget, clock=lambda: now)
    board.admit(points(study))
    job = board.take()
    assert job is not None
    now = 61.0
    assert board.take() is None
    assert not board.finished, "what runs may end"
    while board.holds(job):
        step(board, job, store)
    assert board.finished
    assert len(board.waiting) == 7


def search(samples: int, seeds: tuple[int, ...] = (0,), **options: Any) -> Study:
    space = {"rows": Range(low=5, high=200, integer=True, log=True), "seed": Grid(values=seeds)}
    chosen = OptunaSearch(**{"num_samples": samples, "objective": "final_loss"} | options)
    cell = GAUSSIAN | {"policy": {"kind": "replace"}, "replicates": 50}
    return Study(name="search", blocks=(Block(cell=cell, space=space, search=chosen),))


def with_search(study: Study, store: Any, journal: Path | None, **options: Any) -> tuple[Board, OptunaSource]:
    source = OptunaSource(study, 0, journal)
    source.resume()
    board = Board(store, **options)
    board.add_source(source)
    return board, source


def test_a_suggestion_is_judged_by_its_whole_inner_grid(tmp_path: Path) -> None:
    store = MemoryStore()
    board, source = with_search(search(4, seeds=(0, 1, 2)), store, tmp_path / "j.log", concurrency=2)
    drain(board, store)
    assert len(board.jobs) == 4 * 3
    past = source.past()
    assert [len(suggestion.points) for suggestion in past] == [3, 3, 3, 3]
    for suggestion, trial in zip(past, source.trials(), strict=True):
        jobs = [board.jobs[point.cell.key] for point in suggestion.points]
        losses = [read_records(job, store)[2].test_loss for job in jobs]
        assert trial.value == pytest.approx(sum(losses) / 3)
        assert trial.user_attrs["diverged"] is False


def test_a_search_is_not_asked_in_the_place_of_a_cell_that_comes_back_soon(tmp_path: Path) -> None:
    """Its next suggestion would be made without that cell, and be another one than if no worker had died."""
    now = 0.0
    board, _ = with_search(search(3), MemoryStore(), tmp_path / "j.log", clock=lambda: now)
    job = board.take()
    assert job is not None
    board.requeue(job)
    assert board.take() is None
    assert list(board.jobs) == [job.key]
    now = 1.0
    assert board.take() is job
    board.requeue(job, ("model", job.stages[0].model))
    assert board.take() is not None, "what another driver computes may take long"


def test_a_search_goes_on_after_a_kill_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def suggested(board: Board) -> list[int]:
        return [job.cell.rows for job in board.jobs.values()]

    whole, store = with_search(search(8), MemoryStore(), tmp_path / "a.log")[0], MemoryStore()
    drain(whole, store, slots=1)

    store = MemoryStore()
    part, _ = with_search(search(8), store, tmp_path / "b.log")
    for _ in range(5):
        job = part.take()
        assert job is not None
        while part.holds(job):
            step(part, job, store)
    part.take()  # suggested, and never heard of again
    resumed, source = with_search(search(8), store, tmp_path / "b.log")
    drain(resumed, store, slots=1)
    assert suggested(resumed) == suggested(whole)
    assert len(source.past()) == 8
    assert not with_search(search(8), store, tmp_path / "b.log")[0].has_work()


def test_more_samples_go_on_with_the_same_search_and_another_question_does_not(tmp_path: Path) -> None:
    store = MemoryStore()
    drain(with_search(search(3), store, tmp_path / "j.log")[0], store)
    assert len(with_search(search(5), store, tmp_path / "j.log")[1].past()) == 3
    assert with_search(search(5, objective="growth"), store, tmp_path / "j.log")[1].past() == []


@pytest.mark.parametrize(("mode", "told"), [("min", PENALTY), ("max", -PENALTY)])
def test_a_failed_cell_is_told_as_bad_and_never_as_nan(tmp_path: Path, mode: str, told: float) -> None:
    store = MemoryStore()
    board, source = with_search(search(3, mode=mode), store, tmp_path / "j.log")
    job = board.take()
    assert job is not None
    board.fail(job, Failure("the loss is nan", 1))
    drain(board, store)
    assert [trial.value == told for trial in source.trials()] == [True, False, False]
    assert [trial.user_attrs["diverged"] for trial in source.trials()] == [True, False, False]


def test_a_cell_that_is_suggested_twice_is_computed_once(tmp_path: Path) -> None:
    space = {"rows": Range(low=5, high=7, integer=True)}
    chosen = OptunaSearch(num_samples=6)
    cell = GAUSSIAN | {"policy": {"kind": "replace"}}
    store = Counting(MemoryStore())
    study = Study(name="s", blocks=(Block(cell=cell, space=space, search=chosen),))
    board, source = with_search(study, store, tmp_path / "j.log")
    drain(board, store)
    assert len(source.past()) == 6
    assert len(board.jobs) <= 2
    assert len(store.computed) == len(set(store.computed))


def test_tpe_finds_the_best_region_of_a_planted_surface(tmp_path: Path) -> None:
    """The loss of a Gaussian falls with its rows: the search must end near the upper bound."""
    store = MemoryStore()
    board, _ = with_search(search(25, seed=4), store, tmp_path / "j.log")
    drain(board, store, slots=1)
    rows = [job.cell.rows for job in board.jobs.values()]
    assert sum(rows[-8:]) / 8 > 100
    assert sum(rows[-8:]) > 1.5 * sum(rows[:8])


def test_a_cell_whose_step_is_held_waits_until_nobody_holds_it(tmp_path: Path) -> None:
    now = [0.0]
    store = open_store(str(tmp_path))
    board = Board(store, clock=lambda: now[0])
    board.admit(points(toy(("replace",), seeds=1)))
    job = board.take()
    assert job is not None
    board.start(job)
    lease = store.place.create  # type: ignore[attr-defined]
    assert lease(f"leases/model-{job.stages[0].model}.1", b'{"host": "elsewhere", "pid": 1, "machine": "", "beat": 0}')
    board.requeue(job, ("model", job.stages[0].model))
    for _ in range(5):
        now[0] += 10.0
        assert board.take() is None, "whoever holds it has not been found dead"
    store._leases._ttl = 0.0  # type: ignore[attr-defined]
    now[0] += 10.0
    assert board.take() is job
    assert store.place.names("leases") == [], "what the dead left behind is gone"  # type: ignore[attr-defined]


def test_records_of_finished_cells_stay_in_the_store_alone() -> None:
    """Those of many thousand cells would fill the driver; a listener that writes later still has them."""
    store, held = MemoryStore(), []

    class Late(Counting):
        def __getattr__(self, name: str):
            return lambda *told: held.append(copy(told[0])) if name == "ended" else None

    board = Board(store, [Late(store)])
    board.admit(points(toy()))
    drain(board, store)
    assert all(not job.records for job in board.jobs.values())
    assert all(len(job.records) == 3 for job in held)
    assert [len(read_records(job, store)) for job in board.jobs.values()] == [3, 3, 3, 3]
