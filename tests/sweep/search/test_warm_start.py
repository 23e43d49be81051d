"""Earlier studies' records teach a search, where they are records of its own space; and what a search has found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Grid, OptunaSearch, Range, Study, StudyError
from search_spaces.expansion import expand
from sweep.scheduling import Board
from sweep.search import OptunaSource, summary, warm_start, warm_up
from sweep.workspace import Workspace, open_workspace
from tests.support.toys import GAUSSIAN, Counting, drain
from trainables import Cell
from trainables.store import MemoryStore

CELL: dict[str, Any] = GAUSSIAN | {"policy": {"kind": "replace"}}
POLICIES = Grid(values=("replace", "accumulate"))
ROWS = (8, 16, 32, 64)


def earlier(store: Any, **cell: Any) -> list[Cell]:
    """A finished study: a grid over rows and policies."""
    space = {"rows": Grid(values=ROWS), "policy.kind": POLICIES}
    board = Board(store)
    board.admit(expand(Study(name="earlier", blocks=(Block(cell=CELL | cell, space=space),))))
    drain(board, store)
    return [job.cell for job in board.jobs.values()]


def later(warm: tuple[str, ...] = ("earlier",), low: int = 5, **options: Any) -> Study:
    space = {"rows": Range(low=low, high=200, integer=True, log=True), "policy.kind": POLICIES}
    search = OptunaSearch(**{"num_samples": 3, "seed": 2, "warm_start": warm} | options)
    return Study(name="later", blocks=(Block(cell=CELL | {"seed": 7}, space=space, search=search),))


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A search that has been told of these cells."""
    workspace: Workspace = open_workspace(tmp_path / "w")

    def begun(study: Study, cells: list[Cell], store: Any) -> OptunaSource:
        monkeypatch.setattr(warm_start, "cells_of", lambda place, name: cells)
        source = OptunaSource(study, 0, tmp_path / "j.log")
        warm_up(source, study, 0, workspace, store)
        return source

    return begun


def test_what_was_found_is_told_once_and_nothing_is_run_again(begin: Any) -> None:
    store = Counting(MemoryStore())
    cells = earlier(store, seed=3)
    before = len(store.computed)
    source = begin(later(), cells, store)
    assert len(store.computed) == before
    assert source.learned == {"earlier": 4}
    assert begin(later(), cells, store).learned == {"earlier": 4}, "a restart does not tell it again"
    told = [t for t in source._optuna.trials if t.user_attrs.get("warm_start")]
    assert [t.params["rows"] for t in told] == list(ROWS)
    assert [t.value for t in told] == sorted((t.value for t in told), reverse=True), "the more rows the better"
    assert source.past() == []
    assert source.ask().number == 4, "and its own suggestions are all still to come"


def test_a_search_that_has_learned_begins_where_an_other_has_yet_to_look(begin: Any) -> None:
    store = MemoryStore()
    cells = earlier(store)
    taught = begin(later(sampler={"kind": "tpe", "n_startup_trials": 4}), cells, store)
    first = [point.values["rows"] for point in taught.ask().points]
    assert first[0] > 32, "TPE goes to the good end at once; its random start-up is over"


def test_only_values_whose_whole_inner_grid_is_done_and_that_can_be_drawn_count(begin: Any) -> None:
    store = MemoryStore()
    cells = earlier(store)
    half = [cell for cell in cells if (cell.rows, cell.policy.kind) != (16, "accumulate")]
    assert begin(later(low=10), half, store).learned == {"earlier": 2}, "8 is out of bounds, 16 lacks a policy"


def test_a_longer_search_takes_earlier_cells_only_as_far_as_the_store_has_them(begin: Any) -> None:
    store = MemoryStore()
    cells = earlier(store, generations=5)
    assert begin(later(), cells, store).learned == {"earlier": 4}, "three of their five generations"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"replicates": 6}, "earlier: none of its 8 cells is one of this space: the nearest differs in replicates"),
        ({"generations": 2}, "earlier: no suggestion's inner grid is finished there"),
    ],
)
def test_a_study_that_does_not_fit_is_refused_with_what_differs(begin: Any, cell: dict[str, Any], message: str) -> None:
    store = MemoryStore()
    cells = earlier(store, **cell)
    with pytest.raises(StudyError, match=message):
        begin(later(), cells, store)


def test_a_study_that_is_not_there_or_is_itself_is_refused(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "w")
    for name, message in (("earlier", "search.warm_start: .*no such file"), ("later", "later is this study itself")):
        study = later(warm=(name,))
        with pytest.raises(StudyError, match=message):
            warm_up(OptunaSource(study, 0, None), study, 0, workspace, MemoryStore())


def test_the_front_is_told_and_kept(tmp_path: Path) -> None:
    store = MemoryStore()
    study = later(warm=(), num_samples=6, objective=("final_loss", "flops"), mode=("min", "min"))
    board = Board(store)
    board.add_source(OptunaSource(study, 0, None))
    drain(board, store, slots=1)
    summary.write(summary.searches(board), tmp_path)
    (kept,) = json.loads((tmp_path / summary.FILE).read_text())
    assert kept["suggestions"] == 6
    assert kept["objectives"] == ["final_loss", "flops"]
    values = [tuple(one["values"].values()) for one in kept["best"]]
    assert values == sorted(values)
    assert len({flops for _, flops in values}) == len(values)
    head, table = summary.lines([kept])
    assert head == "Pareto front of 6 suggestions of tpe; objective final_loss (min), flops (min):"
    assert table.splitlines()[0].split() == ["suggestion", "final_loss", "flops", "rows"]
    assert len(table.splitlines()) == 1 + len(values)


def test_a_study_without_a_search_has_no_front(tmp_path: Path) -> None:
    summary.write(summary.searches(Board(MemoryStore())), tmp_path / "report")
    assert not (tmp_path / "report").exists()
