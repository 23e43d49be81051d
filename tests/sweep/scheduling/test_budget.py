"""Budgets: what fits is run, in the study's order; what is shared counts once; the rest is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from search_spaces import Study
from search_spaces.loading.study import study_from
from search_spaces.study import StudyBudget
from sweep.engine import Outcome
from sweep.planning import plan_study
from sweep.scheduling import Board
from sweep.search import OptunaSource
from tests.support.toys import drain, points, step, toy
from trainables.store import MemoryStore, Store


def limited(**budget: object) -> Study:
    """Three generations, two policies, four seeds: five models a seed, the first of them shared."""
    return toy(seeds=4).model_copy(update={"budget": StudyBudget.model_validate(budget)})


def board_of(study: Study, store: Store) -> Board:
    board = Board(store, budget=study.budget)
    board.admit(points(study))
    return board


def models(store: Store) -> int:
    return len(list(store.keys("model")))


@pytest.mark.parametrize(("generations", "fitted"), [(2, 0), (3, 3), (5, 3), (6, 6), (20, 20), (1000, 20)])
def test_no_more_models_are_fitted_than_the_budget_says(generations: int, fitted: int) -> None:
    study, store = limited(generations=generations), MemoryStore()
    board = board_of(study, store)
    drain(board, store)
    assert models(store) == fitted, "cells are whole: the first that does not fit closes the budget"
    assert len(board.jobs) + len(board.left_out) == 8
    assert list(board.left_out.values()) == plan_study(study).left_out


def test_operations_are_those_that_plan_counts() -> None:
    whole = plan_study(toy(seeds=4)).totals.flops
    assert plan_study(limited(flops=whole * 1.0001)).left_out == []
    assert len(plan_study(limited(flops=whole * 0.999)).left_out) == 1
    half = plan_study(limited(flops=whole / 2))
    assert half.totals.flops <= whole / 2
    assert 0 < len(half.left_out) < 8


PRETRAINED = {
    "name": "tuned",
    "cell": {
        "family": {
            "kind": "language",
            "context": 24,
            "start": "checkpoint",
            "checkpoint": {"pretrain": {"rows": 5000}},
        },
        "rows": 10,
        "generations": 2,
    },
    "space": {"policy.kind": {"grid": ["replace", "accumulate"]}, "seed": {"grid": [0, 1, 2]}},
}


def test_a_checkpoint_that_all_cells_start_from_counts_once_and_as_no_generation() -> None:
    """It counted with every seed: a budget of all that `plan` counts left five of six cells out."""
    whole = plan_study(study_from(PRETRAINED, "s.yaml")).totals
    assert whole.trained == 3 * (1 + 2), "two policies share generation 1"
    for budget in ({"flops": whole.flops * 1.0001}, {"generations": 9}):
        limited = study_from(PRETRAINED | {"budget": budget}, "s.yaml")
        assert plan_study(limited).left_out == []
        assert board_of(limited, MemoryStore()).left_out == {}
    assert len(plan_study(study_from(PRETRAINED | {"budget": {"generations": 8}}, "s.yaml")).left_out) == 1


def test_the_same_budget_means_the_same_cells_and_a_larger_one_more() -> None:
    store = MemoryStore()
    first = board_of(limited(generations=7), store)
    drain(first, store)
    again = board_of(limited(generations=7), store)
    assert not again.has_work()
    assert again.left_out == first.left_out
    larger = board_of(limited(generations=20), store)
    assert set(first.jobs) < set(larger.jobs)
    drain(larger, store)
    assert models(store) == 20
    assert not larger.left_out


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(90, 90.0), ("90", 90.0), ("90 s", 90.0), ("1.5h", 5400.0), ("20 min", 1200.0), ("2d", 172800.0)],
)
def test_wall_time_is_written_as_people_write_it(said: object, seconds: float) -> None:
    assert StudyBudget.model_validate({"wall_time": said}).wall_time == seconds


@pytest.mark.parametrize("said", ["soon", "3 weeks", "-1h", "", 0, -5])
def test_what_is_no_duration_is_refused(said: object) -> None:
    with pytest.raises(ValidationError):
        StudyBudget.model_validate({"wall_time": said})


SEARCH = {
    "name": "sought",
    "cell": {"family": {"kind": "gaussian"}, "generations": 2, "replicates": 5, "policy": {"kind": "replace"}},
    "space": {"rows": {"lograndint": [5, 500]}},
    "search": {"kind": "optuna", "num_samples": 6, "seed": 1},
}


@pytest.mark.parametrize(("cells", "unasked"), [(3, 3), (5, 1), (6, 0), (7, 0)])
def test_a_budget_that_closes_exactly_between_two_suggestions_is_spent_like_any_other(
    tmp_path: Path, cells: int, unasked: int
) -> None:
    study = study_from(SEARCH | {"budget": {"cells": cells}}, "s.yaml")
    for journal in (tmp_path / "j.log", tmp_path / "j.log"):  # and again when it is spent already
        board = Board(MemoryStore(), budget=study.budget)
        board.add_source(OptunaSource(study, 0, journal))
        drain(board, board._store)
        assert (len(board.jobs), board.left_out, board.unasked) == (min(cells, 6), {}, unasked)
        assert Outcome(board, ran=True).over_budget is (unasked > 0)


def test_wall_time_that_ends_between_two_suggestions_is_spent_too() -> None:
    now = [0.0]
    study = study_from(SEARCH | {"budget": {"wall_time": "10 s"}}, "s.yaml")
    board = Board(MemoryStore(), budget=study.budget, clock=lambda: now[0])
    board.add_source(OptunaSource(study, 0, None))
    job = board.take()
    assert job is not None
    now[0] = 11.0
    while board.holds(job):
        step(board, job, board._store)
    assert (board.finished, board.unasked) == (True, 5)
    assert Outcome(board, ran=True).over_budget
    assert not Outcome(board, ran=True, stopped=True).over_budget
