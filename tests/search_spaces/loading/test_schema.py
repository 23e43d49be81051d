"""JSON schemas: they take every study there is, refuse what the loader refuses by name, and their files are current."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from search_spaces import StudyError, load_study
from search_spaces.loading import SCHEMA_FILES, SCHEMAS, load_cell, reference_page, schema_text
from search_spaces.loading.yaml_lines import parse
from search_spaces.studies import STUDIES, named_study
from trainables.cell import Cell
from trainables.families import FAMILIES
from trainables.policies import POLICIES

DOCS = Path(__file__).parents[3] / "docs"
CHECK = {what: Draft202012Validator(make()) for what, make in SCHEMAS.items()}


def wrong(what: str, data: Any) -> str:
    """The deepest reason why a schema refuses; empty where it takes it."""
    reasons = sorted(CHECK[what].iter_errors(data), key=lambda e: str(e.path))
    return "; ".join(f"{'.'.join(map(str, error.path))}: {error.message}"[:300] for error in reasons)


def study(**more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "cell": {"family": {"kind": "gaussian"}},
        "space": {"policy.kind": {"grid": ["replace"]}},
    } | more


@pytest.mark.parametrize("what", sorted(SCHEMAS))
def test_the_files_are_current(what: str) -> None:
    """`make schemas` writes them."""
    assert (SCHEMA_FILES / f"{what}.schema.json").read_text(encoding="utf-8") == schema_text(what)
    Draft202012Validator.check_schema(SCHEMAS[what]())


def test_the_page_of_reference_is_current_and_names_everything() -> None:
    """`make schemas` writes it."""
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert page.rstrip() == reference_page().rstrip()
    for kind in (*FAMILIES, *POLICIES):
        assert f"### `{kind}`" in page
    for name in FAMILIES.get("language").model_fields:
        assert name == "kind" or f"| `{name}` |" in page


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_named_studies_are_taken(name: str) -> None:
    assert wrong("study", json.loads(json.dumps(named_study(name).canonical()))) == ""


def test_studies_on_the_pages_are_taken() -> None:
    found = 0
    for page in DOCS.rglob("*.md"):
        for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
            try:
                load, _ = parse(block, page.name)
            except StudyError:
                continue
            if isinstance(load, dict) and ("cell" in load or "blocks" in load):
                found += 1
                assert wrong("study", load) == "", f"{page.name}: {block}"
    assert found >= 4


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_cells_of_every_family_are_taken_by_both(kind: str) -> None:
    cell = json.loads(Cell.model_validate({"family": {"kind": kind}, "policy": {"kind": "replace"}}).model_dump_json())
    assert wrong("cell", cell) == ""
    assert wrong("cell", {"family": {"kind": kind}, "policy": {"kind": "accumulate"}}) == ""
    assert wrong("study", {"cell": cell, "space": {"seed": {"grid": [0, 1]}}}) == ""


@pytest.mark.parametrize(
    "more",
    [
        {"search": {"kind": "optuna", "sampler": "gp"}, "scheduler": "asha"},
        {"search": {"kind": "optuna", "sampler": {"kind": "cmaes", "sigma0": 0.2}, "objective": ["growth", "flops"]}},
        {"budget": {"wall_time": "90 min"}, "resources": {"memory": "2GiB", "gpu": "auto"}},
        {"space": {"family.dim": {"qrandint": [1, 9, 2], "when": {"policy.kind": "replace"}}}},
        {"cell": {"family": {"dim": 3}}, "space": {"family.kind": {"grid": ["gaussian", "linear"]}}},
        {"tune_first": {"params": {"learning_rate": {"loguniform": [1e-3, 1e-2]}}, "on": "generation 1"}},
        {"$schema": "study.schema.json"},
    ],
)
def test_short_forms_are_taken(more: dict[str, Any]) -> None:
    assert wrong("study", study(**more)) == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("nmae",), "s"),
        (("blocks",), [{"cell": {}}]),
        (("cell", "rows"), 0),
        (("cell", "family"), {"kind": "gausian"}),
        (("cell", "family"), {"kind": "gaussian", "dimension": 3}),
        (("cell", "policy"), {"kind": "ratio_mix", "ratio": 2}),
        (("space", "seed"), {"grids": [0, 1]}),
        (("space", "seed"), {"grid": [0], "choice": [1]}),
        (("space", "seed"), [0, 1]),
        (("search",), {"kind": "optuna", "sampler": "tpee"}),
        (("search",), {"kind": "optuna", "num_sample": 3}),
        (("scheduler",), "ashes"),
        (("budget",), {"wall_time": "soon"}),
    ],
)
def test_mistakes_are_refused(path: tuple[str, ...], value: Any) -> None:
    data = copy.deepcopy(study())
    held: Any = data
    for name in path[:-1]:
        held = held[name]
    held[path[-1]] = value
    assert wrong("study", data) != ""


def test_a_cell_needs_a_family_and_a_source_its_path() -> None:
    assert "family" in wrong("cell", {"policy": {"kind": "replace"}})
    assert wrong("cell", {"family": {"kind": "language", "source": {"kind": "text"}}, "policy": {"kind": "replace"}})


def test_fields_say_what_they_mean() -> None:
    parts = SCHEMAS["study"]()["$defs"]
    assert parts["LanguageConfig"]["properties"]["temperature"]["description"].startswith("of sampling")
    assert parts["TextFile"]["properties"]["path"]["description"].startswith("the file.")
    assert parts["Digits"]["properties"]["validation"]["description"].startswith("shares held out"), "said of the base"
    assert "Attributes:" not in json.dumps(parts), "said once, at each field"


def test_a_file_may_name_its_schema(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump({"$schema": "https://example.org/study.json"} | study()))
    assert load_study(str(file)).name == "s"
    cell = {"$schema": "./cell.schema.json", "family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}
    file.write_text(yaml.safe_dump(cell))
    assert load_cell(file).family.kind == "gaussian"
