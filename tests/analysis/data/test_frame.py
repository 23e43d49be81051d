"""The tidy frame: what a cell is called by, what counts as its configuration, and which of its runs stands for it."""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest

from analysis.data import BROKEN, FORMER, IDENTITY, CellRun, Points, is_parameter, parameters, restore, short, tidy
from analysis.data.frame import arrange, configuration, flatten, policy_labels, told_apart
from analysis.data.runs import LARGEST, cell_runs
from tests.support import simulated


def test_nested_settings_become_dotted_paths_and_lists_their_text() -> None:
    cell = {"family": {"kind": "x", "layers": [1, 2], "source": {"path": "a", "rows": None}}, "seed": 3, "empty": {}}
    assert flatten(cell) == {
        "family.kind": "x",
        "family.layers": "[1, 2]",
        "family.source.path": "a",
        "family.source.rows": None,
        "seed": 3,
    }


def test_a_configuration_is_the_first_ten_digits_of_what_it_holds_in_any_order() -> None:
    cell = {
        "rows": 5,
        "family": {"kind": "x"},
        "policy": {"kind": "replace"},
        "seed": 1,
        "fork": None,
        "generations": 9,
    }
    text = '{"family": {"kind": "x"}, "rows": 5}'
    assert configuration(cell) == hashlib.sha256(text.encode()).hexdigest()[:10]
    assert configuration(dict(reversed(cell.items()))) == configuration(cell)


@pytest.mark.parametrize(
    ("column", "parameter", "configures"),
    [
        ("rows", False, True),
        ("replicates", False, True),
        ("family.dim", True, True),
        ("population.graph", True, True),
        ("policy.window", True, False),
        ("fork.generation", True, False),
        ("generations", True, False),
        ("generation", False, False),
        ("test_loss", False, False),
        ("familiar", False, False),
    ],
)
def test_which_columns_are_parameters_and_which_tell_configurations(
    column: str, parameter: bool, configures: bool
) -> None:
    assert is_parameter(column) is parameter
    assert (column in parameters(pd.DataFrame(columns=[column]))) is configures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1234.5, "1.23e+03"),
        (999999.0, "999999"),
        (1e6, "1e+06"),
        (-3.0, "-3"),
        (0.00012345, "0.000123"),
        (math.nan, ""),
        (7, "7"),
        ("word", "word"),
        ("", ""),
    ],
)
def test_a_value_has_three_digits_and_whole_numbers_all(value: object, text: str) -> None:
    assert short(value) == text


def told(*values: object) -> list[str]:
    return told_apart(pd.Series(values, dtype=object)).tolist()


def test_numbers_have_as_many_digits_as_the_closest_two_need() -> None:
    assert told(0.5, 0.25) == ["0.5", "0.25"]
    assert told(0.12344, 0.12346, 0.5) == ["0.1234", "0.1235", "0.5"]
    assert told(0.1 + 0.2, 0.3) == ["0.30000000000000004", "0.29999999999999999"]
    assert told(1000000.4, 1000000.6) == ["1000000", "1000001"]


def test_what_is_equal_is_called_alike_and_what_is_missing_by_nothing() -> None:
    assert told(1, 1.0, None, math.nan, "a", "a") == ["1", "1", "", "", "a", "a"]
    assert told(True, 1.0, False, 0, True) == ["True", "1", "False", "0", "True"]
    assert told() == []


def run(policy: dict[str, object], seed: int = 0, **tags: str) -> CellRun:
    cell = simulated.cell({"kind": "linear"}, policy, seed)
    return CellRun(f"{json.dumps(policy)}{seed}", simulated.tags("s", cell) | tags, json.dumps(cell))


def logged(*runs: CellRun) -> pd.DataFrame:
    points = Points()
    for one in runs:
        points.add(one.run, "test_loss", 1, 1.0)
    return tidy(runs, points)


def test_a_policy_is_named_by_those_of_its_settings_that_differ_in_this_frame() -> None:
    window = {"kind": "sliding_window", "window": 2, "how": "first"}
    frame = logged(run(window), run(window | {"window": 4}, 1), run({"kind": "replace", "window": None}, 2))
    assert frame.sort_values("seed")["policy"].tolist() == [
        "sliding_window(window=2)", "sliding_window(window=4)", "replace"
    ]  # fmt: skip
    assert logged(run(window), run(window, 1))["policy"].unique().tolist() == ["sliding_window"]


def test_a_fork_is_part_of_the_policys_name() -> None:
    table = pd.DataFrame(
        {"policy": ["replace"] * 2, "fork.generation": [np.nan, 3.0], "fork.policy.kind": [None, "mix"]}
    )
    assert policy_labels(table).tolist() == ["replace", "replace(fork.generation=3, fork.policy.kind=mix)"]


@pytest.mark.parametrize(("length", "whole"), [(60, True), (61, False)])
def test_a_name_of_more_than_sixty_characters_says_only_what_tells_apart(length: int, whole: bool) -> None:
    filled = length - len("mix(first=, second=y, third=z)")
    long = {"kind": "mix", "first": "x" * filled, "second": "y", "third": "z"}
    found = logged(run(long), run({"kind": "mix", "first": "a", "second": "b", "third": "c"}, 1)).sort_values("seed")
    name = f"mix(first={'x' * filled}, second=y, third=z)"
    assert len(name) == length
    shown = [name, "mix(first=a, second=b, third=c)"] if whole else [f"mix(first={'x' * filled})", "mix(first=a)"]
    assert found["policy"].tolist() == shown


def test_columns_and_rows_are_in_one_order() -> None:
    rows = {"study": "s", "cell": ["b", "a", "a"], "family": "f", "policy": "p", "config": "c", "seed": [1, 0, 0]}
    more = {"generation": [1, 2, 1], "test_loss": 1.0, "zeta": 1.0, "alpha": 2.0, "family.b": 1, "family.a": 1}
    frame = arrange(pd.DataFrame(rows | more | {"cell_config": "{}", "reason": ""}))
    assert list(frame.columns) == [*IDENTITY, "alpha", "zeta", "family.a", "family.b", "reason", "cell_config"]
    assert frame[["cell", "generation"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["b", 1]]
    assert frame["corpus_rows"].isna().all()
    assert frame.index.tolist() == [0, 1, 2]


def test_only_generations_with_a_loss_count_from_the_first_on() -> None:
    points = Points()
    one = run({"kind": "replace"})
    for step, name, value in ((0, "test_loss", 9.0), (1, "test_loss", 1.0), (1, "growth", 5.0), (2, "other", 7.0),
                              (3, "test_loss", math.nan), (3, "other", 8.0), (3, "other", 8.5)):  # fmt: skip
        points.add(one.run, name, step, value)
    frame = tidy([one], points)
    assert frame["generation"].tolist() == [1, 3], "a loss that was logged as no number was logged"
    np.testing.assert_array_equal(frame["other"], [np.nan, 8.5])
    assert "growth" not in frame


def test_a_failure_to_be_tried_again_is_told_from_one_for_good() -> None:
    frames = {
        error: logged(run({"kind": "replace"}, status="failed", error=error, reason="why"))
        for error in ("unexpected", "diverged")
    }
    assert {error: frame["status"].item() for error, frame in frames.items()} == {
        "unexpected": BROKEN, "diverged": "failed"
    }  # fmt: skip
    assert frames["diverged"]["reason"].item() == "why"
    assert logged(run({"kind": "replace"}, error="unexpected"))["status"].item() == "done"


def test_what_tags_do_not_say_is_taken_from_the_config() -> None:
    cell = simulated.cell({"kind": "linear"}, {"kind": "replace"}, 7)
    frame = logged(CellRun("r", {"study": "s", "cell": "k"}, json.dumps(cell)))
    assert frame[["family", "policy", "seed", "architecture", "size", "status"]].iloc[0].tolist() == [
        "linear", "replace", 7, "", "", ""
    ]  # fmt: skip


def test_a_config_that_is_no_json_names_its_run_and_study() -> None:
    with pytest.raises(ValueError, match=r"^config: run r of study 's' holds none that is JSON$"):
        tidy([CellRun("r", {"study": "s", "cell": "k"}, "")], Points())


def test_nothing_logged_is_an_empty_frame_with_every_column() -> None:
    for frame in (tidy([], Points()), tidy([run({"kind": "replace"})], Points())):
        assert frame.empty
        assert list(frame.columns) == list(IDENTITY)
    points = Points()
    points.add(run({"kind": "replace"}).run, "other", 1, 1.0)
    assert tidy([run({"kind": "replace"})], points).empty


@pytest.mark.parametrize(
    ("kept", "flag", "logged_"),
    [
        (LARGEST, False, math.inf),
        (-LARGEST, False, -math.inf),
        (1e308, False, 1e308),
        (0.5, 0, 0.5),
        (0.0, 1, math.nan),
    ],
)
def test_numbers_come_back_as_they_were_logged(kept: float, flag: bool, logged_: float) -> None:
    assert restore(kept, flag) == pytest.approx(logged_, nan_ok=True)


def test_cells_are_runs_with_a_cell_and_a_study() -> None:
    tags = {
        "one": {"cell": "a", "study": "s"},
        "other": {"cell": "b", "study": "t"},
        "parent": {"study": "s"},
        "nameless": {"cell": "c", "study": ""},
        "lost": {"cell": "d"},
        "former": {"cell": "e", "study": "s", FORMER: "1"},
    }
    assert list(cell_runs(tags, "s")) == ["one", "former"]
    assert list(cell_runs(tags, None)) == ["one", "other", "former"]
