"""What a user is told of a study that can not be, by file, line and block; and what functions may give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Study, StudyError, load_study
from search_spaces.loading import load_cell
from search_spaces.loading.study import study_from

CELL = "{family: {kind: gaussian}, policy: {kind: replace}, rows: 20}"


def said_of(path: Path, text: str, *overrides: str, cell: bool = False) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_cell(path, overrides) if cell else load_study(str(path), overrides)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path)), line
    return line.removeprefix(str(path))


BLOCKS = f"""\
name: s
blocks:
  - name: first
    cell: {CELL}
  - name: second
    cell: {CELL}
    space:
      seed: {{grid: [0, 1]}}
      rows: {{grid: [20, -1]}}
  - cell: {{family: {{kind: gaussian}}}}
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("", ""), ":9: second.space.rows: input should be greater than or equal to 1, not -1"),
        (("grid: [20, -1]", "grid: [20, 20]"), ":9: second.space.rows: grid: the value 20 stands there twice"),
        (("    cell: {family", "    cel: {family"), ":4: first.cel: unknown key; did you mean 'cell'?"),
        (("  - cell: {family: {kind: gaussian}}", "  - cell: {famly: {}}"), ":9: second.space.rows: "),
        (("rows: {grid: [20, -1]}", "sed: {grid: [1]}"), ":9: second.space.sed: unknown key; did you mean 'seed'?"),
    ],
)
def test_a_block_is_told_by_its_name_and_found_by_its_number(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert said_of(tmp_path / "s.yaml", BLOCKS.replace(*change, 1)).startswith(said)


def test_a_block_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    text = BLOCKS.replace("[20, -1]", "[20]").replace("  - cell: {family: {kind: gaussian}}", "  - cell: {rows: 3}")
    assert said_of(tmp_path / "s.yaml", text).startswith(":10: blocks.2.cell.family: missing")


def test_of_a_cell_that_some_point_of_the_space_spoils_the_point_is_told(tmp_path: Path) -> None:
    space = "{policy.kind: {grid: [replace, token_edit]}, seed: {grid: [4]}}"
    said = said_of(tmp_path / "s.yaml", f"cell: {CELL}\nspace: {space}\n")
    assert said.startswith(":1: cell.policy: token_edit needs a family with edit; gaussian has bias, correct, score")
    assert said.endswith("(at policy.kind=token_edit, seed=4)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{family: {kind: gaussian}}",
            ": is a cell, not a study; run it with `collapse-sweep trial`, or put its fields under `cell:`",
        ),
        ("{name: x}", ": cell: missing; a study needs a base cell, as in cell: {family: {kind: gaussian}}"),
        ("3", ": a study is a mapping with name, cell, space and search, not 3"),
        ("{cell: 3}", ":1: cell: must be a mapping of keys to values, not 3"),
        ("{cell: {}, tune_frst: 3}", ":1: tune_frst: unknown key; did you mean 'tune_first'?"),
        ("{cell: {}, budget: 3}", ":1: budget: must be a mapping of keys to values, not 3"),
        ("{cell: {}}", ":1: cell.family: missing (and 1 more)"),
    ],
)
def test_what_is_no_study_is_told_with_what_would_be_one(tmp_path: Path, text: str, said: str) -> None:
    assert said_of(tmp_path / "s.yaml", text).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- 1\n", ": a cell is a mapping with family, policy, generations, rows, seed, not [1]"),
        ("cell: {}\n", ": is a study, not a cell; run it with `collapse-sweep run "),
        ("space: {}\n", ": is a study, not a cell; run it with `collapse-sweep run "),
        ("family: {kind: gaussian}\n", ": policy: missing"),
        ("family: {kind: gaussian}\npolicy: {kind: replace}\nrows: 0\n", ":3: rows: input should be greater than or"),
        (
            "family:\n  kind: gaussian\n  dmi: 2\npolicy: {kind: replace}\n",
            ":3: family.dmi: unknown key; did you mean 'dim'?",
        ),
    ],
)
def test_what_is_no_cell_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said_of(tmp_path / "c.yaml", text, cell=True).startswith(said)


def test_files_that_can_not_be_read_are_told_why(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"name: \xff\xfe")
    for path, why in ((tmp_path / "s.yaml", "not UTF-8 text"), (tmp_path / "x.yml", "No such file or directory")):
        with pytest.raises(StudyError) as caught:
            load_study(str(path))
        assert str(caught.value) == f"{path}: can't be read: {why}"
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    with pytest.raises(StudyError, match=r"can't be read: Is a directory$"):
        load_study(str(folder))


def test_a_file_is_a_study_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "study.txt"
    path.write_text(f"cell: {CELL}\nspace: {{seed: {{grid: [0]}}}}\n")
    assert load_study(str(path)).name == "study"


MODULE = """\
from search_spaces import Block, Study
from trainables import Cell
CELL = {'family': {'kind': 'gaussian'}, 'policy': {'kind': 'replace'}}
def made(): return Study(name='made', blocks=(Block(cell=CELL),))
ready = made()
def plain(): return {'name': 'plain', 'cell': CELL}
def wrong(): return {'name': 'plain', 'cell': CELL, 'spce': {}}
def bad(): return Study(name='made', blocks=(Block(cell=CELL, spce={}),))
def worse(): return Study(name='made', blocks=(Block(cell=CELL | {'rows': -1}),))
def nothing(): return None
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "studies_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "studies_of_mine", raising=False)
    return "studies_of_mine"


@pytest.mark.parametrize(("name", "study"), [("made", "made"), ("ready", "made"), ("plain", "plain")])
def test_a_function_gives_a_study_a_mapping_or_is_one_itself(module: str, name: str, study: str) -> None:
    found = load_study(f"{module}:{name}")
    assert isinstance(found, Study)
    assert found.name == study
    assert load_study(f"{module}:{name}", ["seed=3"]).blocks[0].cell["seed"] == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong", "spce: unknown key; did you mean 'space'?"),
        ("nothing", "a study is a mapping with name, cell, space and search, not None"),
        ("lost", "the module 'studies_of_mine' has no function 'lost'"),
    ],
)
def test_a_function_that_gives_none_is_told_by_its_name(module: str, name: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(f"{module}:{name}")
    assert str(caught.value).startswith(f"{module}:{name}: {said}")


def test_a_study_that_a_function_could_not_build_is_one_line_too(module: str) -> None:
    with pytest.raises(StudyError, match=r"^studies_of_mine:bad: spce: unknown key"):
        load_study(f"{module}:bad")
    with pytest.raises(StudyError, match=r"cell.rows: input should be greater than or equal to 1, not -1") as caught:
        load_study(f"{module}:worse")
    assert "\n" not in str(caught.value)


def test_what_is_told_of_an_override_begins_with_the_study(tmp_path: Path) -> None:
    text = f"cell: {CELL}\nspace: {{seed: {{grid: [0]}}}}\n"
    assert said_of(tmp_path / "s.yaml", text, "rows=-1").startswith(
        ": cell.rows: input should be greater than or equal"
    )


def test_plain_data_is_a_study_and_lines_are_told_where_they_are_known() -> None:
    raw: dict[str, Any] = {"name": "s", "cell": {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}}}
    assert study_from(raw, "here").name == "s"
    with pytest.raises(StudyError, match=r"^here:7: cell\.rows: input should be greater than or equal to 1, not 0$"):
        study_from(raw | {"cell": raw["cell"] | {"rows": 0}}, "here", {("cell",): 5, ("cell", "rows"): 7})
    with pytest.raises(StudyError, match=r"^here: name: string should match pattern"):
        study_from(raw | {"name": "../x"}, "here")
