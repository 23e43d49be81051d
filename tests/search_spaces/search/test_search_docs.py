"""What docs/howto/search.md says is what the code takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces.loading.study import study_from
from search_spaces.search import OBJECTIVES, SCHEDULERS, SEARCHES
from search_spaces.search.samplers import SAMPLERS
from sweep.search.objectives import parse

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "search.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)]


@pytest.mark.parametrize("raw", BLOCKS, ids=[raw["name"] for raw in BLOCKS])
def test_every_study_on_the_page_can_be_run(raw: dict[str, Any]) -> None:
    study = study_from(raw, "search.md")
    for block in study.blocks:
        for name in getattr(block.search, "objectives", ()):
            parse(name)


def rows(heading: str) -> list[list[str]]:
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in part.splitlines() if line.startswith("| `")]


def test_samplers_and_schedulers_are_all_there_with_their_defaults() -> None:
    for heading, registry in (("Samplers", SAMPLERS), ("Schedulers", SCHEDULERS)):
        found = {row[0].strip("`"): row[-1] for row in rows(heading)}
        assert list(found) == list(registry)
        for kind, options in found.items():
            fields = registry.get(kind).model_fields
            named = re.findall(r"`(\w+)`(?:[^(,`]*\(([^),]+))?", options)
            own = set(fields) - {"kind", "metric", "mode", "grace"}
            assert {name for name, _ in named} == own, kind
            for name, default in named:
                assert str(fields[name].default).lower() in (default, "none", f"{default}.0"), (kind, name)


def test_objectives_are_all_there() -> None:
    named = [name for row in rows("Objectives") for name in re.findall(r"`([^`]+)`", row[0])]
    assert {parse(name).statistic for name in named} == set(OBJECTIVES)


def test_every_key_of_a_search_is_on_the_page() -> None:
    for kind in ("grid", "random", "optuna"):
        for key in SEARCHES.get(kind).model_fields:
            assert re.search(rf"\b{key}\b", PAGE), (kind, key)
