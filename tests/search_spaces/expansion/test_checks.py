"""What of a study is built before it runs, how its cells are counted, and at which place a path is blamed."""

from __future__ import annotations

from typing import Any

import pytest

from search_spaces import Block, Choice, Grid, OptunaSearch, RandomSearch, Range, Study, StudyError, when
from search_spaces.expansion import check, inner, put
from search_spaces.expansion.points import combinations

BASE: dict[str, Any] = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 3}


def study(*blocks: dict[str, Any]) -> Study:
    return Study(name="s", blocks=tuple(Block(**{"cell": BASE} | block) for block in blocks))


@pytest.mark.parametrize(("most", "refused"), [(4, False), (3, True)])
def test_a_grid_that_does_not_apply_counts_once(most: int, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 0 alone, and seed 1 with three numbers of rows: four cells."""
    monkeypatch.setattr("search_spaces.expansion.points.MOST_CELLS", most)
    rows = when(Grid(values=(20, 30, 40)), {"seed": 1})
    made = study({"space": {"rows": rows, "seed": Grid(values=(0, 1))}})
    if refused:
        with pytest.raises(StudyError) as caught:
            combinations(made, 0, {})
        assert str(caught.value) == "space: the grids make 4 cells or more; the most is 3"
    else:
        assert combinations(made, 0, {}) == [{"seed": 0}, *({"seed": 1, "rows": rows} for rows in (20, 30, 40))]


def test_drawn_values_go_first_and_grids_multiply_them() -> None:
    made = study({"space": {"seed": Grid(values=(0, 1)), "rows": Range(low=5, high=50)}, "search": RandomSearch()})
    assert combinations(made, 0, {"rows": 7}) == [{"rows": 7, "seed": 0}, {"rows": 7, "seed": 1}]
    assert combinations(made, 0, {}) == [{"seed": 0}, {"seed": 1}], "what was not suggested stays the cell's own"


@pytest.mark.parametrize("search", [RandomSearch(num_samples=100_001), OptunaSearch(num_samples=100_001)])
def test_samples_are_counted_before_any_is_drawn(search: Any) -> None:
    block = {"space": {"rows": Range(low=5, high=50, integer=True)}, "search": search}
    line = "search.num_samples: 100,001 make more than 100,000 cells, the most"
    with pytest.raises(StudyError) as caught:
        check(study(block))
    assert str(caught.value) == line
    with pytest.raises(StudyError) as caught:
        check(study({}, block | {"name": "drawn"}))
    assert str(caught.value) == f"drawn.{line}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (Range(low=0, high=900, integer=True), 0),
        (Range(low=10, high=900, step=1.5), 10.5),
        (Choice(values=(5, 50, -7)), -7),
    ],
)
def test_ends_of_what_a_search_may_suggest_are_built_beforehand(word: Any, value: float) -> None:
    made = study({"space": {"rows": word, "seed": Grid(values=(0, 1))}, "search": OptunaSearch()})
    with pytest.raises(StudyError, match=rf"^space\.rows: .*, not {value}( \(and \d more\))?$"):
        check(made)


def test_the_upper_end_of_a_range_is_built_too() -> None:
    space = {"policy.ratio": Range(low=0.1, high=1.0001)}
    made = study({"cell": BASE | {"policy": {"kind": "ratio_mix"}}, "space": space, "search": OptunaSearch()})
    with pytest.raises(StudyError) as caught:
        check(made)
    assert str(caught.value) == "space.policy.ratio: input should be less than or equal to 1, not 1.0001"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.b.c.d", "a.b is 3, which has no 'c'"),
        ("a.b.c", "a.b is 3, which has no 'c'"),
        ("x.y.z", "x is [1], which has no 'y'"),
    ],
)
def test_a_path_through_what_is_no_mapping_is_told_by_where_it_ends(path: str, line: str) -> None:
    raw: dict[str, Any] = {"a": {"b": 3}, "x": [1]}
    with pytest.raises(ValueError, match=r".") as caught:
        put(raw, path, 1)
    assert str(caught.value) == line


def test_a_value_of_the_space_is_not_shared_by_the_cells_it_is_set_in() -> None:
    value = {"kind": "ratio_mix", "ratio": 0.5}
    raw: dict[str, Any] = {}
    put(raw, "policy", value)
    put(raw, "policy.ratio", 0.1)
    assert value["ratio"] == 0.5


def test_a_point_is_told_only_where_the_base_cell_alone_would_do() -> None:
    bad = BASE | {"rows": -3}
    with pytest.raises(StudyError) as caught:
        inner(study({"cell": bad, "space": {"seed": Grid(values=(0, 1))}}), 0, {})
    assert str(caught.value) == "cell.rows: input should be greater than or equal to 1, not -3"
    made = study({"space": {"family.dim": Grid(values=(30,)), "seed": Grid(values=(4,))}})
    with pytest.raises(StudyError) as caught:
        inner(made, 0, {})
    assert str(caught.value) == (
        "cell.rows: gaussian in dimension 30 needs at least 31 (dim + 1), not 20 (at family.dim=30, seed=4)"
    )
