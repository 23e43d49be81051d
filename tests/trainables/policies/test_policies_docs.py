"""What docs/policies.md says is what the code does."""

import re
from pathlib import Path

import pytest
import yaml

from search_spaces import Study
from search_spaces.expansion import expand
from trainables import Cell
from trainables.policies import POLICIES
from trainables.recursion import Steps

PAGE = (Path(__file__).parents[3] / "docs" / "policies.md").read_text(encoding="utf-8")
EXAMPLE, NAMED, STUDY = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S))


def test_the_catalogue_is_complete():
    rows = [line.split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    assert [row[1].strip(" `") for row in rows if len(row) == 7] == ["kind", *POLICIES]


@pytest.mark.parametrize(("name", "composition"), NAMED, ids=[name["kind"] for name, _ in NAMED])
def test_the_compositions_are_the_named_policies(name, composition):
    for rows in (7, 100):
        cells = [
            Cell.model_validate({"family": {"kind": "gaussian"}, "policy": policy, "rows": rows})
            for policy in (composition, name)
        ]
        written, named = (Steps(cell) for cell in cells)
        assert [written.step(n).model for n in range(1, 9)] == [named.step(n).model for n in range(1, 9)]


def test_the_example_is_a_cell():
    cell = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": EXAMPLE, "rows": 100})
    recipe = cell.recipe(4)
    assert (recipe.sampling.rows, recipe.kept_rows) == (800, 200)
    assert [draw.rows for draw in recipe.draws] == [50, 25, 50]


def test_the_study_on_the_page_can_be_run():
    points = expand(Study.model_validate(STUDY))
    assert len(points) == 18
    assert {point.cell.generations for point in points} == {4}


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_defaults_are_as_printed(kind):
    """`name` symbol (default): every default in the table's third column."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind}` |"))
    fields = POLICIES.get(kind).model_fields
    for name, default in re.findall(r"`(\w+)`(?: \S+)? \(([\w.]+)\)", row.split("|")[3]):
        assert str(fields[name].default).lower() in (default, f"{default}.0"), name
