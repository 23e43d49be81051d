"""Conditional paths: the same in YAML and Python, in grids, draws and suggestions; mistakes are one line each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Choice, Grid, RandomSearch, Range, Study, StudyError, load_study, when
from search_spaces.expansion import expand, inner, random_draws
from search_spaces.space import parse_word

CELL: dict[str, Any] = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 2}
POLICIES = Grid(values=("replace", "ratio_mix"))


def study(space: dict[str, Any], **block: Any) -> Study:
    return Study(name="s", blocks=(Block(**{"cell": CELL, "space": space} | block),))


def test_a_conditional_grid_multiplies_only_where_it_applies() -> None:
    ratio = when({"grid": [0.25, 0.5]}, {"policy.kind": "ratio_mix"})
    points = expand(study({"policy.ratio": ratio, "policy.kind": POLICIES, "seed": Grid(values=(0, 1))}))
    assert [(p.cell.policy.kind, p.values.get("policy.ratio"), p.cell.seed) for p in points] == [
        ("replace", None, 0),
        ("replace", None, 1),
        ("ratio_mix", 0.25, 0),
        ("ratio_mix", 0.25, 1),
        ("ratio_mix", 0.5, 0),
        ("ratio_mix", 0.5, 1),
    ]


def test_a_drawn_path_that_hangs_on_a_grid_is_set_where_it_applies() -> None:
    ratio = when({"uniform": [0.1, 0.9]}, {"policy.kind": ["ratio_mix"]})
    made = study({"policy.kind": POLICIES, "policy.ratio": ratio}, search=RandomSearch(num_samples=3))
    points = expand(made)
    assert [p.cell.policy.kind for p in points] == ["replace", "ratio_mix", "ratio_mix", "ratio_mix"]
    assert len({p.values["policy.ratio"] for p in points[1:]}) == 3


def test_conditions_follow_each_other_and_several_must_all_agree() -> None:
    space = {
        "policy.kind": Choice(values=("replace", "sliding_window", "ratio_mix")),
        "policy.window": when({"choice": [2, 3]}, {"policy.kind": "sliding_window"}),
        "rows": when({"choice": [30, 40]}, {"policy.window": 3, "seed": [1, 2]}),
        "seed": Choice(values=(0, 1, 2)),
    }
    block = study(space, search=RandomSearch(num_samples=60)).blocks[0]
    draws = list(random_draws(block, 60, 0))
    assert any("rows" in drawn for drawn in draws)
    for drawn in draws:
        assert ("policy.window" in drawn) is (drawn["policy.kind"] == "sliding_window")
        assert ("rows" in drawn) is (drawn.get("policy.window") == 3 and drawn["seed"] in (1, 2))


def test_a_path_that_does_not_apply_keeps_the_cells_own_value() -> None:
    rows = when(Choice(values=(50,)), {"seed": 1})
    made = study({"seed": Choice(values=(0, 1)), "rows": rows}, search=RandomSearch(num_samples=9))
    assert {(p.cell.seed, p.cell.rows) for p in expand(made)} == {(0, 20), (1, 50)}


def test_a_condition_may_name_a_part_of_a_path_that_is_set_whole() -> None:
    policy = Grid(values=({"kind": "replace"}, {"kind": "sliding_window", "window": 2}))
    made = study({"policy": policy, "rows": when({"grid": [20, 40]}, {"policy.window": 2})})
    assert [(p.cell.policy.kind, p.cell.rows) for p in inner(made, 0, {})] == [
        ("replace", 20),
        ("sliding_window", 20),
        ("sliding_window", 40),
    ]


def test_yaml_says_it_in_one_line_and_the_plain_form_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(YAML)
    made = load_study(str(path))
    assert made.blocks[0].space["policy.ratio"].when == {"policy.kind": ("ratio_mix",)}
    assert Study.model_validate(made.canonical()) == made
    word = made.blocks[0].space["policy.ratio"]
    assert parse_word(word.model_dump()) == word


def test_an_override_that_fixes_the_condition_drops_what_no_longer_applies(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(YAML)
    assert [p.cell.policy.kind for p in expand(load_study(str(path), ["policy.kind=replace"]))] == ["replace"]
    assert len(expand(load_study(str(path), ["policy.kind=ratio_mix"]))) == 2
    changed = load_study(str(path), ["policy.ratio={grid: [0.3], when: {policy.kind: ratio_mix}}"])
    assert [p.values.get("policy.ratio") for p in expand(changed)] == [None, 0.3]


YAML = """\
cell: {family: {kind: gaussian}, policy: {kind: replace}}
space:
  policy.kind: {grid: [replace, ratio_mix]}
  policy.ratio: {grid: [0.25, 0.5], when: {policy.kind: ratio_mix}}
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("{policy.kind: ratio_mix}", "{policy.knd: ratio_mix}"),
            "there is no 'policy.knd' in the space or in the cell; did",
        ),
        (
            ("{policy.kind: ratio_mix}", "{policy.kind: ratio_mx}"),
            "policy.kind is never 'ratio_mx' (it is one of replace,",
        ),
        (
            ("{policy.kind: ratio_mix}", "{family.kind: kde}"),
            "family.kind is 'gaussian' in the cell, so this never holds",
        ),
        (("{policy.kind: ratio_mix}", "{policy.ratio: 0.5}"), "policy.ratio"),
        (("{policy.kind: ratio_mix}", "{}"), "needs paths with their values"),
        (("{policy.kind: ratio_mix}", "ratio_mix"), "needs paths with their values, as in {policy.kind: ratio_mix}"),
        (("{policy.kind: ratio_mix}", "{policy.kind: []}"), "policy.kind: the list is empty"),
        (("[0.25, 0.5]", "[0.25, 1.5]"), "space.policy.ratio: "),
        (("when:", "wen:"), "needs one word with its values"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "s.yaml"
    assert change[0] in YAML
    path.write_text(YAML.replace(*change))
    with pytest.raises(StudyError) as caught:
        load_study(str(path))
    said = str(caught.value)
    assert said.startswith(f"{path}:4: space.policy.ratio: ")
    assert message in said
    assert "\n" not in said


def test_conditions_that_wait_for_each_other_and_on_ranges_are_refused() -> None:
    one, other = when(Grid(values=(20, 40)), {"seed": 1}), when(Grid(values=(0, 1)), {"rows": 20})
    with pytest.raises(ValueError, match="wait for each other"):
        study({"rows": one, "seed": other})
    with pytest.raises(ValueError, match=r"space.seed: when: rows is drawn from randint; a condition needs a grid"):
        study({"rows": Range(low=5, high=9, integer=True), "seed": other}, search=RandomSearch())


def test_conditions_are_of_paths_and_of_their_parts() -> None:
    """A whole policy decides what is asked of its kind, and a kind that is set what is asked of a whole policy."""
    ratio = {"kind": "ratio_mix", "ratio": 0.5}
    whole = Grid(values=({"kind": "replace"}, ratio))
    points = expand(study({"seed": when(Grid(values=(0, 1)), {"policy.kind": "ratio_mix"}), "policy": whole}))
    assert [(p.cell.policy.kind, p.values.get("seed")) for p in points] == [
        ("replace", None),
        ("ratio_mix", 0),
        ("ratio_mix", 1),
    ]
    for path, other in (("policy", "policy.kind"), ("policy.ratio", "policy"), ("seed", "seed")):
        with pytest.raises(ValueError, match=rf"space.{path}: when: {path} can't depend on itself"):
            study({path: when(Grid(values=(0, 1)), {other: 1})})


def test_a_path_that_is_not_there_is_told_with_the_nearest_of_the_cell_and_of_the_space() -> None:
    for near, known in (
        ("family.kimd", "family.kind"),
        ("generation", "generations"),
        ("policy.ratoi", "policy.ratio"),
    ):
        space = {"policy.ratio": Grid(values=(0.5,)), "seed": when(Grid(values=(0, 1)), {near: 1})}
        with pytest.raises(ValueError, match=rf"there is no '{near}' .*did you mean '{known}'"):
            study(space)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (Range(low=0, high=900, integer=True), "space.rows: input should be greater than or equal to 1, not 0"),
        (Choice(values=(5, -5)), "space.rows: input should be greater than or equal to 1, not -5"),
    ],
)
def test_every_bound_of_an_open_search_is_tried_before_anything_runs(word: Any, message: str) -> None:
    from search_spaces import OptunaSearch
    from search_spaces.expansion import check

    with pytest.raises(StudyError, match=message):
        check(study({"rows": word}, search=OptunaSearch()))
