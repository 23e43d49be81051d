"""`run_study`: a study from its configs to finished cells. What is done already never starts Ray again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from search_spaces import FalsifySearch, OptunaSearch, Study, StudyError
from search_spaces.expansion import expand, is_open
from sweep.errors import TrackingError, UsageError
from sweep.planning import require_power, speeds
from sweep.progress import Chronicle, Progress
from sweep.reporting import findings_of
from sweep.resources import Machines, likely, ready, wants
from sweep.scheduling import Board, Job, Listener, Pruner, read_records
from sweep.search import FalsifySource, OptunaSource, Stopping, warm_up
from sweep.signals import heeded
from sweep.tracking import Background, Guarded, Tracker, connect
from sweep.tune_first import settle, settled
from sweep.workspace import Workspace, prepare
from trainables.recursion import Keep, check_data
from trainables.store import Store, open_store

WRITERS = 4
"""Threads that write to a tracking server: each call waits for its answer most of the time."""

KEPT = "results are kept in the store, and shown there by the next run or by `relog`"
"""Said when a tracking server fails."""


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        board: where every cell stands.
        ran: whether anything had to be run.
        stopped: whether it was interrupted.
        tracking: why runs are not shown in full; None where they are.
        untuned: whether hyperparameters that are tuned first are not settled yet.
    """

    board: Board
    ran: bool
    stopped: bool = False
    tracking: str | None = None
    untuned: bool = False

    @property
    def failed(self) -> list[Job]:
        """Cells that failed."""
        return [job for job in self.board.jobs.values() if job.status == "failed"]

    @property
    def unfinished(self) -> list[Job]:
        """Cells that a later run goes on with."""
        return [job for job in self.board.jobs.values() if job.status in ("waiting", "running")]

    @property
    def over_budget(self) -> bool:
        """Whether cells were not run because the study's budget is spent."""
        late = self.board.late and not self.stopped and self.unfinished
        return bool(self.board.left_out or late or (not self.stopped and self.board.unasked))


def open_board(study: Study, workspace: Workspace, store: Store) -> Board:
    """Where a study stands now. Changes nothing.

    Raises:
        StudyError: a cell can't be.
        StoreError: the store can't be read.
    """
    study = settled(study, store)
    journal = workspace.searches if workspace.searches.exists() else None
    stopping = Stopping(study, journal, store, writing=False)
    board = Board(store, budget=study.budget, wants=wants(study), stopping=stopping)
    return _fill(board, study, _sources(study, journal))


def _fill(board: Board, study: Study, sources: Iterable[OptunaSource]) -> Board:
    board.admit(expand(study))
    for source in sources:
        board.add_source(source)
    return board


def _sources(study: Study, journal: Path | None) -> list[OptunaSource]:
    return [_source(study, number, journal) for number in open_blocks(study)]


def open_blocks(study: Study) -> list[int]:
    """Numbers of the blocks whose cells depend on results."""
    return [number for number, block in enumerate(study.blocks) if is_open(block)]


def _source(study: Study, number: int, journal: Path | None) -> OptunaSource:
    hunt = isinstance(study.blocks[number].search, FalsifySearch)
    return (FalsifySource if hunt else OptunaSource)(study, number, journal)


def run_study(
    study: Study,
    workspace: Workspace,
    progress: Progress,
    *,
    machines: Machines,
    warn: Callable[[str], None],
    keep: Keep = "all",
) -> Outcome:
    """Run a study, or go on with it.

    Args:
        study: what to run.
        workspace: where.
        progress: who shows it.
        machines: where trials run.
        warn: told what the user should know, in one line.
        keep: what stays of weights and batches that no cell needs any more; they go as soon as that is so.

    Raises:
        StudyError: it can't be run; nothing has been trained.
        TrackingError: the tracking server can't be used and there is something to run; nothing has been trained.
        UsageError, StoreError: the workspace or the machines can't be used.
    """
    stop = threading.Event()
    with heeded(stop):
        return _run_until(stop, study, workspace, progress, machines, warn, keep)


def _run_until(
    stop: threading.Event,
    study: Study,
    workspace: Workspace,
    progress: Progress,
    machines: Machines,
    warn: Callable[[str], None],
    keep: Keep,
) -> Outcome:
    prepare(workspace)
    store = open_store(workspace.storage)
    require_power(study, store)
    asked = study
    if not settle(asked, workspace, store, machines, progress, warn, stop):
        return Outcome(open_board(asked, workspace, store), ran=True, stopped=True, untuned=True)
    study = settled(asked, store)
    sources = _sources(study, workspace.searches)
    pruner = Pruner(store, keep, warn, growing=bool(sources)) if keep != "all" else None
    listeners: list[Listener] = [progress, *([pruner] if pruner else [])]
    for number, source in zip(open_blocks(study), sources, strict=True):
        source.resume()
        if isinstance(study.blocks[number].search, OptunaSearch):
            warm_up(source, study, number, workspace, store)
    stopping = Stopping(study, workspace.searches, store)
    board = Board(store, listeners, study.budget, machines.cpus or 1, wants(study), stopping=stopping)
    _fill(board, study, sources)
    if not board.has_work():
        if pruner is not None and not board.left_out:
            pruner.finish(board.jobs.values())
        return Outcome(board, ran=False)
    _check_supply(study, board)
    tracked = _connecting(asked, workspace, warn)
    chronicle = Chronicle(study.name, workspace, progress)
    listeners.append(chronicle)
    try:
        stopped = _run(stop, board, workspace, store, machines, listeners, tracked, progress, warn, likely(study))
    except UsageError:
        with suppress(TrackingError):
            tracked().close("stopped")
        raise
    finally:
        chronicle.close()
    tracker = tracked()
    outcome = Outcome(board, ran=True, stopped=stopped, tracking=tracker.trouble)
    with suppress(OSError):  # a full disk here would hide how the run ended
        speeds.learn(workspace.speeds, board.jobs.values(), store)
    if pruner is not None and not (outcome.unfinished or outcome.over_budget):
        pruner.finish(board.jobs.values())
    tracker.note(findings_of(asked, workspace, board, store).tags)
    tracker.close("stopped" if outcome.unfinished else "failed" if outcome.failed else "done")
    outcome.tracking = tracker.trouble
    if board.broken:
        raise UsageError(f"--storage {workspace.storage}: {board.broken}; nothing is lost, run again to go on")
    if board.refused is not None:
        raise StudyError(f"{study.name}: {board.refused}")
    return outcome


def _connecting(study: Study, workspace: Workspace, warn: Callable[[str], None]) -> Callable[[], Guarded]:
    """The tracker, once it is asked for; it connects while Ray starts, since either takes seconds.

    Raises:
        TrackingError: from the function that is returned, if the server can't be used.
    """
    aside = ThreadPoolExecutor(1, "collapse-sweep connecting")
    connecting = aside.submit(connect, study, workspace)
    aside.shutdown(wait=False)

    @cache
    def tracked() -> Guarded:
        return Guarded(_beside(connecting.result(), workspace), lambda trouble: warn(f"{trouble}; {KEPT}"))

    return tracked


def _beside(tracker: Tracker, workspace: Workspace) -> Tracker:
    """The tracker, writing beside the driver: sqlite takes one writer at a time, a server several."""
    return Background(tracker, threads=1 if workspace.tracking_uri.startswith("sqlite:") else WRITERS)


def show_stored(board: Board, store: Store, tracker: Tracker) -> int:
    """Show what is stored and not shown yet: after a dead server, a lost database, a cell of another study.

    Returns:
        Cells that were written.
    """
    lacking = [job for job in board.jobs.values() if (job.done or job.failure) and not tracker.shown(job)]
    for job in lacking:
        tracker.complete(job, read_records(job, store))
    return len(lacking)


def _check_supply(study: Study, board: Board) -> None:
    """Refuse a study one of whose sources is too small, before anything is trained."""
    for job in board.waiting:
        try:
            check_data(job.cell)
        except ValueError as problem:
            raise StudyError(f"{study.name}: cell.{problem} (at {job.title})") from None


def _run(
    stop: threading.Event,
    board: Board,
    workspace: Workspace,
    store: Store,
    machines: Machines,
    listeners: list[Listener],
    tracked: Callable[[], Tracker],
    progress: Progress,
    warn: Callable[[str], None],
    likely: Iterable[Job],
) -> bool:
    """Run what waits; whether it was interrupted."""
    if stop.is_set():
        return True
    from sweep.ray_backend import nodes, tuner

    try:
        with nodes.started(machines):
            pool = nodes.survey(machines, workspace.storage, store)
            slots = ready(board, machines, pool, warn, likely)
            progress.eta.concurrency = board.concurrency
            listeners[:] = [tracked(), *listeners, slots]
            show_stored(board, store, tracked())
            if stop.is_set():
                return True
            tuner.run_trials(board, workspace.storage, stop, slots, warn)
    except KeyboardInterrupt:
        return not board.broken
    finally:
        board.interrupt()
    return False
