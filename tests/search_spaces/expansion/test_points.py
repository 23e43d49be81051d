"""From a study to its cells."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Block, Grid, RandomSearch, Study, StudyError
from search_spaces.expansion import build, check, expand, inner, put, random_draws
from search_spaces.space import Range
from trainables import Cell

BASE: dict[str, Any] = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 3}


def study(**block: Any) -> Study:
    return Study(name="s", blocks=(Block(**{"cell": BASE} | block),))


def test_a_grid_is_every_combination_once() -> None:
    made = study(space={"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1, 2))})
    points = expand(made)
    assert [(p.cell.policy.kind, p.cell.seed) for p in points] == [
        (policy, seed) for policy in ("replace", "accumulate") for seed in (0, 1, 2)
    ]
    assert all(p.cell.rows == 20 and p.cell.generations == 3 for p in points)
    assert len({p.cell.key for p in points}) == 6


def test_cells_that_differ_in_generations_alone_are_one_recursion_of_the_longest() -> None:
    points = expand(study(space={"generations": Grid(values=(2, 5, 3))}))
    assert [p.cell.generations for p in points] == [5]


def test_a_value_that_equals_a_default_makes_no_second_cell() -> None:
    whole = Grid(values=({"kind": "replace"}, {"kind": "replace", "bias": 1.0}))
    assert len(expand(study(space={"policy": whole}))) == 1


def test_a_cell_object_is_a_base_cell() -> None:
    cell = Cell.model_validate(BASE)
    assert expand(study(cell=cell))[0].cell == cell


def test_longer_paths_win_over_shorter_ones() -> None:
    space = {"policy.bias": Grid(values=(0.5,)), "policy": Grid(values=({"kind": "accumulate"},))}
    family = {"kind": "linear", "dim": 2}
    cell = build(
        study(cell=BASE | {"family": family}, space=space), 0, {"policy.kind": "replace", "policy": {"kind": "x"}}
    )
    assert cell.policy.kind == "replace"


def test_random_draws_are_repeatable_and_more_of_them_go_on() -> None:
    block = Block(cell=BASE, space={"rows": Range(low=5, high=90, integer=True)}, search=RandomSearch(num_samples=3))
    few, many = list(random_draws(block, 3, 7)), list(random_draws(block, 6, 7))
    assert many[:3] == few
    assert list(random_draws(block, 3, 8)) != few
    wider = block.model_copy(update={"space": {**block.space, "seed": Range(low=0, high=9, integer=True)}})
    assert [draw["rows"] for draw in random_draws(wider, 3, 7)] == [draw["rows"] for draw in few]


def test_each_random_draw_is_run_on_the_whole_inner_grid() -> None:
    made = study(
        space={"rows": Range(low=5, high=900, integer=True), "seed": Grid(values=(0, 1))},
        search=RandomSearch(num_samples=4, seed=3),
    )
    rows = [(p.cell.rows, p.cell.seed) for p in expand(made)]
    assert len(rows) == 8
    assert [seed for _, seed in rows] == [0, 1] * 4
    assert all(rows[i][0] == rows[i + 1][0] for i in range(0, 8, 2))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"space": {"family.dimm": Grid(values=(1,))}}, "space.family.dimm: unknown key; did you mean 'dim'"),
        ({"space": {"sed": Grid(values=(1,))}}, "space.sed: unknown key; did you mean 'seed'"),
        ({"space": {"rows.x": Grid(values=(1,))}}, "space.rows.x: rows is 20, which has no 'x'"),
        ({"space": {"seed": Grid(values=(0, -1))}}, "space.seed: input should be greater than or equal to 0, not -1"),
        ({"cell": BASE | {"rows": -3}}, "cell.rows: input should be greater than or equal to 1, not -3"),
        ({"cell": BASE | {"family": {"kind": "gaussian", "dim": -1}}}, "cell.family.dim: input should be greater"),
        (
            {"cell": BASE | {"family": {"kind": "gausian"}}},
            "cell.family: unknown kind 'gausian'; did you mean 'gaussian'",
        ),
        (
            {"cell": BASE | {"family": {"kind": "linear", "dim": 30}}},
            "cell.rows: ols in dimension 30 needs at least 32 .*, not 20",
        ),
        (
            {"space": {"policy.kind": Grid(values=("replace", "token_edit"))}},
            r"policy: token_edit needs .* \(at policy.kind=",
        ),
    ],
)
def test_a_cell_that_cannot_be_is_refused_with_its_place(block: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        check(study(**block))
    assert "\n" not in str(caught.value)


def test_a_block_is_named_where_there_are_several() -> None:
    blocks = (Block(name="good", cell=BASE), Block(name="bad", cell=BASE | {"row": 3}))
    with pytest.raises(StudyError, match=r"^bad\.cell\.row: unknown key; did you mean 'rows'"):
        check(Study(name="s", blocks=blocks))


def test_a_study_of_too_many_cells_is_taken_for_a_mistake() -> None:
    huge = study(space={"seed": Grid(values=tuple(range(1000))), "rows": Grid(values=tuple(range(10, 1010)))})
    with pytest.raises(StudyError, match="space: the grids make 1,000,000 cells or more; the most is 100,000"):
        inner(huge, 0, {})


def test_put_makes_what_is_missing_on_the_way() -> None:
    raw: dict[str, Any] = {}
    put(raw, "a.b.c", 1)
    put(raw, "a.b.d", [2])
    assert raw == {"a": {"b": {"c": 1, "d": [2]}}}


@pytest.mark.parametrize(("seeds", "refused"), [(4, False), (5, True)])
def test_as_many_cells_as_the_most_are_no_more(seeds: int, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_spaces.expansion.points.MOST_CELLS", 4)
    made = study(space={"seed": Grid(values=tuple(range(seeds)))})
    for call in (check, expand):
        if refused:
            with pytest.raises(StudyError, match="the grids make 5 cells or more; the most is 4"):
                call(made)
        else:
            call(made)


def test_blocks_make_no_more_cells_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search_spaces.expansion.points.MOST_CELLS", 4)
    blocks = tuple(Block(cell=BASE | {"rows": rows}, space={"seed": Grid(values=(0, 1, 2))}) for rows in (20, 30))
    for call in (check, expand):
        with pytest.raises(StudyError, match=r"^s: more than 4 cells"):
            call(Study(name="s", blocks=blocks))
