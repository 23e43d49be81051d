"""What a run does around its trials: nothing is lost when a disk is full, rows lack, or the user stops it."""

from __future__ import annotations

import contextlib
import errno
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search_spaces import StudyError
from sweep.commands.outcome import report
from sweep.engine import Outcome, run_study
from sweep.errors import Interrupted, UsageError
from sweep.progress import PlainProgress
from sweep.resources import ClusterCapacity, Machines, NodeType
from sweep.scheduling import Board, Failure
from sweep.workspace import NO_TRACKING, open_workspace
from tests.support.toys import drain, step, toy
from trainables.store import StoreError, open_store

Trials = Callable[[Board, str], None]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Trials], Outcome]:
    """Run the toy study, its trials in this process in place of Ray's."""

    def run(trials: Trials) -> Outcome:
        fake: Any = types.ModuleType("sweep.ray_backend.tuner")
        fake.started = lambda machines: contextlib.nullcontext()
        fake.survey = lambda machines, storage, store: ClusterCapacity([NodeType({"CPU": 1.0})])
        fake.run_trials = lambda board, store, stop, slots, warn: trials(board, store)
        fake.watched = lambda abandon, warn: contextlib.nullcontext()
        for name in ("tuner", "nodes", "head_watch"):
            monkeypatch.setitem(sys.modules, f"sweep.ray_backend.{name}", fake)
            monkeypatch.setattr(f"sweep.ray_backend.{name}", fake, raising=False)
        workspace = open_workspace(tmp_path / "w", tracking_uri=NO_TRACKING)
        return run_study(
            toy(), workspace, PlainProgress(1, lambda line: None), machines=Machines(1), warn=lambda line: None
        )

    return run


def everything(board: Board, store: str) -> None:
    drain(board, open_store(store))


def test_a_run_ends_done_and_a_second_one_runs_nothing(go: Callable[[Trials], Outcome]) -> None:
    first = go(everything)
    assert (first.ran, first.failed, first.unfinished) == (True, [], [])

    def never(board: Board, store: str) -> None:
        raise AssertionError("a finished study started its trials")

    assert go(never).ran is False


def test_a_full_disk_ends_the_run_in_one_line_and_the_next_one_goes_on(go: Callable[[Trials], Outcome]) -> None:
    def full(board: Board, store: str) -> None:
        job = board.take()
        assert job is not None
        step(board, job, open_store(store))
        board.broken = "No space left on device"
        raise Interrupted

    with pytest.raises(UsageError, match=r"No space left on device; nothing is lost, run again to go on"):
        go(full)
    kept: list[int] = []

    def rest(board: Board, store: str) -> None:
        kept.extend(job.done for job in board.jobs.values())
        everything(board, store)

    assert go(rest).unfinished == []
    assert sum(kept) == 2, "generation 1 of the cell that ran, shared with its sibling"


def test_an_interrupted_run_leaves_its_cells_to_be_gone_on_with(go: Callable[[Trials], Outcome]) -> None:
    def stop(board: Board, store: str) -> None:
        job = board.take()
        assert job is not None
        step(board, job, open_store(store))
        raise Interrupted

    outcome = go(stop)
    assert outcome.stopped
    assert len(outcome.unfinished) == 4
    assert {job.status for job in outcome.unfinished} == {"waiting"}


def test_a_failed_cell_stops_no_other_and_its_traceback_is_kept(
    go: Callable[[Trials], Outcome], tmp_path: Path
) -> None:
    def one_fails(board: Board, store: str) -> None:
        job = board.take()
        assert job is not None
        board.fail(job, Failure("MemoryError", 1, final=False, details="Traceback: here"))
        everything(board, store)

    outcome = go(one_fails)
    assert len(outcome.failed) == 1
    log = tmp_path / "w" / "logs" / f"{outcome.failed[0].key}.log"
    assert "Traceback: here" in log.read_text()
    assert sum(job.status == "done" for job in outcome.board.jobs.values()) == 3
    assert go(everything).failed == [], "what the store does not keep as a failure is tried again"


def test_a_source_that_is_too_small_is_refused_before_anything_is_trained(
    go: Callable[[Trials], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.families.closed_form.gaussian import GaussianConfig

    monkeypatch.setattr(GaussianConfig, "available_rows", lambda self: 7)

    def never(board: Board, store: str) -> None:
        raise AssertionError("trials were started")

    with pytest.raises(StudyError, match=r"toy: cell.rows: 20 real rows .* holds 7"):
        go(never)


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [
        (StudyError("space.seed: wrong"), 2, "space.seed: wrong"),
        (StoreError("s3://b: no answer"), 2, "s3://b: no answer"),
        (OSError(errno.ENOSPC, "No space left on device", "/w/x"), 2, "/w/x: No space left on device"),
        (OSError(errno.EROFS, "Read-only file system", "/w"), 2, "/w: Read-only file system"),
        (KeyboardInterrupt(), 1, "interrupted"),
    ],
)
def test_what_a_user_can_set_right_is_one_line(
    capsys: pytest.CaptureFixture[str], problem: BaseException, code: int, said: str
) -> None:
    def fail() -> int:
        raise problem

    assert report(fail) == code
    captured = capsys.readouterr()
    assert captured.err == f"collapse-sweep: {said}\n"
    assert captured.out == ""


def test_a_mistake_of_ours_is_not_dressed_up_as_the_users() -> None:
    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        report(fail)
