"""`status` of a search: what is being tried counts, and how many suggestions are yet to come is said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from search_spaces import load_study
from search_spaces.expansion import is_open
from sweep.commands.status import status
from sweep.scheduling import Board
from sweep.search import OptunaSource, ready_journal
from sweep.workspace import Workspace, open_workspace, prepare
from tests.support.toys import step
from trainables.store import open_store

STUDY = {
    "name": "seeking",
    "cell": {"family": {"kind": "gaussian"}, "generations": 3, "replicates": 5, "policy": {"kind": "replace"}},
    "space": {"rows": {"randint": [20, 90]}, "seed": {"grid": [0, 1]}},
    "search": {"kind": "optuna", "num_samples": 7},
}


@pytest.fixture
def going_on(tmp_path: Path) -> tuple[str, Workspace]:
    """A search one of whose suggestions is known and one under way, as a run in another process leaves it."""
    file, workspace = tmp_path / "seeking.yaml", open_workspace(tmp_path / "w", tracking_uri="none")
    file.write_text(yaml.safe_dump(STUDY))
    prepare(workspace)
    study, store = load_study(str(file)), open_store(workspace.storage)
    assert is_open(study.blocks[0])
    board = Board(store, concurrency=2)
    board.add_source(OptunaSource(study, 0, ready_journal(workspace, study.name, print)))
    first = [board.take(), board.take()]
    for job in first:
        assert job is not None
        while board.holds(job):
            step(board, job, store)
    second = board.take()
    assert second is not None
    step(board, second, store)
    note: dict[str, Any] = {"study": "seeking", "pid": 1, "host": "here", "written": time.time(), "seconds": 9.0}
    note |= {"headline": "", "what": "generations", "generations": 42, "reached": 7, "per_minute": 5.0}
    note |= {"left_seconds": None, "running": [second.key], "failures": {}, "nodes": []}
    path = workspace.running("seeking")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(note))
    return str(file), workspace


def test_what_a_search_is_trying_is_told(going_on: tuple[str, Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    file, workspace = going_on
    assert status(file, [], workspace, json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seeking: 2 done, 1 running, 0 failed, 1 left"
    (said,) = (line for line in lines if line.startswith("search "))
    assert said.endswith("1 of 7 suggestions are known, 1 under way, 5 to come (2 cells each)")
    status(file, [], workspace, json=False)
    assert capsys.readouterr().out.splitlines()[0] == lines[0], "looking changes nothing"


def test_programs_are_told_the_same(going_on: tuple[str, Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    file, workspace = going_on
    status(file, [], workspace, json=True)
    plain = json.loads(capsys.readouterr().out)
    (search,) = plain["searches"]
    assert {name: search[name] for name in ("known", "under_way", "to_come", "suggestions", "cells_each")} == {
        "known": 1,
        "under_way": 1,
        "to_come": 5,
        "suggestions": 7,
        "cells_each": 2,
    }
    assert sorted(cell["status"] for cell in plain["cells"]) == ["done", "done", "left", "running"]
