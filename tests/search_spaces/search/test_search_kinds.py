"""Searches, samplers and schedulers as data: what they seek, what they refuse, and the whole line of each refusal."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Block, Choice, Grid, GridSearch, OptunaSearch, RandomSearch, Range, Study, when
from search_spaces.search import SCHEDULERS, SEARCHES
from search_spaces.search.samplers import SAMPLERS
from search_spaces.search.schedulers import Asha, Median, ranking
from trainables.config import explain

CELL: dict[str, Any] = {"family": {"kind": "linear", "estimator": "ridge"}, "rows": 50, "generations": 6}
PENALTY = Range(low=0.1, high=10.0, log=True)
SPACE: dict[str, Any] = {"family.penalty": PENALTY, "seed": Grid(values=(0, 1))}


def line(search: dict[str, Any], space: dict[str, Any] | None = None, **block: Any) -> str:
    """What a study of one block is told."""
    raw = {"name": "s", "cell": CELL, "space": SPACE if space is None else space, "search": search} | block
    with pytest.raises(ValueError, match=r".") as caught:
        Study.model_validate(raw)
    said = explain(caught.value, Study)  # type: ignore[arg-type]
    assert "\n" not in said
    return said.removeprefix("blocks.0.").removeprefix("blocks.0: ")


def optuna(**fields: Any) -> dict[str, Any]:
    return {"kind": "optuna"} | fields


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"objective": []}, "search.objective: the list is empty; at least one name is needed"),
        ({"objective": "q"}, "search.objective: unknown objective 'q' (known: definition, final_loss, first_loss,"),
        ({"objective": "grwth:replace"}, "search.objective: unknown objective 'grwth'; did you mean 'growth'?"),
        (
            {"objective": ["growth", "growth"], "mode": ["min", "min"]},
            "search.objective: growth, growth: the same name stands there twice",
        ),
        (
            {"objective": ["growth", "flops"]},
            "search.mode: needs one of min, max for each of 2 objectives, as in [min, min], not 'min'",
        ),
        (
            {"objective": "growth", "mode": ["min", "max"]},
            "search.mode: needs one of min, max for each of 1 objectives, as in [min], not ('min', 'max')",
        ),
        (
            {"objective": ["growth", "flops"], "mode": ["min", "min"], "sampler": "cmaes"},
            "search.sampler: cmaes seeks one objective, not 2; use tpe, gp or nsgaii",
        ),
        (
            {"warm_start": ["other"], "sampler": "qmc"},
            "search.warm_start: the sampler qmc learns nothing from it; use tpe, gp or cmaes",
        ),
        (
            {"warm_start": ["other"], "sampler": {"kind": "cmaes", "sigma0": 0.2}},
            "search.warm_start: cmaes takes its first step size from it; leave sigma0 out",
        ),
        ({"sampler": "tpee"}, "search.sampler: unknown kind 'tpee'; did you mean 'tpe'?"),
        ({"sampler": {"kind": "cmaes", "popsize": 2}}, "search.sampler.popsize: input should be greater than or equal"),
        ({"num_samples": 0}, "search.num_samples: input should be greater than or equal to 1, not 0"),
    ],
)
def test_an_optuna_search_says_what_would_be_right(fields: dict[str, Any], said: str) -> None:
    assert line(optuna(**fields)).startswith(said)


@pytest.mark.parametrize(
    ("sampler", "space", "said"),
    [
        (
            "cmaes",
            {"family.penalty": PENALTY},
            "search.sampler: cmaes needs two paths to draw, and there is one; use tpe or gp",
        ),
        (
            "cmaes",
            {"family.penalty": PENALTY, "rows": Choice(values=(50, 60))},
            "search.sampler: cmaes draws numbers, and rows is a choice; use tpe or gp",
        ),
        (
            "qmc",
            {"rows": Choice(values=(50, 60)), "family.penalty": when(PENALTY, {"rows": 50})},
            "search.sampler: qmc takes no conditional path, as family.penalty is; use tpe or gp",
        ),
        (
            "grid",
            {"rows": Choice(values=(50, 60)), "family.penalty": when(Choice(values=(1.0, 2.0)), {"rows": 50})},
            "search.sampler: grid takes no conditional path, as family.penalty is; use tpe or gp",
        ),
        (
            "grid",
            {"family.penalty": PENALTY},
            "search.sampler: grid needs finitely many values, and family.penalty is loguniform; "
            "give it a choice or a step (quniform), or use qmc",
        ),
        (
            "grid",
            {"rows": Range(low=50, high=10_052, integer=True)},
            "search.sampler: grid needs finitely many values, and rows is randint; "
            "give it a choice or a step (quniform), or use qmc",
        ),
    ],
)
def test_a_sampler_that_could_draw_only_part_of_the_space_is_refused(
    sampler: str, space: dict[str, Any], said: str
) -> None:
    assert line(optuna(sampler=sampler), space) == said


def test_a_grid_sampler_lists_ten_thousand_steps_and_no_more() -> None:
    for high, listed in ((10_051, True), (10_052, False)):
        space = {"rows": Range(low=50, high=high, integer=True)}
        if listed:
            assert Block(cell=CELL, space=space, search=OptunaSearch(sampler={"kind": "grid"}))
        else:
            assert "finitely many values" in line(optuna(sampler="grid"), space)


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"family.penalty": 0.05}, "search.points.1.family.penalty: 0.05 is not in {'loguniform': [0.1, 10.0]}"),
        ({"family.penalty": 10.5}, "search.points.1.family.penalty: 10.5 is not in {'loguniform': [0.1, 10.0]}"),
        ({"family.penalty": True}, "search.points.1.family.penalty: True is not in {'loguniform': [0.1, 10.0]}"),
        ({"family.penalty": "1"}, "search.points.1.family.penalty: '1' is not in {'loguniform': [0.1, 10.0]}"),
        ({"rows": 90}, "search.points.1.rows: 90 is not in {'randint': [40, 90]}"),
        ({"rows": 50.5}, "search.points.1.rows: 50.5 is not in {'randint': [40, 90]}"),
        ({"family.dim": 3}, "search.points.1.family.dim: 3 is not in {'qrandint': [2, 8, 2]}"),
        ({"family.estimator": True}, "search.points.1.family.estimator: True is not in {'choice': [1, 'ridge']}"),
        ({"seed": 0}, "search.points.1: unknown path 'seed'; it is a grid, all of which is run on every point"),
        ({"family.penalti": 1.0}, "search.points.1: unknown path 'family.penalti'; did you mean 'family.penalty'?"),
    ],
)
def test_a_point_outside_the_space_is_refused_by_its_number(point: dict[str, Any], said: str) -> None:
    space = SPACE | {
        "rows": Range(low=40, high=90, integer=True),
        "family.dim": Range(low=2, high=8, integer=True, step=2),
        "family.estimator": Choice(values=(1, "ridge")),
    }
    for kind in ("random", "optuna"):
        assert line({"kind": kind, "points": [{"family.penalty": 1.0}, point]}, space).startswith(said)


@pytest.mark.parametrize(
    "point",
    [
        {"family.penalty": 0.1},
        {"family.penalty": 10},
        {"rows": 40},
        {"rows": 89.0},
        {"family.dim": 8},
        {"family.noise": 0.30000000000000004},
        {},
    ],
)
def test_a_point_on_a_bound_or_a_rounding_error_beside_a_multiple_lies_in_the_space(point: dict[str, Any]) -> None:
    space = SPACE | {
        "rows": Range(low=40, high=90, integer=True),
        "family.dim": Range(low=2, high=8, integer=True, step=2),
        "family.noise": Range(low=0.1, high=0.5, step=0.1),
    }
    assert Block(cell=CELL, space=space, search=RandomSearch(points=(point,)))


def test_the_grid_search_names_the_word_that_it_cannot_draw() -> None:
    assert line({"kind": "grid"}) == (
        "search: the grid search can't draw family.penalty from loguniform; give it a grid, or say "
        "search: {kind: random, num_samples: 20}"
    )
    for kind in ("random", "optuna"):
        assert line({"kind": kind}, {"seed": Grid(values=(0, 1))}) == (
            f"space: a search of kind {kind} needs a path to draw, and all are grids"
        )


def test_what_a_search_draws_and_learns_is_as_its_kind_says() -> None:
    search = OptunaSearch(num_samples=7, seed=3, objective=("growth:replace", "flops"), mode=("max", "min"))
    assert (search.objectives, search.modes, search.sought) == (
        ("growth:replace", "flops"),
        ("max", "min"),
        search.objective[0],
    )
    assert (search.suggestions, search.draw_seed, search.retests, list(search.fresh_seeds)) == (7, 0, 0, [])
    assert search.ranking == ("growth", "max")
    assert OptunaSearch(objective="flops").ranking is None, "known of finished cells only"
    assert OptunaSearch(warm_start=("a", "b")).learns_from == ("a", "b")
    draws = RandomSearch(num_samples=4, seed=9, points=({"rows": 3},))
    assert (draws.suggestions, draws.draw_seed, draws.first, draws.ranking) == (
        4,
        9,
        ({"rows": 3},),
        ("final_loss", "min"),
    )
    grid = GridSearch()
    assert (grid.suggestions, grid.first, grid.draw_seed, grid.learns_from, grid.sought) == (1, (), 0, (), "final_loss")
    assert (grid.retests, list(grid.fresh_seeds)) == (0, [])
    assert (RandomSearch().num_samples, RandomSearch().seed, OptunaSearch().num_samples) == (10, 0, 20)
    assert (OptunaSearch().seed, OptunaSearch().mode, OptunaSearch().sampler.kind) == (0, "min", "tpe")
    kinds = {kind: (SEARCHES.get(kind).draws, SEARCHES.get(kind).adaptive) for kind in SEARCHES}
    assert kinds == {"grid": (False, False), "random": (True, False), "optuna": (True, True), "falsify": (True, True)}


def test_samplers_can_what_the_page_says_of_them() -> None:
    """docs/howto/search.md: who takes several objectives, choices, conditions, earlier studies and schedulers."""

    def those(ability: str) -> set[str]:
        return {kind for kind in SAMPLERS if getattr(SAMPLERS.get(kind), ability)}

    assert those("several") == set(SAMPLERS) - {"cmaes"}
    assert those("listed") == set(SAMPLERS) - {"cmaes"}
    assert those("conditional") == set(SAMPLERS) - {"cmaes", "qmc", "grid"}
    assert those("learns") == {"tpe", "gp", "cmaes"}
    assert those("hears_stops") == {"tpe", "qmc", "random", "grid"}


@pytest.mark.parametrize(
    ("search", "scheduler", "said"),
    [
        (
            optuna(objective=["growth", "final_loss"], mode=["min", "min"]),
            "asha",
            "scheduler: with several objectives there is no one order to stop by; leave it out",
        ),
        (
            optuna(sampler="gp"),
            "median",
            "scheduler: the sampler gp learns nothing from suggestions that were stopped and would make them again; "
            "use tpe",
        ),
        (
            optuna(objective="flops"),
            "asha",
            "scheduler.metric: flops can't rank unfinished cells; say one of final_loss, growth, growth_ratio",
        ),
        (
            optuna(),
            {"kind": "asha", "metric": "flops"},
            "scheduler.metric: 'flops' can't rank unfinished cells (known: final_loss, growth, growth_ratio)",
        ),
        (
            optuna(),
            {"kind": "median", "metric": "grwth"},
            "scheduler.metric: 'grwth' can't rank unfinished cells; did you mean 'growth'? "
            "(known: final_loss, growth, growth_ratio)",
        ),
        (optuna(), {"kind": "asha", "grace": 0}, "scheduler.grace: input should be greater than or equal to 1, not 0"),
        (
            optuna(),
            {"kind": "hyperband", "reduction_factor": 1},
            "scheduler.reduction_factor: input should be greater than or equal to 2, not 1",
        ),
        (optuna(), {"kind": "median", "min_cells": 0}, "scheduler.min_cells: input should be greater than or equal"),
        (optuna(), "ashes", "scheduler: unknown kind 'ashes'; did you mean 'asha'?"),
        (
            optuna(),
            "pbt",
            "scheduler: pbt copies weights and changes hyperparameters in the middle of a recursion; here every "
            "generation is fitted from scratch and a cell is one configuration throughout, so a table's row would mix "
            "several, and seeds and policies would no longer be paired; use asha, hyperband or median",
        ),
    ],
)
def test_a_scheduler_that_the_search_cannot_work_with_is_refused(
    search: dict[str, Any], scheduler: Any, said: str
) -> None:
    assert line(search, scheduler=scheduler).startswith(said)


def test_cells_are_ranked_by_the_search_s_objective_unless_the_scheduler_says_another() -> None:
    search = OptunaSearch(objective="growth:replace", mode="max")
    assert ranking(Asha(), search) == ("growth", "max")
    assert ranking(Median(metric="final_loss"), search) == ("final_loss", "max")
    assert ranking(Asha(metric="growth_ratio", mode="min"), search) == ("growth_ratio", "min")
    assert ranking(Asha(), OptunaSearch(objective="flops")) == ("final_loss", "min")
    assert ranking(Asha(), GridSearch()) == ("final_loss", "min")
    assert set(SCHEDULERS) == {"asha", "hyperband", "median", "pbt"}
