"""Durations, sizes of memory, shares of devices, budgets, names: what is written, in which unit it is meant."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search_spaces import Block, Grid, Study
from search_spaces.resources import Resources
from search_spaces.resources import size as bytes_of
from search_spaces.study import PowerRequirement, StudyBudget, in_blocks, seconds
from trainables.config import explain

CELL: dict[str, Any] = {"family": {"kind": "gaussian"}}


def line(model: Any, raw: dict[str, Any]) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        model.model_validate(raw)
    return explain(caught.value, model)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90 min", 5400),
        ("1.5h", 5400),
        ("2 d", 172_800),
        ("45", 45),
        ("45 s", 45),
        (" 3 H ", 10_800),
        ("0.5min", 30),
        ("7.", 7),
        (12, 12),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_a_duration_is_seconds(text: Any, expected: float | None) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["soon", "h", "-3 h", "1 h 30 min", "3 weeks", "", "1e3", "3,5 h", "inf"])
def test_what_is_no_duration_is_told_with_one_that_is(text: str) -> None:
    assert line(StudyBudget, {"wall_time": text}) == (
        f"wall_time: {text!r} is no duration; say a number of seconds, or as in 90 min, 1.5 h, 2 d"
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("wall_time", "0 s", "wall_time: input should be greater than 0, not '0 s'"),
        ("cells", 0, "cells: input should be greater than or equal to 1, not 0"),
        ("cells", 1.5, "cells: input should be a valid integer, got a number with a fractional part, not 1.5"),
        ("generations", 0, "generations: input should be greater than or equal to 1, not 0"),
        ("flops", 0, "flops: input should be greater than 0, not 0"),
        ("flops", math.inf, "flops: input should be a finite number, not inf"),
    ],
)
def test_a_budget_leaves_something_to_run(field: str, value: Any, said: str) -> None:
    assert line(StudyBudget, {field: value}) == said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2GiB", 2_147_483_648),
        ("500 MB", 500_000_000),
        ("1 KiB", 1024),
        ("1 KB", 1000),
        ("1.5TB", 1_500_000_000_000),
        ("1TiB", 1_099_511_627_776),
        ("3 MiB", 3_145_728),
        ("2 GB", 2_000_000_000),
        ("7 B", 7),
    ],
)
def test_a_size_is_bytes_of_its_unit(text: str, expected: int) -> None:
    assert bytes_of(text) == expected
    assert Resources(memory=text).memory == expected  # type: ignore[arg-type]
    assert Resources(memory=expected).memory == expected


@pytest.mark.parametrize("text", ["2", "GiB", "2 gib", "-1 GB", "1e9 B", "2 GiB!", ""])
def test_what_is_no_size_is_told_with_one_that_is(text: str) -> None:
    assert line(Resources, {"memory": text}) == f"memory: a size such as 2GiB or 500MB is needed, not {text!r}"


@pytest.mark.parametrize("gpu", [0, 0.25, 1, 2, 8, "auto", None])
def test_a_gpu_is_a_share_whole_ones_or_auto(gpu: Any) -> None:
    assert Resources(gpu=gpu).gpu == gpu


@pytest.mark.parametrize(("gpu", "shown"), [(1.5, "1.5"), (-0.1, "-0.1"), (2.25, "2.25")])
def test_no_device_is_cut_beside_a_whole_one(gpu: float, shown: str) -> None:
    said = line(Resources, {"gpu": gpu})
    assert f"a share from 0 to 1, a whole number of GPUs, or auto is needed, not {shown}" in said


def test_what_a_block_leaves_out_is_taken_from_the_study() -> None:
    study = Resources(cpu=4, gpu=0.5, memory="1GB", accelerator="H100")  # type: ignore[arg-type]
    assert Resources().over(study) == study
    assert Resources(cpu=1, gpu=0).over(study) == Resources(cpu=1, gpu=0, memory=10**9, accelerator="H100")
    assert study.over(Resources(cpu=9)) == study


@pytest.mark.parametrize("name", ["H 100", "-L4", "", "A100/40G"])
def test_an_accelerator_is_named_as_ray_names_it(name: str) -> None:
    assert line(Resources, {"accelerator": name}).startswith("accelerator: string should match pattern")
    assert Resources(accelerator="A100-40G").accelerator == "A100-40G"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({}, "effect: missing"),
        ({"effect": 0}, "effect: input should be greater than 0, not 0"),
        ({"effect": 1, "power": 0.5}, "power: input should be greater than 0.5, not 0.5"),
        ({"effect": 1, "power": 1}, "power: input should be less than 1, not 1"),
        ({"effect": 1, "confidence": 0.4}, "confidence: input should be greater than or equal to 0.5, not 0.4"),
        ({"effect": 1, "deviation": 0}, "deviation: input should be greater than 0, not 0"),
        ({"effect": 1, "on": "growt"}, "on: input should be 'growth', 'gap' or 'verdict', not 'growt'"),
    ],
)
def test_a_power_requirement_can_be_met(raw: dict[str, Any], said: str) -> None:
    assert line(PowerRequirement, raw) == said


def test_a_requirement_of_before_there_were_truths_says_the_same() -> None:
    """A study that says nothing of the truth has the plain form that it had."""
    assert "truth" not in PowerRequirement(effect=1).canonical()
    assert PowerRequirement(effect=1, truth="logarithm").canonical()["truth"] == "logarithm"


def test_a_study_s_own_cell_space_and_search_are_its_only_block() -> None:
    raw = {"name": "s", "cell": CELL, "space": {"seed": {"grid": [0]}}, "scheduler": "asha", "budget": {"cells": 1}}
    found = in_blocks(raw)
    assert found == {
        "name": "s",
        "budget": {"cells": 1},
        "blocks": [{"cell": CELL, "space": {"seed": {"grid": [0]}}, "scheduler": "asha"}],
    }
    assert in_blocks({"name": "s", "blocks": []}) == {"name": "s", "blocks": []}
    with pytest.raises(ValueError, match=r"^blocks: give either blocks or cell, scheduler, not both$"):
        in_blocks({"cell": {}, "scheduler": "asha", "blocks": []})


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([{"cell": CELL, "name": "a b"}], "blocks.0.name: string should match pattern"),
        (
            [{"cell": CELL, "name": "x"}, {"cell": CELL}, {"cell": CELL, "name": "x"}],
            "blocks: two blocks are named 'x'",
        ),
        ([{"cell": CELL, "name": "budget"}], "blocks: a block can't be named 'budget', which is a field's name"),
        ([{"cell": CELL, "name": "space"}], "blocks: a block can't be named 'space', which is a field's name"),
        ([{"cell": CELL, "name": "seed"}], "blocks: a block can't be named 'seed', which is a field's name"),
        (
            [{"cell": CELL, "space": {"policy": {"grid": [1]}, "policy.kind": {"grid": ["replace"]}}}],
            "blocks.0.space.policy: policy.kind stands beside it, and each would undo the other; leave one of them out",
        ),
    ],
)
def test_blocks_are_told_apart_and_none_undoes_itself(blocks: list[dict[str, Any]], said: str) -> None:
    found = line(Study, {"name": "s", "blocks": blocks})
    assert found.startswith(said)


def test_several_blocks_may_have_no_name() -> None:
    block = Block(cell=CELL, space={"seed": Grid(values=(0,))})
    assert len(Study(name="a/b.c-d_1", blocks=(block, block)).blocks) == 2
    assert line(Study, {"name": "x" * 201, "cell": CELL}).startswith("name: string should have at most 200 characters")
