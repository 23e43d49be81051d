"""`-o key=value`: which part of a study each key changes, what it takes away, and what it leaves."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from search_spaces import StudyError
from search_spaces.loading.overrides import apply_overrides

STUDY: dict[str, Any] = {
    "name": "s",
    "blocks": [
        {
            "name": "one",
            "cell": {"family": {"kind": "linear", "dim": 3}, "rows": 40},
            "space": {"seed": {"grid": [0, 1]}, "policy.kind": {"grid": ["replace", "ratio_mix"]}},
        },
        {
            "name": "two",
            "cell": {"family": {"kind": "gaussian"}, "rows": 20},
            "space": {
                "policy.kind": {"grid": ["replace", "ratio_mix"]},
                "policy.ratio": {"grid": [0.25, 0.5], "when": {"policy.kind": ["ratio_mix"]}},
            },
        },
    ],
}


def changed(*overrides: str) -> dict[str, Any]:
    raw = copy.deepcopy(STUDY)
    apply_overrides(raw, overrides)
    return raw


def blocks(*overrides: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = changed(*overrides)["blocks"]
    return found


def test_no_overrides_change_nothing() -> None:
    assert changed() == STUDY


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("name=other", ["name"], "other"),
        ("description=of rows", ["description"], "of rows"),
        ("budget.cells=3", ["budget", "cells"], 3),
        ("budget={wall_time: 90 min}", ["budget", "wall_time"], "90 min"),
        ("resources.gpu=0.5", ["resources", "gpu"], 0.5),
        ("require_power.effect=0.1", ["require_power", "effect"], 0.1),
    ],
)
def test_a_field_of_the_study_is_set_once(override: str, path: list[str], value: Any) -> None:
    found = changed(override)
    held: Any = found
    for name in path:
        held = held[name]
    assert held == value
    assert found["blocks"] == STUDY["blocks"]


@pytest.mark.parametrize(
    ("override", "cells"),
    [
        ("rows=7", [{"rows": 7}, {"rows": 7}]),
        ("cell.rows=7", [{"rows": 7}, {"rows": 7}]),
        ("one.rows=7", [{"rows": 7}, {"rows": 20}]),
        ("two.cell.rows=7", [{"rows": 40}, {"rows": 7}]),
        ("family.dim=9", [{"family": {"kind": "linear", "dim": 9}}, {"family": {"kind": "gaussian", "dim": 9}}]),
        ("fork={generation: 2}", [{"fork": {"generation": 2}}] * 2),
        ("one.family.noise=1e-3", [{"family": {"kind": "linear", "dim": 3, "noise": "1e-3"}}, {}]),
    ],
)
def test_a_field_of_a_cell_is_set_in_every_block_or_in_the_one_that_is_named(
    override: str, cells: list[dict[str, Any]]
) -> None:
    for block, before, cell in zip(blocks(override), STUDY["blocks"], cells, strict=True):
        assert block["cell"] == before["cell"] | cell
        assert block["space"] == before["space"]


def test_a_field_that_is_fixed_no_longer_varies_nor_do_its_parts() -> None:
    one, two = blocks("policy={kind: replace}")
    assert (list(one["space"]), list(two["space"])) == (["seed"], [])
    assert one["cell"]["policy"] == {"kind": "replace"}
    assert list(blocks("seed=3")[0]["space"]) == ["policy.kind"]
    assert blocks("seed=3")[0]["cell"]["seed"] == 3


def test_what_hangs_on_a_value_that_is_fixed_to_another_goes_and_stays_where_it_holds() -> None:
    assert list(blocks("two.policy.kind=replace")[1]["space"]) == []
    assert list(blocks("two.policy.kind=ratio_mix")[1]["space"]) == ["policy.ratio"]
    assert list(blocks("two.seed=1")[1]["space"]) == ["policy.kind", "policy.ratio"], "a condition on something else"


def test_a_condition_on_one_value_holds_where_that_value_is_fixed() -> None:
    raw = copy.deepcopy(STUDY)
    raw["blocks"][1]["space"]["policy.ratio"]["when"] = {"policy.kind": "ratio_mix"}
    apply_overrides(raw, ["policy.kind=ratio_mix"])
    assert list(raw["blocks"][1]["space"]) == ["policy.ratio"]


@pytest.mark.parametrize(
    "word",
    [
        "{grid: [1, 2]}",
        "{loguniform: [1, 2]}",
        "{choice: [1, 2], when: {seed: 0}}",
    ],
)
def test_a_word_makes_a_field_vary_and_leaves_the_cell(word: str) -> None:
    one, two = blocks(f"rows={word}")
    for block, before in ((one, STUDY["blocks"][0]), (two, STUDY["blocks"][1])):
        assert block["cell"] == before["cell"]
        assert set(block["space"]) == {*before["space"], "rows"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{kind: linear, grid: 3}", {"kind": "linear", "grid": 3}),
        ("{when: {seed: 1}}", {"when": {"seed": 1}}),
        ("{kind: linear}", {"kind": "linear"}),
        ("[1, 2]", [1, 2]),
    ],
)
def test_what_is_no_word_alone_is_a_value(text: str, value: Any) -> None:
    assert blocks(f"family={text}")[0]["cell"]["family"] == value
    assert "family" not in blocks(f"family={text}")[0]["space"]


def test_a_path_of_the_space_is_set_whole_with_its_dots() -> None:
    one, two = blocks("space.family.dim={grid: [1]}")
    assert one["space"]["family.dim"] == two["space"]["family.dim"] == {"grid": [1]}
    only, other = blocks("two.space.seed={grid: [9]}")
    assert (only["space"]["seed"], other["space"]["seed"]) == ({"grid": [0, 1]}, {"grid": [9]})
    assert blocks("space={seed: {grid: [5]}}")[1]["space"] == {"seed": {"grid": [5]}}


def test_search_scheduler_and_resources_of_a_block_are_set_by_path() -> None:
    one, two = blocks("search.kind=random", "search.num_samples=4", "two.resources.cpu=2", "one.scheduler=asha")
    assert one["search"] == two["search"] == {"kind": "random", "num_samples": 4}
    assert ("resources" in one, two["resources"]) == (False, {"cpu": 2})
    assert (one["scheduler"], "scheduler" in two) == ("asha", False)


def test_overrides_are_applied_in_their_order() -> None:
    assert blocks("rows={grid: [1]}", "rows=5")[0]["cell"]["rows"] == 5
    assert "rows" not in blocks("rows={grid: [1]}", "rows=5")[0]["space"]
    assert "rows" in blocks("rows=5", "rows={grid: [1]}")[0]["space"]


def test_a_value_may_hold_equals_signs_and_be_empty() -> None:
    assert changed("description=a=b")["description"] == "a=b"
    assert changed("description=")["description"] is None
    assert changed("description='yes'")["description"] == "yes"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rows", "needs key=value, as in -o rows=50"),
        ("=3", "needs key=value, as in -o rows=50"),
        ("", "needs key=value, as in -o rows=50"),
        ("rows={", "the value is not valid YAML"),
        ("rwos=3", "unknown key 'rwos'; did you mean 'rows'? (known: "),
        ("three.rows=3", "unknown key 'three'"),
        ("one=3", "unknown key 'one'"),
        ("two.rwos=3", "unknown key 'rwos'; did you mean 'rows'? (known: "),
        ("policy.kind.x=3", "the study's space sets policy.kind as a whole; say -o space.policy.kind=… instead"),
        ("rows.x=3", "rows is 40, which has no 'x'"),
        ("name.x=3", "name is 's', which has no 'x'"),
    ],
)
def test_a_key_that_is_none_is_told_with_what_was_typed(override: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        changed(override)
    assert str(caught.value).startswith(f"-o {override}: {said}")
    assert "\n" not in str(caught.value)
