"""What every tracker must do: lose nothing, double nothing, round nothing, and tell failures in one line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from analysis.data import metrics_of
from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.errors import TrackingError
from sweep.scheduling import Board, Failure, Job, read_records
from sweep.tracking import Guarded, Several, Summary, Tracker
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Store

Points = dict[tuple[str, int], dict[str, float]]


@dataclass
class Seen:
    """What a tracker shows, as somebody finds it who reads its files or asks its server.

    Attributes:
        points: metrics by cell key and generation.
        statuses: `done`, `failed`, … by cell key.
        doubled: how many points stand there more than once.
        summaries: verdict by summary key, or by whatever names one; empty where the tracker shows none.
    """

    points: Points = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    doubled: int = 0
    summaries: dict[str, str] = field(default_factory=dict)


class TrackerContract(ABC):
    """Subclass it as `TestMine` and say how your tracker is made and read; pytest collects the rest.

    Attributes:
        summarises: whether the tracker shows what configurations came to.
        compares: whether it reads back what it shows (`figures` and `remove` of a `Ledger`), which `relog` mends.
    """

    summarises = True
    compares = False

    @abstractmethod
    def make(self, folder: Path, study: Study) -> Tracker:
        """A tracker of this study that writes into the folder, or to a server that stands for it. Called again with the
        same folder it stands for a later process."""

    @abstractmethod
    def read(self, folder: Path, study: Study) -> Seen:
        """What is there now; asked only of what was closed."""

    def broken(self, folder: Path, study: Study) -> Tracker:
        """A tracker whose place can't be used: by default a folder of which a part is a file."""
        (folder / "in the way").write_text("")
        return self.make(folder / "in the way", study)

    def test_every_generation_is_there_with_all_its_digits(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        tracker = self.make(tmp_path, study)
        board = _run(study, store, tracker)
        tracker.note({"tuned": "yes"})
        tracker.close("done")
        seen = self.read(tmp_path, study)
        assert seen.points == _expected(board, store)
        assert seen.doubled == 0
        assert seen.statuses == dict.fromkeys(board.jobs, "done")

    def test_what_a_killed_driver_wrote_is_found_again_and_never_doubled(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        board = Board(store, [self.make(tmp_path, study)])
        board.admit(expand(study))
        job = board.take()
        assert job is not None
        board.start(job)
        board.record(job, Recursion(job.cell, store).record(1))  # and then the driver is killed
        second = self.make(tmp_path, study)
        board = _run(study, store, second)
        second.close("done")
        seen = self.read(tmp_path, study)
        assert seen.points == _expected(board, store)
        assert seen.doubled == 0

    def test_what_was_never_shown_is_written_from_the_store(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        _run(study, store)
        board = _admitted(study, store)
        tracker = self.make(tmp_path, study)
        for _ in range(2):
            for job in board.jobs.values():
                tracker.complete(job, read_records(job, store))
        assert all(tracker.shown(job) for job in board.jobs.values())
        tracker.close("done")
        seen = self.read(tmp_path, study)
        assert seen.points == _expected(board, store)
        assert seen.doubled == 0
        again = self.make(tmp_path, study)
        assert all(again.shown(job) for job in board.jobs.values()), "a later process knows what is there"

    def test_what_is_not_there_is_not_taken_for_shown(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        _run(study, store)
        board, tracker = _admitted(study, store), self.make(tmp_path, study)
        assert not any(tracker.shown(job) for job in board.jobs.values())

    def test_figures_that_are_not_the_store_s_are_told_and_written_anew(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        tracker = self.make(tmp_path, study)
        board = _run(study, store, tracker)
        tracker.close("done")
        job = next(iter(board.jobs.values()))
        first, second, *rest = read_records(job, store)
        others = [first, second.model_copy(update={"test_loss": 0.01}), *rest]
        tracker = self.make(tmp_path, study)
        found = [one for one in tracker.mend(job, others) if not one.metric.startswith("growth")]
        if not self.compares:
            assert found == [], "it can't be read back"
            return
        assert [(one.metric, one.generation, one.shown, one.stored) for one in found] == [
            ("test_loss", 2, second.test_loss, 0.01)
        ]
        tracker.close("done")
        seen = self.read(tmp_path, study)
        assert seen.points == _expected(board, store) | {(job.key, 2): metrics_of(others[1])}
        assert (seen.doubled, seen.statuses) == (0, dict.fromkeys(board.jobs, "done"))
        assert not self.make(tmp_path, study).mend(job, others), "a later process finds nothing to mend"

    def test_a_failed_cell_is_shown_as_failed(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        tracker = self.make(tmp_path, study)
        board = Board(store, [tracker])
        board.admit(expand(study))
        job = board.take()
        assert job is not None
        board.start(job)
        board.record(job, Recursion(job.cell, store).record(1))
        board.fail(job, Failure("the loss is nan", 2))
        tracker.close("failed")
        assert self.read(tmp_path, study).statuses[job.key] == "failed"

    def test_what_configurations_came_to_is_said_once(self, tmp_path: Path) -> None:
        if not self.summarises:
            pytest.skip("this tracker shows no summaries")
        study = _study()
        for verdict in ("rises", "rises", "collapses"):
            tracker = self.make(tmp_path, study)
            tracker.conclude(_summaries(verdict))
            tracker.close("")
        assert sorted(self.read(tmp_path, study).summaries.values()) == ["collapses", "stable"]

    def test_a_place_that_cannot_be_used_is_told_in_one_line_and_stops_nothing(self, tmp_path: Path) -> None:
        study, store = _study(), MemoryStore()
        said: list[str] = []
        try:
            tracker: Tracker = Guarded(self.broken(tmp_path, study), said.append)
            _run(study, store, tracker)
            tracker.close("done")
        except TrackingError as problem:  # refused when it is made, before anything is trained
            said.append(str(problem))
        assert len(said) == 1, said
        assert "\n" not in said[0]
        assert said[0].strip()

    def test_another_that_fails_keeps_nothing_from_it(self, tmp_path: Path) -> None:
        study, store, said = _study(), MemoryStore(), list[str]()
        both = Several([Guarded(_Broken(), said.append), Guarded(self.make(tmp_path, study), said.append)])
        board = _run(study, store, both)
        both.close("done")
        assert self.read(tmp_path, study).points == _expected(board, store)
        assert said == ["tracking: RuntimeError: nobody foresaw this"]
        assert both.trouble == said[0]


class _Broken:
    """A tracker of which nothing works."""

    trouble: str | None = None

    def __getattr__(self, name: str) -> Any:
        def fails(*arguments: Any) -> None:
            raise RuntimeError("nobody foresaw\nthis")

        return fails


def _study() -> Study:
    cell = {"family": {"kind": "gaussian"}, "rows": 20, "generations": 3, "replicates": 2}
    space = {"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1))}
    return Study(name="contract/study", description="of a tracker", blocks=(Block(cell=cell, space=space),))


def _admitted(study: Study, store: Store, *listeners: Any) -> Board:
    board = Board(store, listeners)
    board.admit(expand(study))
    return board


def _run(study: Study, store: Store, tracker: Tracker | None = None) -> Board:
    """The study to its end, one generation of every cell after the other."""
    board = _admitted(study, store, *([tracker] if tracker else []))
    while (job := board.take()) is not None:
        board.start(job)
        for generation in range(1, len(job.stages) + 1):
            board.record(job, Recursion(job.cell, store).record(generation))
            board.tick()
        board.finish(job)
    return board


def _expected(board: Board, store: Store) -> Points:
    """What the store has."""
    return {(job.key, record.generation): metrics_of(record) for job, record in _records(board, store)}


def _records(board: Board, store: Store) -> Iterator[tuple[Job, Any]]:
    for job in board.jobs.values():
        for record in read_records(job, store):
            yield job, record


def _summaries(verdict: str) -> list[Summary]:
    def one(policy: str, word: str) -> Summary:
        tags = {"policy": policy, "configuration": "dim 1", "family": "gaussian", "verdict": word, "reason": "why"}
        curves = {"test_loss": {1: 0.1, 2: 0.2}, "test_loss_low": {1: 0.0}, "test_loss_high": {1: 0.3, 2: 0.4}}
        return Summary(
            f"key of {policy}", f"dim 1 / {policy}", tags | {"verdict.test_loss": word}, curves, {"growth": 0.1}
        )

    return [one("replace", verdict), one(f"compose({'corpus.0.times=0.3, ' * 20})", "stable")]
