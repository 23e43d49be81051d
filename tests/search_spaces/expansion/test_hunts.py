"""What a hunt for counterexamples explores and retests, what a grid sampler suggests, and what stands for both in a
plan."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from search_spaces import Block, Choice, FalsifySearch, Grid, OptunaSearch, RandomSearch, Range, Study, StudyError
from search_spaces.expansion import (
    Point,
    every_combination,
    expand,
    expected,
    explored,
    independent,
    inner,
    random_draws,
    retest,
)
from search_spaces.search import Confirm
from trainables import Cell

CELL: dict[str, Any] = {"family": {"kind": "linear", "dim": 3}, "rows": 30, "generations": 6}
NOISE = Range(low=0.1, high=3.0, log=True)
DESIGN = Choice(values=("fixed", "fresh"))


def hunt(claim: str = "replace diverges", cell: dict[str, Any] | None = None, **fields: Any) -> Study:
    search = FalsifySearch(**{"claim": claim, "num_samples": 4, "independent": 2, "seeds": 2} | fields)
    block = Block(cell=cell or CELL, space={"family.noise": NOISE, "family.design": DESIGN}, search=search)
    return Study(name="h", blocks=(block,))


def policies(study: Study) -> list[str]:
    return [point.cell.policy.kind for point in inner(explored(study), 0, {"family.noise": 1.0})]


def test_a_hunt_explores_its_claim_s_policies_on_seeds_from_0() -> None:
    cells = [p.cell for p in inner(explored(hunt("accumulate beats replace", seeds=3)), 0, {"family.noise": 0.7})]
    assert [(cell.policy.kind, cell.seed) for cell in cells] == [
        (policy, seed) for policy in ("accumulate", "replace") for seed in (0, 1, 2)
    ]
    assert {cell.canonical()["family"]["noise"] for cell in cells} == {0.7}
    assert policies(hunt()) == ["replace", "replace"]


def test_a_policy_of_the_claim_keeps_the_settings_that_the_cell_gives_it() -> None:
    policy = {"kind": "sliding_window", "window": 5}
    study = explored(hunt("sliding_window beats replace", CELL | {"policy": policy}))
    held = [point.cell.canonical()["policy"] for point in inner(study, 0, {"family.noise": 1.0})]
    assert [(one["kind"], one.get("window")) for one in held] == [("sliding_window", 5)] * 2 + [("replace", None)] * 2


def test_other_blocks_of_a_study_with_a_hunt_stay_as_they_are() -> None:
    plain = Block(name="plain", cell=CELL | {"policy": {"kind": "replace"}})
    study = hunt().model_copy(update={"blocks": (plain, *hunt().blocks)})
    assert explored(study).blocks[0] is plain
    assert explored(study).blocks[1].search.kind == "optuna"


@pytest.mark.parametrize(("wanted", "samples", "first"), [(2, 4, 2), (9, 4, 4), (1, 1, 1)])
def test_the_first_configurations_of_a_hunt_depend_on_no_result(wanted: int, samples: int, first: int) -> None:
    study = hunt(independent=wanted, num_samples=samples, seed=3)
    block = study.blocks[0]
    found = independent(block, block.search)  # type: ignore[arg-type]
    assert found == list(random_draws(block, first, 3))
    tried = explored(study).blocks[0].search
    assert list(tried.first) == found, "the sampler is given them before it suggests any"
    assert tried.suggestions == samples


def test_a_retest_is_the_same_cells_on_other_seeds() -> None:
    points = inner(explored(hunt("accumulate beats replace")), 0, {"family.noise": 0.7})
    again = retest(points, range(1_000_000, 1_000_003))
    assert [(p.cell.policy.kind, p.cell.seed) for p in again] == [
        (policy, seed) for policy in ("accumulate", "replace") for seed in (1_000_000, 1_000_001, 1_000_002)
    ]
    assert [point.values["seed"] for point in again] == [point.cell.seed for point in again]
    assert {point.cell.model_copy(update={"seed": 0}).key for point in again} == {
        point.cell.key for point in points if point.cell.seed == 0
    }


def test_a_plan_of_a_hunt_holds_every_suggestion_and_the_retests_of_as_many_as_there_may_be() -> None:
    """4 configurations × 2 policies × 2 seeds, and 2 candidates × 2 policies × 5 fresh seeds."""
    study = hunt("accumulate beats replace", confirm=Confirm(candidates=2, seeds=5))
    found = expected(study)
    seeds = [point.cell.seed for point in found]
    assert sum(seed < 1_000_000 for seed in seeds) == 4 * 2 * 2
    assert sum(seed >= 1_000_000 for seed in seeds) == 2 * 2 * 5
    assert len({point.values["family.noise"] for point in found}) == 4
    assert expand(study) == [], "nothing of a hunt is known beforehand"


def test_fewer_suggestions_than_candidates_are_all_that_a_plan_retests() -> None:
    found = expected(hunt(num_samples=1, confirm=Confirm(candidates=9, seeds=3)))
    assert [point.cell.seed for point in found] == [0, 1, 1_000_000, 1_000_001, 1_000_002]


def test_a_plan_of_a_known_search_expects_nothing_more() -> None:
    block = Block(cell=CELL | {"policy": {"kind": "replace"}}, space={"family.noise": NOISE}, search=RandomSearch())
    assert expected(Study(name="r", blocks=(block,))) == []


def combinations(space: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    search = OptunaSearch(sampler={"kind": "grid"}, **fields)
    return every_combination(search, space)


SIZES: dict[str, Any] = {
    "rows": Range(low=30, high=33, integer=True),
    "family.noise": Range(low=0.05, high=0.3, step=0.1),
    "family.design": DESIGN,
}


def test_a_grid_sampler_has_each_combination_once() -> None:
    whole = {(rows, noise, design) for rows in (30, 31, 32) for noise in (0.1, 0.2, 0.3) for design in DESIGN.values}
    found = [tuple(one.values()) for one in combinations(SIZES)]
    assert set(found) == whole
    assert len(found) == len(whole) == 18


def test_its_order_is_the_seed_s_and_the_search_s_points_come_first() -> None:
    plain, other = combinations(SIZES), combinations(SIZES, seed=1)
    assert plain == combinations(SIZES)
    assert plain != other
    order = [tuple(one.values()) for one in plain]
    assert order != sorted(order)
    points = ({"rows": 31, "family.noise": 0.2}, {"rows": 30, "family.noise": 0.1, "family.design": "fresh"})
    found = combinations(SIZES, points=points)
    first = [(one["rows"], one["family.noise"], one["family.design"]) for one in found[:3]]
    assert set(first) == {(31, 0.2, "fixed"), (31, 0.2, "fresh"), (30, 0.1, "fresh")}
    assert found[3:] == [one for one in plain if one not in found[:3]], "the others stay in their order"


def test_a_truth_value_is_no_number_where_points_are_looked_up() -> None:
    space = {"rows": Choice(values=(True, 1, 2))}
    assert combinations(space, points=({"rows": 1},))[0]["rows"] == 1
    assert combinations(space, points=({"rows": 1},))[0]["rows"] is not True


def test_a_grid_of_more_combinations_than_the_most_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hundred, thousand = Choice(values=tuple(range(100))), Choice(values=tuple(range(1000)))
    with pytest.raises(StudyError) as caught:
        combinations({"a": hundred, "b": thousand, "c": Choice(values=(1, 2))})
    assert str(caught.value) == "search.sampler: the grid has 200,000 combinations; the most is 100,000"
    monkeypatch.setattr("search_spaces.expansion.combinations.MOST", 100)
    assert len(combinations({"a": hundred})) == 100
    with pytest.raises(StudyError, match="has 101 combinations"):
        combinations({"a": Choice(values=tuple(range(101)))})


def test_a_plan_of_a_grid_sampler_holds_its_own_first_combinations() -> None:
    search = OptunaSearch(sampler={"kind": "grid"}, num_samples=5)
    cell = CELL | {"policy": {"kind": "replace"}}
    study = Study(name="g", blocks=(Block(cell=cell, space=SIZES | {"seed": Grid(values=(0, 1))}, search=search),))
    found = expected(study)
    assert [point.cell.seed for point in found] == [0, 1] * 5
    tried = [{path: point.values[path] for path in SIZES} for point in found[::2]]
    assert tried == combinations(SIZES)[:5]


def test_random_draws_take_the_search_s_points_first_and_draw_what_these_leave_out() -> None:
    points = ({"family.noise": 0.5}, {"family.noise": 0.25, "family.design": "fresh"})
    block = Block(cell=CELL, space={"family.noise": NOISE, "family.design": DESIGN}, search=RandomSearch(points=points))
    found = list(random_draws(block, 6, 0))
    plain = list(random_draws(block.model_copy(update={"search": RandomSearch()}), 6, 0))
    assert [one["family.noise"] for one in found[:2]] == [0.5, 0.25]
    assert found[0]["family.design"] == plain[0]["family.design"], "what a point leaves out is drawn as without it"
    assert found[1]["family.design"] == "fresh"
    assert found[2:] == plain[2:]


def test_draws_of_a_range_follow_its_law_over_samples() -> None:
    """Each sample and path has a stream of its own: over samples these are independent and log-uniform."""
    block = Block(cell=CELL, space={"family.noise": NOISE, "family.design": DESIGN}, search=RandomSearch())
    draws = list(random_draws(block, 1500, 0))
    logs = np.log([one["family.noise"] / 0.1 for one in draws]) / np.log(30)
    fresh = np.array([one["family.design"] == "fresh" for one in draws])
    assert abs(logs.mean() - 0.5) < 4 / np.sqrt(12 * 1500)
    assert abs(fresh.mean() - 0.5) < 4 * 0.5 / np.sqrt(1500)
    assert abs(np.corrcoef(logs, fresh)[0, 1]) < 4 / np.sqrt(1500)
    assert abs(np.corrcoef(logs[1:], logs[:-1])[0, 1]) < 4 / np.sqrt(1500)


def test_equal_cells_of_several_blocks_are_one_and_the_longest_stands_for_all() -> None:
    cell = CELL | {"policy": {"kind": "replace"}}
    blocks = [Block(cell=cell | {"generations": n}, space={"seed": Grid(values=(0, 1))}) for n in (6, 9, 7)]
    found = expand(Study(name="s", blocks=tuple(blocks)))
    assert [(point.block, point.cell.seed, point.cell.generations) for point in found] == [(1, 0, 9), (1, 1, 9)]


def test_cells_are_told_apart_by_whatever_names_them() -> None:
    space = {"seed": Grid(values=(0, 1, 2, 3)), "rows": Grid(values=(30, 40))}
    made = Study(name="s", blocks=(Block(cell=CELL | {"policy": {"kind": "replace"}}, space=space),))
    parity = expand(made, lambda cell: str(cell.seed % 2))
    assert [point.cell.seed for point in parity] == [0, 1]
    assert len(expand(made)) == len(list(itertools.product(range(4), (30, 40))))


def test_a_point_says_what_the_space_set_and_nothing_else() -> None:
    made = Study(
        name="s", blocks=(Block(cell=CELL | {"policy": {"kind": "replace"}}, space={"seed": Grid(values=(4,))}),)
    )
    (point,) = expand(made)
    assert point == Point(0, {"seed": 4}, Cell.model_validate(CELL | {"policy": {"kind": "replace"}, "seed": 4}))
