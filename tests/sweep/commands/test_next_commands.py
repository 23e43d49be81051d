"""Commands that messages and pages name: pasted into a shell, each is about the same study, workspace and store."""

from __future__ import annotations

import html
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from search_spaces import StudyError, load_study
from search_spaces.expansion import expand
from search_spaces.loading import load_cell
from sweep.commands import ui
from sweep.commands.compare import compare
from sweep.commands.init import init
from sweep.errors import UsageError
from sweep.workspace import Workspace, open_workspace, prepare
from tests.support.toys import toy
from trainables import run


@pytest.fixture
def study(tmp_path: Path) -> str:
    """A study's file in a folder whose name needs quotes."""
    path = tmp_path / "my studies" / "toy.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(toy(("replace",), 2).canonical()))
    return str(path)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """One away from the working folder, with a store elsewhere."""
    found = open_workspace(tmp_path / "far runs", storage=str(tmp_path / "big disk"))
    prepare(found)
    return found


def words(message: str) -> list[str]:
    """The command after `first:`."""
    return shlex.split(message.partition("first: ")[2])


def place(command: list[str]) -> Workspace:
    """The workspace that a command is about."""
    given = dict(pairwise(command))
    return open_workspace(Path(given.get("--workspace", "collapse-runs")), given.get("--storage"))


def test_a_study_that_has_not_run_is_run_where_it_is_looked_for(study: str, workspace: Workspace) -> None:
    with pytest.raises(UsageError) as told:
        compare([study, study], workspace, None, json=False)
    command = words(str(told.value))
    assert command[:3] == ["collapse-sweep", "run", study]
    assert place(command) == workspace


def test_in_another_workspace_too(study: str, workspace: Workspace, tmp_path: Path) -> None:
    other = open_workspace(tmp_path / "other")
    prepare(other)
    with pytest.raises(UsageError) as told:
        compare([f"{study}@{other.root}", study], workspace, None, json=False)
    command = words(str(told.value))
    assert command[:3] == ["collapse-sweep", "run", study]
    assert place(command) == other


def test_the_page_of_a_comparison_names_the_command_that_makes_it(
    study: str, workspace: Workspace, tmp_path: Path
) -> None:
    for point in expand(load_study(study)):
        list(run(point.cell, workspace.storage))
    assert compare([study, study], workspace, tmp_path / "page", json=False) == 0
    page = (tmp_path / "page" / "compare.html").read_text()
    (made,) = set(re.findall(r"<code>(collapse-sweep compare .*?)</code>", page))
    command = shlex.split(html.unescape(made))
    assert command[2:4] == [study, study]
    assert command[-2:] == ["--out", str(tmp_path / "page")]
    assert place(command) == workspace


def test_pages_without_runs_name_a_run_that_makes_some(workspace: Workspace) -> None:
    with pytest.raises(UsageError) as told:
        ui.ui(workspace, 5000)
    assert place(words(str(told.value))) == workspace


def test_names_of_files_are_quoted(study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StudyError) as told:
        load_cell(Path(study))
    assert shlex.split(str(told.value).split("`")[1]) == ["collapse-sweep", "run", study]
    file = Path(study).with_name("begun.yaml")
    init("gaussian", file, None, ("replace",), 3, None, force=False)
    assert shlex.split(capsys.readouterr().out.partition("next: ")[2]) == ["collapse-sweep", "plan", str(file)]
