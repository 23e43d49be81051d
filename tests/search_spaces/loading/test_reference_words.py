"""The page of reference says in words what a JSON schema says of a field; what a template and a difference say."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from search_spaces import Study
from search_spaces.loading import differences, reference_page, study_template
from search_spaces.loading.reference import _legal, _rows
from trainables.families import FAMILIES

PARTS: dict[str, Any] = {
    "Ridge": {"title": "Ridge", "properties": {"kind": {"const": "ridge"}}},
    "Fork": {"title": "Fork", "properties": {"generation": {}}},
    "Bare": {},
}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"type": "integer"}, "whole number"),
        ({"type": "integer", "minimum": 1}, "whole number ≥ 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number > 0, ≤ 1"),
        ({"type": "number", "minimum": 0.5, "exclusiveMaximum": 1e6}, "number ≥ 0.5, < 1e+06"),
        ({"type": "string", "pattern": "^a|b$"}, "text matches `^a\\|b$`"),
        ({"type": "boolean"}, "true, false"),
        ({"enum": ["a", "b", 3]}, '`"a"`, `"b"`, `3`'),
        ({"const": "x|y"}, '`"x\\|y"`'),
        ({"type": "array"}, "list"),
        ({"type": "array", "items": {"type": "integer"}}, "list of whole number"),
        ({"type": "object"}, "mapping"),
        ({"type": "object", "additionalProperties": True}, "mapping"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "mapping to number"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, "whole number ≥ 1 or null"),
        ({"oneOf": [{"$ref": "#/$defs/Ridge"}, {"$ref": "#/$defs/Fork"}]}, "`ridge` or Fork"),
        ({"anyOf": [{"type": "string"}, {"type": "string"}]}, "text"),
        ({"$ref": "#/$defs/Bare"}, "mapping"),
        ({}, "anything"),
    ],
)
def test_what_a_field_takes_is_said_in_words(field: dict[str, Any], words: str) -> None:
    assert _legal(field, PARTS) == words


def test_a_row_says_the_default_and_that_there_is_none_or_that_it_is_required() -> None:
    schema = {
        "required": ["path"],
        "properties": {
            "kind": {"const": "x"},
            "path": {"type": "string", "description": "where | it lies"},
            "rows": {"type": "integer", "default": 3},
            "more": {"type": "integer"},
            "word": {"type": "string", "default": "a|ü"},
        },
    }
    assert list(_rows(schema)) == [
        "| `path` | required | text | where \\| it lies |",
        "| `rows` | `3` | whole number |  |",
        "| `more` | none | whole number |  |",
        '| `word` | `"a\\|ü"` | text |  |',
    ]


def test_the_page_says_that_rows_and_generations_are_the_family_s_and_which_figures_are_better_high() -> None:
    page = reference_page()
    cell = page.split("### `cell`\n")[1].split("### ")[0]
    rows = {line.split("`")[1]: line for line in cell.splitlines() if line.startswith("| `")}
    assert "| the family's |" in rows["rows"]
    assert "| the family's |" in rows["generations"]
    assert "| required |" in rows["family"]
    assert "| `0` |" in rows["seed"]
    gaussian = page.split("### `gaussian`\n")[1].split("### ")[0]
    figures = {
        line.split("`")[1]: [part.strip() for part in line.split("|")[1:-1]]
        for line in gaussian.splitlines()
        if line.count("|") == 6 and "`" in line
    }
    assert figures["test_loss"][2:4] == ["nats per row", "lower"]
    assert figures["trace_ratio"][3:] == ["higher", "spread"], "collapse is where the variance goes to 0"


@pytest.mark.parametrize("family", ["gaussian", "language", "vae"])
def test_a_template_says_what_the_family_finds_sensible_unless_it_is_told(family: str) -> None:
    config = FAMILIES.get(family)
    raw = yaml.safe_load(study_template(family, "x"))
    assert (raw["cell"]["rows"], raw["cell"]["generations"]) == (config.default_rows, config.default_generations)
    assert raw["space"] == {"policy.kind": {"grid": ["replace", "accumulate"]}, "seed": {"grid": [0, 1, 2]}}
    told = yaml.safe_load(study_template(family, 'a "b"', policies=("replace",), seeds=1, generations=7))
    assert (told["name"], told["cell"]["generations"], told["space"]["seed"]) == ('a "b"', 7, {"grid": [0]})
    assert told["description"] == f"{family} models under 1 policies"


@pytest.mark.parametrize(
    ("family", "drawn"),
    [("gaussian", "rows: {lograndint: [50, 500]}"), ("vae", "family.learning_rate: {loguniform: [1.0e-3, 1.0e-2]}")],
)
def test_a_template_shows_a_path_that_can_be_drawn(family: str, drawn: str) -> None:
    """Half to five times the default rows, of families without a learning rate."""
    assert f"# {drawn}" in study_template(family, "x")


def test_a_difference_of_three_studies_has_a_value_of_each_and_none_where_one_says_nothing() -> None:
    def made(**cell: Any) -> Study:
        family = {"kind": "gaussian"} | cell.pop("family", {})
        return Study.model_validate({"name": "s", "blocks": [{"name": "b", "cell": {"family": family} | cell}]})

    found = differences(made(rows=5), made(rows=5, family={"dim": 2}), made(rows=6))
    assert {one.path: one.values for one in found} == {"b.cell.rows": (5, 5, 6), "b.cell.family.dim": (None, 2, None)}


def test_blocks_without_names_are_paired_by_their_numbers() -> None:
    def made(*rows: int) -> Study:
        blocks = [{"cell": {"family": {"kind": "gaussian"}, "rows": number}} for number in rows]
        return Study.model_validate({"name": "s", "blocks": blocks})

    assert {one.path: one.values for one in differences(made(5, 6), made(5, 7))} == {"blocks.1.cell.rows": (6, 7)}
    one_more = {one.path: one.values for one in differences(made(5), made(5, 7))}
    assert one_more["cell.rows"] == (5, None)
    assert one_more["blocks.1.cell.rows"] == (None, 7)
