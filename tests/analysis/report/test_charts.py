"""What a chart is given: its data, what is said beside the pointer, and the scale of its ordinate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.report import charts, style
from analysis.report.charts import Panel
from analysis.report.panels import side_by_side, span, wrap


def table(policies: tuple[str, ...] = ("replace", "accumulate"), **columns: Any) -> pd.DataFrame:
    """Two generations a policy, means 1 and 2."""
    rows = [{"policy": p, "x": x, "y": float(x), "low": x - 0.5, "high": x + 0.5} for p in policies for x in (1, 2)]
    return pd.DataFrame(rows).assign(**columns)


def panel(held: pd.DataFrame, **more: Any) -> Panel:
    return Panel("a title", held, "generation", "loss (nats)", **more)


def dumped(*panels: Panel, policies: tuple[str, ...] = ("replace", "accumulate")) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(charts.dump(panels, policies))
    return found


def layers(held: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = held["specs"][number]["layer"]
    return found


def ordinates(held: dict[str, Any], number: int = 0) -> list[dict[str, Any]]:
    return [layer["encoding"]["y"] for layer in layers(held, number) if "field" in layer["encoding"].get("y", {})]


def test_a_panel_has_its_data_by_column_and_its_lines_in_the_order_of_policies() -> None:
    (found,) = dumped(panel(table(("accumulate", "replace"))))["panels"]
    assert found["title"] == "a title"
    assert found["data"]["curves"] == {
        "policy": ["accumulate", "accumulate", "replace", "replace"], "x": [1, 2, 1, 2],
        "y": [1.0, 2.0, 1.0, 2.0], "low": [0.5, 1.5, 0.5, 1.5], "high": [1.5, 2.5, 1.5, 2.5],
    }  # fmt: skip
    assert found["lines"] == [["replace"], ["accumulate"]]
    assert found["data"]["said"] == {
        "x": [1, 2], "said0": ["1.0 [0.5, 1.5]", "2.0 [1.5, 2.5]"], "said1": ["1.0 [0.5, 1.5]", "2.0 [1.5, 2.5]"]
    }  # fmt: skip


def test_what_a_line_lacks_is_not_said_and_what_is_no_number_is_not_drawn() -> None:
    held = table().iloc[[1, 2, 3]].assign(y=[2.0, 1.23456789, np.inf], low=[np.nan, 1.0, np.nan])
    (found,) = dumped(panel(held))["panels"]
    assert found["data"]["said"] == {"x": [1, 2], "said0": [None, "2"], "said1": ["1.23 [1.00, 1.50]", "inf"]}
    assert found["data"]["curves"]["y"] == [2.0, 1.2346, None]
    assert found["data"]["curves"]["low"] == [None, 1.0, None]


@pytest.mark.parametrize(
    ("means", "linear", "floor"),
    [
        ([1.0, 50.0], False, None),
        ([1.0, 50.1], False, 0.5),
        ([1.0, 50.1], True, None),
        ([0.0, 50.1], False, None),
        ([-1.0, 60.0], False, None),
        ([0.123456, 100.0], False, 0.0617),
        ([np.nan, np.nan], False, None),
        ([np.inf, 1.0], False, None),
    ],
)
def test_an_ordinate_is_logarithmic_beyond_a_factor_of_fifty(
    means: list[float], linear: bool, floor: float | None
) -> None:
    """Its lower end is half of the least mean, and bounds below it end there."""
    held = table(("replace",)).assign(y=means, low=1e-9, high=2e3)
    found = dumped(panel(held, linear=linear))
    scales = [y["scale"] for y in ordinates(found)]
    expected = {"zero": False} if floor is None else {"type": "log", "domainMin": floor, "nice": False}
    assert all(scale == expected for scale in scales)
    assert found["panels"][0]["data"]["curves"]["low"] == [floor or 1e-9] * 2


def test_nothing_of_a_strangers_words_ends_the_script() -> None:
    held = table(("</script><b>", "replace"))
    text = charts.dump([panel(held, names={"family": "a\u2028b"})], ["</script><b>", "replace"])
    assert "<" not in text
    assert "\u2028" not in text
    found = json.loads(text)["panels"][0]
    assert (found["lines"], found["family"]) == ([["</script><b>"], ["replace"]], "a\u2028b")


def test_panels_that_look_alike_share_a_spec() -> None:
    found = dumped(panel(table()), panel(table(), linear=True), panel(table(), step=True))
    assert [one["spec"] for one in found["panels"]] == [0, 0, 1]
    assert len(found["specs"]) == len(found["axes"]) == 2
    marks = [[layer["mark"].get("interpolate") for layer in layers(found, i)] for i in (0, 1)]
    assert set(marks[0]) == {None}
    assert marks[1].count("step-after") == 2, "the line and its band"


@pytest.mark.parametrize(
    ("panels", "least"), [(1, "17rem"), (4, "17rem"), (5, "22rem"), (6, "22rem"), (7, "17rem"), (9, "22rem")]
)
def test_five_six_and_nine_panels_stand_three_in_a_row(panels: int, least: str) -> None:
    assert dumped(*[panel(table())] * panels)["least"] == least


def test_a_closed_form_is_a_dashed_line_where_there_is_one() -> None:
    without = dumped(panel(table(theory=np.nan)))
    assert "theory" not in without["panels"][0]["data"]["curves"]
    held = dumped(panel(table(theory=[0.5, np.nan, 1.0, 2.0])))
    assert held["panels"][0]["data"]["curves"]["theory"] == [0.5, None, 1.0, 2.0]
    assert len(layers(held)) == len(layers(without)) + 1
    (dashed,) = [layer for layer in layers(held) if layer["encoding"].get("y", {}).get("field") == "theory"]
    assert dashed["mark"]["strokeDash"] == [4, 3]


def test_policies_have_the_colours_of_the_page_and_studies_dashes() -> None:
    both = pd.concat([table(study="one"), table(study="two")])
    found = dumped(panel(both))
    looks = style.looks(["replace", "accumulate"])
    lines = [layer for layer in layers(found) if layer["mark"].get("strokeWidth") == 1.8]
    scale = lines[0]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["replace", "accumulate"]
    assert scale["range"] == [f"var(--c{3 + style.SERIES.index(looks[p].color)})" for p in scale["domain"]]
    assert lines[0]["encoding"]["strokeDash"]["scale"]["range"] == [[1, 0], [5, 2]]
    assert found["panels"][0]["lines"] == [
        ["replace", "one"], ["replace", "two"], ["accumulate", "one"], ["accumulate", "two"]
    ]  # fmt: skip
    assert found["panels"][0]["data"]["curves"]["study"] == ["one"] * 4 + ["two"] * 4


def test_words_on_the_abscissa_keep_their_order() -> None:
    held = table(("replace",)).assign(x=["0.5*", "0.1"])
    found = dumped(panel(held))
    assert found["panels"][0]["data"]["said"]["x"] == ["0.5*", "0.1"]
    assert layers(found)[0]["encoding"]["x"]["type"] == "ordinal"
    turned = table(("replace",)).iloc[::-1]
    assert dumped(panel(turned))["panels"][0]["data"]["said"]["x"] == [1, 2], "numbers rise"


def test_thin_lines_under_the_others_say_their_names() -> None:
    each = pd.DataFrame({"policy": "replace", "name": ["a", "a"], "x": [1, 2], "y": [0.123456789, np.nan]})
    found = dumped(panel(table(), each=each, linear=True))
    assert found["panels"][0]["data"]["each"] == {
        "policy": ["replace"] * 2, "name": ["a"] * 2, "x": [1, 2], "y": [0.12346, None]
    }  # fmt: skip
    thin = [layer for layer in layers(found) if layer.get("data", {}).get("name") == "each"]
    assert len(thin) == 1


@pytest.mark.parametrize(("panels", "columns"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (12, 3)])
def test_four_pictures_are_two_rows_of_two(panels: int, columns: int) -> None:
    assert side_by_side(panels) == columns


def test_the_abscissa_has_a_little_room() -> None:
    assert span(pd.DataFrame({"generation": [1, 26]})) == (0.0, 27.0)
    assert span(pd.DataFrame({"generation": [3, 3]})) == (2.5, 3.5)
    assert wrap("one two three four", 9) == "one two\nthree …"
    assert wrap("short") == "short"
