"""Searches go on after whatever can happen to their journal; results are in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Choice, OptunaSearch, Range, Study
from search_spaces.study import Block
from sweep.engine import open_board
from sweep.scheduling import Board
from sweep.search import OptunaSource, ready_journal
from sweep.workspace import Workspace, open_workspace
from tests.support.toys import drain
from trainables.store import open_store

SAMPLES = 6


def study(name: str = "s", samples: int = SAMPLES) -> Study:
    space = {"policy.bias": Range(low=0.5, high=1.0), "rows": Choice(values=(5, 20))}
    search = OptunaSearch(num_samples=samples, seed=1, sampler={"kind": "tpe", "n_startup_trials": 2})
    cell = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "replicates": 20, "generations": 2}
    return Study(name=name, blocks=(Block(cell=cell, space=space, search=search),))


def search(workspace: Workspace, made: Study, warn: Callable[[str], None]) -> tuple[OptunaSource, Board]:
    """Go on with a search to its end."""
    store = open_store(workspace.storage)
    source = OptunaSource(made, 0, ready_journal(workspace, made.name, warn))
    source.resume()
    board = Board(store)
    board.add_source(source)
    drain(board, store, slots=1)
    return source, board


def suggested(source: OptunaSource) -> list[Any]:
    return [source.values(trial) for trial in source.trials()]


def torn(content: bytes) -> bytes:
    return content[:-20]


def flipped(content: bytes) -> bytes:
    middle = content.index(b'"op_code"', len(content) // 2)
    return content[:middle] + b"\xff" + content[middle + 1 :]


def worded(content: bytes) -> bytes:
    """A line that is JSON still, and no operation of Optuna's."""
    return content.replace(b'"op_code":0', b'"op_cude":0', 1)


def scribbled(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.mark.parametrize(
    ("harm", "said"),
    [(torn, "torn and cut off"), (flipped, "is damaged"), (worded, "is damaged"), (scribbled, "torn and cut off")],
)
def test_a_harmed_journal_ends_no_search(tmp_path: Path, harm: Callable[[bytes], bytes], said: str) -> None:
    workspace, warned = open_workspace(tmp_path), list[str]()
    expected = suggested(search(workspace, study(), warned.append)[0])
    fitted = {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "model").rglob("*.json")}
    assert warned == []
    journal = workspace.searches("s")
    content = journal.read_bytes()
    journal.write_bytes(harm(content))
    standing = open_board(study(), workspace, open_store(workspace.storage))
    assert len(standing.jobs) <= SAMPLES, "what only reads takes what can be read"
    assert journal.read_bytes() == harm(content), "and mends nothing"
    source, board = search(workspace, study(), warned.append)
    assert suggested(source) == expected
    assert {job.status for job in board.jobs.values()} == {"done"}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store" / "model").rglob("*.json")} == fitted
    assert len(warned) == 1
    assert said in warned[0]
    kept = list(journal.parent.glob("s.log.broken-*"))
    assert [path.read_bytes() for path in kept] == ([harm(content)] if said == "is damaged" else [])


def test_what_only_reads_writes_no_journal(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    search(workspace, study(), lambda line: None)
    before = workspace.searches("s").read_bytes()
    for path in (workspace.searches("s"), workspace.searches("s").parent):
        path.chmod(path.stat().st_mode & ~0o222)
    assert len(open_board(study(), workspace, open_store(workspace.storage)).jobs) > 0
    workspace.searches("s").parent.chmod(0o755)
    assert workspace.searches("s").read_bytes() == before


def test_each_study_has_a_journal_and_takes_over_its_part_of_the_old_one(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path)
    first = suggested(search(workspace, study("one"), lambda line: None)[0])
    workspace.searches("one").rename(workspace.all_searches)
    workspace.searches("two").write_bytes(b"scribble\n" * 9)
    again, _ = search(workspace, study("one", SAMPLES + 1), lambda line: None)
    assert suggested(again)[:SAMPLES] == first
    assert len(suggested(again)) == SAMPLES + 1
    assert workspace.searches("two").read_bytes() == b"scribble\n" * 9
