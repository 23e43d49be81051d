"""What a search found: the front against a comparison of all pairs, words for it, and how samplers are seeded."""

import random

import numpy as np
import pytest

from search_spaces import Block, Choice, Grid, OptunaSearch, Range, Study
from search_spaces.search.samplers import SAMPLERS
from sweep.search import OptunaSource, summary
from sweep.search.objectives import PENALTY, Objective, of_cell, parse
from sweep.search.optuna_source import _dominates
from sweep.search.samplers import _seed, distribution, internal, make_sampler
from tests.support.toys import GAUSSIAN

ROWS = Range(low=5, high=200, integer=True, log=True)


def source(samples=6, objectives=("final_loss", "flops"), modes=("min", "min"), **space):
    search = OptunaSearch(num_samples=samples, objective=objectives, mode=modes, seed=1)
    cell = GAUSSIAN | {"policy": {"kind": "replace"}}
    made = Study(name="s", blocks=(Block(cell=cell, space={"rows": ROWS} | space, search=search),))
    return OptunaSource(made, 0, None)


def tell(made, *values, diverged=()):
    """Suggestions that came to these values."""
    for number, found in enumerate(values):
        suggestion = made.ask()
        assert suggestion.number == number
        made._note(number, "diverged", number in diverged)
        made._note(number, "cells", [point.cell.key for point in suggestion.points])
        made._optuna.tell(number, list(found))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("modes", [("min", "min"), ("min", "max"), ("max", "max")])
def test_the_front_is_what_no_other_suggestion_beats(seed, modes):
    """Small whole numbers, so that many are equal; a pair beats another where it is nowhere worse and once better."""
    rng = random.Random(seed)
    values = [(float(rng.randint(0, 4)), float(rng.randint(0, 4))) for _ in range(12)]
    made = source(samples=12, modes=modes)
    tell(made, *values)

    def beats(one, other):
        better = [a < b if mode == "min" else a > b for a, b, mode in zip(one, other, modes, strict=True)]
        worse = [a > b if mode == "min" else a < b for a, b, mode in zip(one, other, modes, strict=True)]
        return any(better) and not any(worse)

    front = {n for n, value in enumerate(values) if not any(beats(other, value) for other in values)}
    found = made.best()
    assert {trial.number for trial in found} == front
    sign = 1 if modes[0] == "min" else -1
    assert [sign * trial.values[0] for trial in found] == sorted(sign * trial.values[0] for trial in found)


def test_the_best_of_one_objective_are_all_that_reach_it_and_no_failure_is_one():
    made = source(samples=5, objectives=("final_loss",), modes=("max",))
    tell(made, (1.0,), (3.0,), (3.0,), (2.0,), (9.0,), diverged={4})
    assert [trial.number for trial in made.best()] == [1, 2]


@pytest.mark.parametrize(
    ("one", "other", "beaten"),
    [
        ((1, 1), (1, 2), True),
        ((1, 2), (2, 1), False),
        ((1, 1), (1, 1), False),
        ((2, 2), (1, 3), False),
        ((0,), (1,), True),
    ],
)
def test_to_dominate_is_to_be_nowhere_worse_and_somewhere_better(one, other, beaten):
    assert _dominates(one, other) is beaten


def test_suggestions_are_counted_down_and_a_restart_makes_those_that_were_cut_short_first():
    made = source(samples=3)
    assert made.left({}) == 3
    first = made.ask()
    assert (made.left({}), [one.number for one in made.under_way()]) == (2, [0])
    assert made.past() == []
    made._optuna.tell(0, [1.0, 1.0])
    second = made.ask()
    assert [one.number for one in made.past()] == [0]
    assert [point.cell.key for point in made.past()[0].points] == [point.cell.key for point in first.points]
    made.resume()
    assert made.left({}) == 2, "the one that is made again, and the third"
    again = made.ask()
    assert (again.number, again.points) == (second.number, second.points)
    made._optuna.tell(1, [1.0, 1.0])
    made._optuna.tell(made.ask().number, [1.0, 1.0])
    assert (made.ask(), made.left({})) == (None, 0)


def test_a_suggestion_has_as_many_cells_as_the_inner_grid():
    assert source().each == 1
    assert source(**{"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1, 2))}).each == 6


def found(**fields):
    best = [
        {"number": 3, "values": {"final_loss": 0.1234567}, "at": {"rows": 20, "policy.bias": 0.123456}, "cells": []}
    ]
    plain = {"sampler": "tpe", "objectives": ["final_loss"], "modes": ["min"], "suggestions": 9, "stopped_early": 0}
    return plain | {"failed": 0, "warm_start": {}, "best": best} | fields


def test_what_was_found_is_told_in_a_line_and_a_table():
    head, table = summary.lines([found()])
    assert head == "Best of 9 suggestions of tpe; objective final_loss (min):"
    assert table.splitlines() == [
        "suggestion  final_loss  rows  policy.bias",
        "3             0.123457    20       0.1235",
    ]


def test_what_happened_to_suggestions_is_told_where_it_did():
    several = {"objectives": ["growth", "flops"], "modes": ["max", "min"], "warm_start": {"a": 4}, "best": []}
    (head,) = summary.lines([found(failed=2, stopped_early=3, **several)])
    assert head == (
        "Pareto front of 9 suggestions of tpe, 2 failed, 3 stopped early, begun from 4 of a; objective growth (max), "
        "flops (min):"
    )


def test_a_path_that_does_not_apply_to_a_suggestion_is_left_empty():
    best = [
        {"number": 1, "values": {"final_loss": 1.0}, "at": {"a": 1}, "cells": []},
        {"number": 2, "values": {"final_loss": 2.0}, "at": {"b": "x"}, "cells": []},
    ]
    _, table = summary.lines([found(best=best)])
    assert [line.split() for line in table.splitlines()] == [
        ["suggestion", "final_loss", "a", "b"],
        ["1", "1", "1"],
        ["2", "2", "x"],
    ]


def test_nothing_is_kept_of_searches_that_found_nothing(tmp_path):
    summary.write([], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_plain_data_of_a_search_counts_what_became_of_its_suggestions():
    made = source(samples=4, objectives=("final_loss",), modes=("min",))
    assert made.summary() is None
    tell(made, (2.0,), (1.0,), (PENALTY,), diverged={2})
    plain = made.summary()
    assert (plain["suggestions"], plain["failed"], plain["stopped_early"], plain["warm_start"]) == (3, 1, 0, {})
    (best,) = plain["best"]
    assert (best["number"], best["values"]) == (1, {"final_loss": 1.0})
    assert list(best["at"]) == ["rows"]
    assert len(best["cells"]) == 1


@pytest.mark.parametrize("kind", [kind for kind in SAMPLERS if kind != "grid"])
def test_a_suggestion_s_random_numbers_are_its_own_but_for_sequences(kind):
    """A sequence that was seeded anew for each suggestion would begin with its first point for ever."""
    objectives = {"objective": ("final_loss", "flops"), "mode": ("min", "min")} if kind.startswith("nsga") else {}
    search = OptunaSearch(num_samples=9, seed=3, sampler={"kind": kind}, **objectives)
    other = search.model_copy(update={"seed": 4})
    seeds = {_seed(search, number) for number in range(9)}
    assert len(seeds) == (1 if kind in ("qmc", "cmaes") else 9)
    assert _seed(other, 0) not in seeds
    assert all(0 <= seed < 2**32 for seed in seeds)
    words = {"rows": ROWS, "policy.bias": Range(low=0.5, high=1.0)}
    assert make_sampler(search, 0, words) is not make_sampler(search, 0, words)


@pytest.mark.parametrize(
    ("word", "low", "high", "log", "step"),
    [
        (Range(low=0.5, high=1.0), 0.5, 1.0, False, None),
        (Range(low=0.5, high=1.0, step=0.2), 0.6, 1.0, False, 0.2),
        (Range(low=1e-3, high=10.0, log=True), 1e-3, 10.0, True, None),
        (Range(low=5, high=200, integer=True, log=True), 5, 199, True, 1),
        (Range(low=5, high=200, integer=True), 5, 199, False, 1),  # as in Tune, whose upper bound is left out
        (Range(low=3, high=21, integer=True, step=4), 4, 20, False, 4),
        (Range(low=4, high=20, integer=True, step=4), 4, 20, False, 4),
    ],
)
def test_a_range_is_drawn_between_its_bounds_on_its_own_steps(word, low, high, log, step):
    spread = distribution(word)
    assert (spread.low, spread.high, spread.log) == (low, pytest.approx(high), log)
    assert spread.step == step


@pytest.mark.parametrize(
    "word",
    [Range(low=0.5, high=1.0, step=0.2), Range(low=1, high=10, integer=True, step=3), Range(low=0, high=1, step=0.25)],
)
def test_every_multiple_of_a_step_is_one_that_optuna_may_draw_and_none_is_drawn_for_two(word):
    """Against counting up from nothing."""
    spread = distribution(word)
    drawn = [spread.low + n * spread.step for n in range(round((spread.high - spread.low) / spread.step) + 1)]
    multiples = [n * word.step for n in range(100) if word.low - 1e-9 <= n * word.step <= word.high + 1e-9]
    assert [word.snap(value) for value in drawn] == pytest.approx(multiples)
    assert {word.sample(np.random.default_rng(seed)) for seed in range(60)} == {word.snap(value) for value in drawn}


def test_a_choice_is_held_as_text_that_tells_numbers_from_words():
    spread = distribution(Choice(values=(1, "1", None, [2])))
    assert spread.choices == ("1", '"1"', "null", "[2]")
    assert internal(Choice(values=(1, "1")), "1") == '"1"'
    assert internal(Range(low=0.5, high=1.0, step=0.25), 0.8) == 0.75


@pytest.mark.parametrize(
    ("statistic", "losses", "value"),
    [
        ("final_loss", [3.0, 1.0, 2.0], 2.0),
        ("first_loss", [3.0, 1.0, 2.0], 3.0),
        ("growth", [1.0, 2.0, 6.0], 2.5),
        ("growth_ratio", [2.0, 9.0, 5.0], 2.5),
    ],
)
def test_a_statistic_of_one_cell_is_the_table_s(statistic, losses, value):
    assert of_cell(statistic, np.array(losses)) == pytest.approx(value)


def test_growth_of_one_generation_is_none():
    assert np.isnan(of_cell("growth", np.array([1.0])))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("growth", ("growth", "", "")),
        ("growth:replace", ("growth", "", "replace")),
        ("definition:7", ("definition", "7", "")),
        ("definition:lost_tail:replace", ("definition", "lost_tail", "replace")),
        ("time_to_collapse:replace", ("time_to_collapse", "", "replace")),
        ("time_to_collapse:any_increase", ("time_to_collapse", "any_increase", "")),
        ("growth_gap:replace-accumulate", ("growth_gap", "replace-accumulate", "")),
    ],
)
def test_a_name_is_a_statistic_its_argument_and_a_policy(name, parts):
    assert parse(name) == Objective(name, *parts)
