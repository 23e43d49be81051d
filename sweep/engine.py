"""`run_study`: a study from its configs to finished cells. What is done already never starts Ray again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from search_spaces import Study, StudyError
from search_spaces.expansion import expand
from sweep.errors import TrackingError, UsageError
from sweep.planning import require_power, speeds
from sweep.progress import Chronicle, Progress
from sweep.reporting import findings_of
from sweep.resources import Machines, check_address, likely, ready, wants
from sweep.scheduling import Board, Job, Listener, Pruner, SuggestionSource, read_records
from sweep.search import Stopping, known_journal, open_searches, ready_journal, warm_up
from sweep.signals import heeded
from sweep.tracking import Tracker, connect_aside
from sweep.tune_first import settle, settled
from sweep.workspace import Workspace, prepare
from trainables.recursion import Keep, check_data
from trainables.store import Store, open_store


@dataclass
class Outcome:
    """How a run ended.

    Attributes:
        board: where every cell stands.
        ran: whether anything had to be run.
        stopped: whether it was interrupted.
        untuned: whether hyperparameters that are tuned first are not settled yet.
    """

    board: Board
    ran: bool
    stopped: bool = False
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


def open_board(study: Study, workspace: Workspace, store: Store, under_way: bool = False) -> Board:
    """Where a study stands now. Changes nothing. With what open searches are trying too, if that is `under_way`.

    Raises:
        StudyError: a cell can't be.
        StoreError: the store can't be read.
    """
    study = settled(study, store)
    journal = known_journal(workspace, study.name)
    stopping = Stopping(study, journal, store, writing=False)
    board = Board(store, budget=study.budget, wants=wants(study), stopping=stopping)
    sources = open_searches(study, journal, writing=False).values()
    _fill(board, study, sources)
    for source in sources if under_way else ():
        for suggestion in source.under_way():
            board.admit(suggestion.points)
    return board


def _to_come(board: Board, sources: Iterable[SuggestionSource]) -> int:
    """Cells that searches have yet to suggest; none where the budget leaves no room for them."""
    return 0 if board.unasked else sum(source.left(board.jobs) * source.each for source in sources)


def _fill(board: Board, study: Study, sources: Iterable[SuggestionSource]) -> Board:
    board.admit(expand(study))
    for source in sources:
        board.add_source(source)
    return board


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
    check_address(machines.address)
    stop = threading.Event()
    with heeded(stop):
        prepare(workspace)
        store = open_store(workspace.storage)
        require_power(study, store)
        if not settle(study, workspace, store, machines, progress, warn, stop):
            return Outcome(open_board(study, workspace, store), ran=True, stopped=True, untuned=True)
        return StudyRun(study, workspace, store, progress, machines, warn, stop, keep).run()


class StudyRun:
    """One run of a study whose hyperparameters are settled.

    Args:
        asked: the study as it was asked; what is run has its tuned values.
        workspace, store, progress, machines, warn, keep: as in `run_study`.
        stop: set by a signal handler to end the run.

    Raises:
        StudyError: a search or a cell can't be.
    """

    def __init__(
        self,
        asked: Study,
        workspace: Workspace,
        store: Store,
        progress: Progress,
        machines: Machines,
        warn: Callable[[str], None],
        stop: threading.Event,
        keep: Keep,
    ) -> None:
        self._asked, self._study = asked, settled(asked, store)
        self._workspace, self._store, self._machines = workspace, store, machines
        self._progress, self._warn, self._stop = progress, warn, stop
        journal = ready_journal(workspace, self._study.name, warn)
        sources = open_searches(self._study, journal)
        for number, source in sources.items():
            source.resume()
            warm_up(source, self._study, number, workspace, store)
        self._pruner = Pruner(store, keep, warn, growing=bool(sources)) if keep != "all" else None
        listeners: list[Listener] = [progress, *([self._pruner] if self._pruner else [])]
        stopping = Stopping(self._study, journal, store)
        reserve, slots = wants(self._study), machines.cpus or 1
        self._board = Board(store, listeners, self._study.budget, slots, reserve, stopping=stopping)
        progress.upcoming = lambda: _to_come(self._board, sources.values())
        _fill(self._board, self._study, sources.values())

    def run(self) -> Outcome:
        """Run what waits, if anything does.

        Raises:
            StudyError, TrackingError, UsageError: as of `run_study`.
        """
        if not self._board.has_work():
            if not self._board.left_out:
                self._prune()
            return Outcome(self._board, ran=False)
        _check_supply(self._study, self._board)
        tracked = _connecting(self._asked, self._workspace, self._warn)
        return self._conclude(self._watched(tracked), tracked())

    def _watched(self, tracked: Callable[[], Tracker]) -> bool:
        """Run what waits, in sight of other shells; whether it was interrupted."""
        chronicle = Chronicle(self._study.name, self._workspace, self._progress)
        self._board.subscribe(chronicle)
        try:
            return self._work(tracked)
        except (UsageError, OSError):
            with suppress(TrackingError):
                tracked().close("stopped")
            raise
        finally:
            chronicle.close()

    def _work(self, tracked: Callable[[], Tracker]) -> bool:
        if self._stop.is_set():
            return True
        from sweep.ray_backend import head_watch, nodes, tuner

        board, workspace, store = self._board, self._workspace, self._store
        try:
            with nodes.started(self._machines):
                pool = nodes.survey(self._machines, workspace.storage, store)
                slots = ready(board, self._machines, pool, self._warn, likely(self._study))
                self._progress.eta.concurrency = board.concurrency
                board.subscribe(tracked(), first=True)
                board.subscribe(slots)
                show_stored(board, store, tracked())
                if self._stop.is_set():
                    return True
                with head_watch.watched(lambda: self._abandon(tracked()), self._warn):
                    tuner.run_trials(board, workspace.storage, self._stop, slots, self._warn)
        except KeyboardInterrupt:
            return not board.broken
        finally:
            board.interrupt()
        return False

    def _abandon(self, tracker: Tracker) -> None:
        """Show that nothing runs any more."""
        self._board.interrupt()
        tracker.close("stopped")

    def _conclude(self, stopped: bool, tracker: Tracker) -> Outcome:
        board, workspace = self._board, self._workspace
        outcome = Outcome(board, ran=True, stopped=stopped)
        with suppress(OSError):  # a full disk here would hide how the run ended
            speeds.learn(workspace.speeds, board.jobs.values(), self._store)
        if not (outcome.unfinished or outcome.over_budget):
            self._prune()
        tracker.note(findings_of(self._asked, workspace, board, self._store).tags)
        tracker.close("stopped" if outcome.unfinished else "failed" if outcome.failed else "done")
        if board.broken:
            raise UsageError(f"--storage {workspace.storage}: {board.broken}; nothing is lost, run again to go on")
        if board.refused is not None:
            raise StudyError(f"{self._study.name}: {board.refused}")
        return outcome

    def _prune(self) -> None:
        if self._pruner is not None:
            self._pruner.finish(self._board.jobs.values())


def _connecting(study: Study, workspace: Workspace, warn: Callable[[str], None]) -> Callable[[], Tracker]:
    """The trackers, once it is asked for; it connects while Ray starts, since either takes seconds.

    Raises:
        TrackingError: from the function that is returned, if the server can't be used.
    """
    aside = ThreadPoolExecutor(1, "collapse-sweep connecting")
    connecting = aside.submit(connect_aside, study, workspace, warn)
    aside.shutdown(wait=False)

    @cache
    def tracked() -> Tracker:
        return connecting.result()(warn)

    return tracked


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
