"""Studies from names, YAML files and functions; every mistake is one line that says where and what would be right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces import OptunaSearch, Study, StudyError, load_study
from search_spaces.expansion import expand
from search_spaces.loading import load_cell
from search_spaces.studies import STUDIES, named_study

GOOD = """\
name: mine
cell: {family: {kind: gaussian}, policy: {kind: replace}, rows: 50}
space:
  seed: {grid: [0, 1]}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_yaml_of_the_design_is_a_study(tmp_path: Path) -> None:
    text = """\
name: my-study
cell:   {family: {kind: language, architecture: llama}, generations: 4, seed: 0}
space:
  policy.kind: {grid: [replace, accumulate]}
  family.learning_rate: {loguniform: [1.0e-4, 1.0e-2]}
  seed: {grid: [0, 1, 2]}
search: {kind: optuna, sampler: tpe, num_samples: 40, objective: growth, mode: max, seed: 1}
"""
    study = load_study(write(tmp_path, text))
    search = study.blocks[0].search
    assert isinstance(search, OptunaSearch)
    assert (search.num_samples, search.objective, search.mode, search.seed) == (40, "growth", "max", 1)
    assert Study.model_validate(study.canonical()) == study, "its plain form is the study again"


def test_a_file_without_a_name_is_named_after_the_file(tmp_path: Path) -> None:
    assert load_study(write(tmp_path, GOOD.replace("name: mine\n", ""))).name == "s"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("cell:", "cel:"), 2, "cel: unknown key; did you mean 'cell'?"),
        (("space:", "spce:"), 3, "spce: unknown key; did you mean 'space'?"),
        (("grid:", "grd:"), 4, "space.seed: unknown word 'grd'; did you mean 'grid'?"),
        (("[0, 1]", "[]"), 4, "space.seed: grid: the list is empty; at least one value is needed"),
        (("seed:", "sed:"), 4, "space.sed: unknown key; did you mean 'seed'?"),
        (("seed:", "family.dimm:"), 4, "space.family.dimm: unknown key; did you mean 'dim'?"),
        (("rows: 50", "rows: -50"), 2, "cell.rows: input should be greater than or equal to 1, not -50"),
        (("rows: 50", "row: 50"), 2, "cell.row: unknown key; did you mean 'rows'?"),
        (("rows: 50", "rows: many"), 2, "cell.rows: "),
        (("kind: gaussian", "kind: gausian"), 2, "cell.family: unknown kind 'gausian'; did you mean 'gaussian'?"),
        (("kind: replace", "kind: replce"), 2, "cell.policy: unknown kind 'replce'; did you mean 'replace'?"),
        (("{kind: gaussian}", "{kind: linear, dim: 60}"), 2, "cell.rows: "),
        (("grid: [0, 1]", "randint: [4, 0]"), 4, "space.seed: randint: the low bound 4 must be below the high bound 0"),
        (("name: mine", "name: mine\nname: again"), 2, "the key 'name' stands twice in one mapping"),
        (("[0, 1]}", "[0, 1"), 5, "not valid YAML: "),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, message: str
) -> None:
    assert change[0] in GOOD
    path = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    said = str(caught.value)
    assert said.startswith(f"{path}:{line}: {message}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "a study is a mapping with name, cell, space and search"),
        ("", "a study is a mapping with name, cell, space and search, not None"),
        ("name: x\n", "cell: missing; a study needs a base cell"),
        (GOOD + "blocks: []\n", "blocks: give either blocks or cell, space, not both"),
        ("name: x\nblocks: []\n", "blocks: the list is empty"),
        (
            GOOD + "search: {kind: optuna, num_sample: 3}\n",
            "search.num_sample: unknown key; did you mean 'num_samples'?",
        ),
        (GOOD + "search: {kind: optna}\n", "search: unknown kind 'optna'; did you mean 'optuna'?"),
        (GOOD + "search: {kind: optuna}\n", "space: a search of kind optuna needs a path to draw, and all are grids"),
        (GOOD.replace("grid: [0, 1]", "randint: [0, 9]"), "search: the grid search can't draw seed from randint"),
        ("name: x\nblocks: [{name: a, cel: {}}]\n", "a.cel: unknown key; did you mean 'cell'?"),
        ("name: x\nblocks: [{name: a, cell: {}}, {name: a, cell: {}}]\n", "blocks: two blocks are named 'a'"),
        ("name: x\nblocks: [{name: rows, cell: {}}]\n", "blocks: a block can't be named 'rows'"),
    ],
)
def test_other_mistakes_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("quikstart", "unknown study 'quikstart'; did you mean 'quickstart'?"),
        ("missing.yaml", "missing.yaml: can't be read: No such file or directory"),
        ("no_such_module:f", "no_such_module:f: there is no module 'no_such_module'"),
        ("search_spaces:no_such", "search_spaces:no_such: the module 'search_spaces' has no function 'no_such'"),
    ],
)
def test_a_study_that_is_not_there(reference: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(reference)
    assert str(caught.value).startswith(message)


def test_a_function_in_the_working_directory_is_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_studies.py").write_text(
        "def mine():\n"
        "    cell = {'family': {'kind': 'gaussian'}, 'policy': {'kind': 'replace'}}\n"
        "    return {'name': 'mine', 'cell': cell, 'space': {'seed': {'grid': [0, 1]}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert len(expand(load_study("my_own_studies:mine"))) == 2


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_every_named_study_expands(name: str) -> None:
    study = load_study(name)
    assert study.name == name
    assert named_study(name) == named_study(name), "a function gives the same study each time"
    assert study == load_study(name)
    assert study.description
    assert "\n" not in study.description


@pytest.mark.parametrize(
    ("overrides", "rows", "seeds"),
    [
        (["rows=10"], {10}, {0, 1}),
        (["seed=7"], {50}, {7}),
        (["seed={grid: [4, 5, 6]}"], {50}, {4, 5, 6}),
        (["rows={grid: [10, 20]}", "seed=1"], {10, 20}, {1}),
        (["space.rows={grid: [30]}"], {30}, {0, 1}),
        (["cell.rows=12"], {12}, {0, 1}),
    ],
)
def test_overrides(tmp_path: Path, overrides: list[str], rows: set[int], seeds: set[int]) -> None:
    points = expand(load_study(write(tmp_path, GOOD), overrides))
    assert {point.cell.rows for point in points} == rows
    assert {point.cell.seed for point in points} == seeds


def test_an_override_for_one_block_leaves_the_others() -> None:
    plain, changed = load_study("quickstart"), load_study("quickstart", ["gaussian.generations=3", "name=other"])
    assert changed.name == "other"
    assert {p.cell.generations for p in expand(changed) if p.cell.family.kind == "gaussian"} == {3}
    others = [[p.cell for p in expand(s) if p.cell.family.kind != "gaussian"] for s in (plain, changed)]
    assert others[0] == others[1]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("row=3", "-o row=3: unknown key 'row'; did you mean 'rows'?"),
        ("rows", "-o rows: needs key=value, as in -o rows=50"),
        ("rows=[1", "-o rows=[1: the value is not valid YAML"),
        ("rows.x=1", "-o rows.x=1: rows is 50, which has no 'x'"),
        ("seed.x=3", "-o seed.x=3: the study's space sets seed as a whole"),
        ("family.dimm=3", "cell.family.dimm: unknown key; did you mean 'dim'?"),
        ("budget.cell=3", "budget.cell: unknown key; did you mean 'cells'?"),
        ("search.kind=optna", "search: unknown kind 'optna'; did you mean 'optuna'?"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path, GOOD), [override])
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a//b", "a/.hidden", "a b", "it's", ""])
def test_a_name_cannot_lead_out_of_the_workspace(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError, match="name: "):
        load_study(write(tmp_path, GOOD.replace("name: mine", f"name: {name!r}")))


def test_a_cell_file_with_overrides(tmp_path: Path) -> None:
    path = tmp_path / "cell.yaml"
    path.write_text("family: {kind: gaussian}\npolicy: {kind: replace}\nrows: 30\n", encoding="utf-8")
    cell = load_cell(path, ["generations=2", "family.dim=3"])
    assert (cell.rows, cell.generations, cell.canonical()["family"]["dim"]) == (30, 2, 3)
    path.write_text("family: {kind: gaussian}\npolcy: {kind: replace}\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"cell.yaml:2: polcy: unknown key; did you mean 'policy'"):
        load_cell(path)


def test_loading_and_expanding_need_neither_ray_nor_torch() -> None:
    code = (
        "import sys; from search_spaces import expand, load_study; "
        "print(len(expand(load_study('quickstart'))), "
        "sorted({'ray', 'torch', 'mlflow', 'pandas', 'transformers', 'optuna'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split(" ", 1)
    assert int(said[0]) >= 9
    assert said[1].strip() == "[]"


@pytest.mark.parametrize(
    "value", ["2026-13-45", '!!int "x"', "9" * 5000, "!!float x"], ids=["date", "int", "digits", "float"]
)
def test_a_value_that_yaml_cannot_make_is_one_line(value: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"name: {value}\ncell: {{family: {{kind: gaussian}}}}\n")
    with pytest.raises(StudyError, match=r"a.yaml(:\d+)?: ") as caught:
        load_study(str(path))
    assert "\n" not in str(caught.value)


def test_on_is_a_word_and_yes_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    cell = "{family: {kind: gaussian}, policy: {kind: replace}, rows: ROWS}"
    whole = f"name: a\ncell: {cell}\nrequire_power: {{effect: 0.5, on: gap}}\n"
    path.write_text(whole.replace("ROWS", "20"))
    assert load_study(str(path)).require_power.on == "gap"  # type: ignore[union-attr]
    path.write_text(whole.replace("ROWS", "yes"))
    with pytest.raises(StudyError, match=r"a.yaml:2: cell.rows: "):
        load_study(str(path))
