"""Jobs: what they are called, what each generation of theirs is, and what a budget makes of it."""

import random

import pytest

from search_spaces.resources import Resources
from search_spaces.study import StudyBudget
from sweep.scheduling import Failure, Spending, Stage, Work, cell_work, make_job, stage, title
from trainables import Cell
from trainables.lineage import make_key
from trainables.recursion import Steps


def cell(**fields):
    given = {"family": {"kind": "gaussian", "dim": 2}, "policy": {"kind": "replace"}, "generations": 3, "rows": 10}
    return Cell.model_validate(given | fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "gaussian / dim 2 / replace / seed 0"),
        ({"seed": 7, "policy": {"kind": "accumulate"}}, "gaussian / dim 2 / accumulate / seed 7"),
        (
            {"fork": {"generation": 2, "policy": {"kind": "accumulate"}}},
            "gaussian / dim 2 / replace, from generation 3 on accumulate / seed 0",
        ),
        ({"population": {"models": 3, "graph": "star"}}, "gaussian / dim 2 / replace / 3 models, star / seed 0"),
    ],
)
def test_a_cell_is_called_by_family_size_policy_and_seed(fields, text):
    assert title(cell(**fields)) == make_job(cell(**fields), {}).title == text


def test_a_failure_is_told_with_its_generation_where_that_is_known():
    assert str(Failure("the loss is nan", 4)) == "generation 4: the loss is nan"
    assert str(Failure("MemoryError")) == "MemoryError"
    assert Failure("x").final, "unless it is said otherwise, the store keeps it"


def test_a_job_has_a_stage_a_generation_with_the_keys_of_its_steps():
    made = cell()
    steps, job = Steps(made), make_job(made, {"rows": 10})
    assert job.key == made.key
    assert [one.model for one in job.stages] == [steps.step(n).model for n in (1, 2, 3)]
    assert [one.record for one in job.stages] == [steps.step(n).record for n in (1, 2, 3)]
    assert [one.batch for one in job.stages] == ["", steps.batch(1).key, steps.batch(2).key]
    assert [(one.flops, one.sampling) for one in job.stages] == [(32.0, 0.0), (64.0, 32.0), (64.0, 32.0)], "4 · 2³ each"
    assert (job.status, job.done, job.block, job.values) == ("waiting", 0, 0, {"rows": 10})


def test_what_a_job_has_left_is_all_of_the_generations_that_are_not_done():
    job = make_job(cell(), {})
    remaining = []
    for job.done in range(4):
        remaining.append(job.remaining)
    assert remaining == [160.0, 128.0, 64.0, 0.0]


def test_batches_of_several_members_have_one_name_together():
    (step, _), *_ = cell_work(cell())
    parts = [Work("model", "m", 1, 1.0, 10.0, 1.0), *(Work("batch", key, 1, 1.0, 3.0, 1.0) for key in ("b", "c"))]
    made = stage(step, parts)
    assert made == Stage(step.model, make_key("batches", members=["b", "c"]), step.record, 16.0, 6.0)
    assert stage(step, parts[:2]).batch == "b"
    assert stage(step, parts[:1]).batch == ""


def test_jobs_of_one_lane_want_the_same_of_a_machine():
    plain, other = make_job(cell(), {}), make_job(cell(seed=1), {})
    assert plain.lane == other.lane
    assert make_job(cell(), {}, Resources(cpu=2)).lane != plain.lane
    assert make_job(cell(family={"kind": "vae"}), {}).lane != plain.lane, "a network may get a card"


def test_work_that_is_known_is_not_asked_for_again():
    made = cell()
    whole = list(cell_work(made))
    job = make_job(made, {}, work=whole[:2])
    assert job.stages == make_job(made, {}).stages[:2]


def part(kind, key, flops=1.0):
    return Work(kind, key, 1, 1.0, flops, 1.0)


def naive(cells, cells_limit=None, generations_limit=None, flops_limit=None):
    """Which cells fit, each time counted from nothing."""
    taken = []
    for one in cells:
        held = {each.name: each for parts in [*taken, one] for each in parts}
        models = sum(each.kind == "model" for each in held.values())
        flops = sum(each.flops for each in held.values())
        asked = ((cells_limit, len(taken) + 1), (generations_limit, models), (flops_limit, flops))
        if any(limit is not None and spent > limit for limit, spent in asked):
            break
        taken.append(one)
    return taken


@pytest.mark.parametrize("seed", range(25))
def test_a_budget_takes_the_cells_that_counting_from_nothing_takes(seed):
    """Cells of whole-numbered work share names as they like."""
    rng = random.Random(seed)
    costs = {(kind, key): float(rng.randint(1, 9)) for kind in ("model", "batch", "checkpoint") for key in "abcdefgh"}
    names = list(costs)
    cells = [[part(*name, costs[name]) for name in rng.choices(names, k=rng.randint(1, 6))] for _ in range(12)]
    limits = {
        "cells": rng.choice([None, 3, 8]),
        "generations": rng.choice([None, 2, 5, 8]),
        "flops": rng.choice([None, 10.0, 40.0, 90.0]),
    }
    spending = Spending(StudyBudget.model_validate(limits))
    fitting = naive(cells, limits["cells"], limits["generations"], limits["flops"])
    assert [spending.take(one) for one in cells] == [True] * len(fitting) + [False] * (len(cells) - len(fitting))
    distinct = {each.name: each for one in fitting for each in one}
    assert spending.cells == len(fitting)
    assert spending.generations == sum(each.kind == "model" for each in distinct.values())
    assert spending.flops == sum(each.flops for each in distinct.values())


@pytest.mark.parametrize("limit", [{"generations": 2}, {"flops": 6.0}, {"cells": 1}])
def test_what_comes_to_exactly_the_limit_fits_and_nothing_after_it(limit):
    spending = Spending(StudyBudget.model_validate(limit))
    assert spending.take([part("model", "a", 3.0), part("model", "b", 3.0)])
    assert not spending.take([part("model", "c", 3.0)])
    assert spending.closed
    assert not spending.take([]), "once one does not fit none does"
    assert (spending.cells, spending.generations, spending.flops) == (1, 2, 6.0)


def test_a_model_and_a_batch_of_one_key_are_two_things():
    spending = Spending(StudyBudget())
    assert spending.take([part("model", "a", 3.0), part("batch", "a", 4.0)])
    assert (spending.generations, spending.flops) == (1, 7.0)


def test_a_count_of_cells_closes_as_soon_as_it_is_reached_for_a_search_must_not_be_asked_in_vain():
    spending = Spending(StudyBudget(cells=2))
    closed = []
    for key in "ab":
        spending.take([part("model", key)])
        closed.append(spending.closed)
    assert closed == [False, True]
