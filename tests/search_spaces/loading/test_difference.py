"""`diff` names every setting at which studies part, defaults written out, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from search_spaces import Study
from search_spaces.loading import differences
from search_spaces.studies import named_study
from sweep.commands.diff import diff


def study(**more: Any) -> Study:
    cell = {"family": {"kind": "gaussian"}, "rows": 20}
    return Study.model_validate({"name": "s", "cell": cell, "space": {"seed": {"grid": [0, 1]}}} | more)


def found(*studies: Study) -> dict[str, tuple[Any, ...]]:
    return {one.path: one.values for one in differences(*studies)}


def test_equal_studies_do_not_differ() -> None:
    assert found(study(), study(), study()) == {}


def test_a_default_is_told_where_the_other_says_something() -> None:
    other = study(budget={"cells": 3}, search={"kind": "random", "num_samples": 4}, space={"rows": {"randint": [1, 9]}})
    assert found(study(), other) == {
        "budget.cells": (None, 3),
        "space.seed": ({"grid": [0, 1]}, None),
        "space.rows": (None, {"randint": [1, 9]}),
        "search.kind": ("grid", "random"),
        "search.num_samples": (None, 4),
        "search.seed": (None, 0),
    }


def test_blocks_are_paired_by_name() -> None:
    def blocks(*names: str) -> Study:
        held = [{"name": name, "cell": {"family": {"kind": name}}} for name in names]
        return Study.model_validate({"name": "s", "blocks": held})

    assert found(blocks("linear", "kde"), blocks("kde", "linear")) == {}


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert diff("laptop/linear", "paper/linear", json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["setting", "laptop/linear", "paper/linear"]
    assert diff("laptop/linear", "paper/linear", json=True) == 0
    plain = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in plain] == [line.split()[0] for line in lines[1:]]
    assert {one["path"]: one["values"] for one in plain}["name"] == ["laptop/linear", "paper/linear"]
    assert diff("quickstart", "quickstart", json=False) == 0
    assert "say the same" in capsys.readouterr().out
    assert named_study("quickstart").name == "quickstart"
