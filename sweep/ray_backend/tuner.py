"""Ray Tune at work on a board. Tune places trials on machines and tells when a worker dies; what is run next and again,
what is done and what is found after a kill is the board's and the store's business.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ray import tune
from ray.tune import Callback, TuneError
from ray.tune.search import Searcher

from sweep.errors import Interrupted
from sweep.ray_backend.internals import hold_secrets, losses_are_deaths, waiting_workers
from sweep.ray_backend.last_words import clipped, reason
from sweep.ray_backend.nodes import KILLED, lost
from sweep.ray_backend.stall_warning import Watch
from sweep.resources import Slots, as_config
from sweep.scheduling import Board, Failure, Job
from trainables.cell import Record
from trainables.config import canonical_json
from trainables.errors import CollapseSweepError
from trainables.runtime import redact
from trainables.store import StoreError
from trainables.tune import CellTrial

WORKER_DEATHS = 2
"""How often a cell whose worker died is started again; it goes on from its last generation."""

LOOK = 5.0
"""Seconds between two looks at whether Ray's node is alive."""


def run_trials(board: Board, store: str, stop: threading.Event, slots: Slots, warn: Callable[[str], None]) -> None:
    """Run the board's cells until it is finished.

    Args:
        board: what to run.
        store: URL that workers reach.
        stop: set by a signal handler to end the run.
        slots: how many trials there is room for, and what each reserves.
        warn: told in one line where nothing can run for a while.

    Raises:
        Interrupted: `stop` was set, or the store is broken; running generations are lost, all others kept.
    """
    hold_secrets()
    pulse, heard, deaths = _Pulse(board, stop, warn), _Heard(), _Deaths()
    trials = _Next(board, store, pulse, slots, deaths)
    with tempfile.TemporaryDirectory(prefix="collapse-sweep-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(CellTrial, _place),
            tune_config=tune.TuneConfig(search_alg=trials, num_samples=-1, reuse_actors=True),
            run_config=tune.RunConfig(
                name="study",
                storage_path=scratch,
                callbacks=[_Reports(board, pulse, slots, heard, deaths)],
                stop=_Stops(board, heard),
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
                verbose=0,
            ),
        )
        with losses_are_deaths(), waiting_workers():
            try:
                tuner.fit()
            except (TuneError, StoreError) as problem:
                _conclude(problem, board)


def _conclude(problem: BaseException, board: Board) -> NoReturn:
    """What has ended Tune's loop. Tune tells whatever happens within a callback, or to its own files, as text.

    Raises:
        Interrupted: the store is broken.
        CollapseSweepError, OSError: what it was.
        TuneError: a fault of the program.
    """
    cause: BaseException | None = problem
    while cause is not None:
        if isinstance(cause, StoreError):
            board.broken = str(cause)
            raise Interrupted from None
        if isinstance(cause, CollapseSweepError | OSError):
            raise cause from None
        cause = cause.__cause__ or cause.__context__
    raise problem


def _place(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial reserves. Workers are handed on where this is equal; of one bundle, the strategy means nothing."""
    return tune.PlacementGroupFactory([config["bundle"]], strategy="SPREAD" if config["own"] else "PACK")


class _Unpickled:
    """Tune pickles what it is given, for a restore that we never make."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Pulse:
    """What is looked at now and then while a study runs, and where it can end cleanly: on the main thread, between two
    events."""

    def __init__(self, board: Board, stop: threading.Event, warn: Callable[[str], None]) -> None:
        self._board, self._stop, self._watch, self._warn = board, stop, Watch(board, warn), warn
        self._looked = time.monotonic()

    def beat(self) -> None:
        """Let listeners know that time has passed.

        Raises:
            Interrupted: the run is to end, or can't go on.
        """
        self._board.tick()
        self._watch.look()
        if self._stop.is_set() or self._board.broken or self._lost():
            raise Interrupted

    def _lost(self) -> bool:
        """Whether Ray itself has died, looked at now and then; Tune would wait for it for ever."""
        if time.monotonic() - self._looked < LOOK:
            return False
        self._looked = time.monotonic()
        if not lost():
            return False
        self._warn(KILLED)
        return True


class _Next(_Unpickled, Searcher):  # type: ignore[misc]  # Ray is untyped
    """Tune asks here for the next trial."""

    def __init__(self, board: Board, store: str, pulse: _Pulse, slots: Slots, deaths: _Deaths) -> None:
        super().__init__()
        self._board, self._store, self._pulse, self._slots, self._deaths = board, store, pulse, slots, deaths

    def suggest(self, trial_id: str) -> Any:
        """The config of a trial, None to be asked again, or that there are no more.

        While all cells wait for what other drivers compute, Tune asks again and again, and does nothing else.
        """
        if not self._board.running:
            self._pulse.beat()
        job = self._board.take(self._slots.fits)
        if job is not None:
            config = {"cell": canonical_json(job.cell.canonical()), "store": self._store, "key": job.key}
            return config | {"begun": True, "own": job.key in self._deaths.own} | as_config(self._slots.take(job))
        return Searcher.FINISHED if self._board.finished else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The board hears of it from `_Reports`."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store and the board know."""

    def restore(self, checkpoint_path: str) -> None:
        """Never called: Tune's experiment state is not used."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing is pickled."""


class _Heard:
    """The record of a result, parsed once: Tune asks a stopper and then tells a callback of the same one."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._record: Record | None = None

    def __call__(self, result: Mapping[str, Any]) -> Record | None:
        """The record that a trial reports, or None where it reports its end."""
        text = result.get("record")
        if text is None:
            return None
        if text is not self._text:
            self._text, self._record = text, Record.model_validate_json(text)
        return self._record


class _Stops(_Unpickled, tune.Stopper):  # type: ignore[misc]  # Ray is untyped
    """Tune asks here, before it tells `_Reports`, whether a trial ends with what it has reported."""

    def __init__(self, board: Board, heard: _Heard) -> None:
        self._board, self._heard = board, heard

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Whether the study's scheduler stops the cell."""
        record = self._heard(result)
        return record is not None and self._board.judge(self._board.jobs[result["cell"]], record)

    def stop_all(self) -> bool:
        """Never: the board says when a study is over."""
        return False


class _Deaths:
    """Deaths of workers by cell, since it last got on.

    Attributes:
        own: cells that are to start in a worker of their own.
    """

    def __init__(self) -> None:
        self.own: set[str] = set()
        self._begun: set[str] = set()
        self._counts: Counter[str] = Counter()

    def begun(self, key: str, trial: str) -> None:
        """A worker has taken up the cell, in a trial of this name."""
        self._begun.add(trial)
        self.own.discard(key)

    def forgive(self, key: str) -> None:
        """The cell has got on."""
        del self._counts[key]

    def too_many(self, key: str, trial: str) -> bool:
        """Whether the death that has ended this trial of the cell is one too many.

        One before the cell was taken up may have been due to the cell that the worker had before: it counts for none,
        and whose fault it was shows in a worker of the cell's own.
        """
        if trial in self._begun or key in self.own:
            self._counts[key] += 1
        else:
            self.own.add(key)
        return self._counts[key] > WORKER_DEATHS


class _Reports(_Unpickled, Callback):  # type: ignore[misc]  # Ray is untyped
    """Tune tells here what trials report."""

    def __init__(self, board: Board, pulse: _Pulse, slots: Slots, heard: _Heard, deaths: _Deaths) -> None:
        self._board, self._pulse, self._slots, self._heard, self._deaths = board, pulse, slots, heard, deaths

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Tune has dealt with an event, or waited for one."""
        self._pulse.beat()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A worker has taken up a cell."""
        job = self._board.jobs[trial.config["key"]]
        self._deaths.begun(job.key, trial.trial_id)
        self._board.start(job)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A generation, or the end of a cell."""
        job = self._board.jobs[result["cell"]]
        if not self._board.holds(job):
            return
        if (record := self._heard(result)) is not None:
            if record.generation > job.done:  # a cell that gets on, not one that reads again what it has
                self._deaths.forgive(job.key)
            self._board.record(job, record)
        if result.get("peak"):
            self._slots.needs.learn(job, result["peak"])
        if result.get("cramped") is not None:
            self._cramped(job, Failure(**result["cramped"]))
        elif result.get("failure") is not None:
            self._board.fail(job, Failure(**result["failure"]))
        elif result.get("broken"):
            self._board.broken = result["broken"]
        elif result.get("busy"):
            self._board.requeue(job, result["held"])
        elif result["done"] and job.done < len(job.stages):
            self._board.stop(job)
        elif result["done"]:
            self._board.finish(job)

    def _cramped(self, job: Job, failure: Failure) -> None:
        """Beside others its accelerator's memory did not do; alone it may."""
        if 0 < self._slots.held(job).gpu < 1:
            self._slots.needs.isolate(job)
            self._board.requeue(job)
        else:
            self._board.fail(job, failure)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Its worker died."""
        job: Job = self._board.jobs[trial.config["key"]]
        if not self._board.holds(job):
            return
        if self._deaths.too_many(job.key, trial.trial_id):
            ended = f"the worker process died {WORKER_DEATHS + 1} times: {_last_words(trial)}"
            self._board.fail(job, Failure(redact(ended), job.done + 1, final=False))
        else:
            self._board.requeue(job)


def _last_words(trial: Any) -> str:
    """The end of what Ray says, which begins with a heading and a traceback."""
    said = Path(trial.error_file).read_text() if trial.error_file else ""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return reason(said) or (clipped(lines[-1]) if lines else "no reason was given")
