"""The trackers' contract passes a sound tracker, and catches one that breaks any of its promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Study
from sweep.errors import TrackingError
from sweep.scheduling import Job
from sweep.testing import Seen, TrackerContract
from sweep.tracking import Summary, Tracker
from sweep.tracking.ledger import Ledger, Shown

Place = dict[str, Any]
_places: dict[str, Place] = {}


class Sound(Ledger):
    """Keeps what it hears in memory, as another process would find it."""

    def __init__(self, place: Place) -> None:
        super().__init__("memory")
        self.place = place

    def find(self, job: Job) -> Shown:
        there = {generation for key, generation, _ in self.place["points"] if key == job.key}
        return Shown(there, dict(self.place["states"].get(job.key, {})))

    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        self.place["points"].append((job.key, generation, dict(metrics)))

    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        self.place["states"][job.key] = dict(state)

    def write_study(self, tags: Mapping[str, str]) -> None:
        self.place["tags"] |= tags

    def figures(self, job: Job) -> dict[tuple[str, int], float]:
        mine = [(generation, held) for key, generation, held in self.place["points"] if key == job.key]
        return {(name, generation): value for generation, held in mine for name, value in held.items()}

    def remove(self, job: Job) -> None:
        self.place["points"][:] = [point for point in self.place["points"] if point[0] != job.key]
        self.place["states"].pop(job.key, None)

    def conclude(self, summaries: Sequence[Summary]) -> None:
        self.place["summaries"] = {one.key: one.tags["verdict"] for one in summaries}


class Suite(TrackerContract):
    """The contract of a tracker in memory; not collected, but called below."""

    compares = True
    kind: type[Ledger] = Sound

    def make(self, folder: Path, study: Study) -> Tracker:
        empty: Place = {"points": [], "states": {}, "tags": {}, "summaries": {}}
        return self.kind(_places.setdefault(str(folder), empty))  # type: ignore[arg-type]

    def read(self, folder: Path, study: Study) -> Seen:
        place = _places[str(folder)]
        points = {(key, generation): held for key, generation, held in place["points"]}
        statuses = {key: state["status"] for key, state in place["states"].items()}
        return Seen(points, statuses, len(place["points"]) - len(points), dict(place["summaries"]))

    def broken(self, folder: Path, study: Study) -> Tracker:
        raise TrackingError("memory: there is no room")


PROMISES = [name for name in dir(TrackerContract) if name.startswith("test_")]


@pytest.mark.parametrize("promise", PROMISES)
def test_a_sound_tracker_keeps_every_promise(promise: str, tmp_path: Path) -> None:
    getattr(Suite(), promise)(tmp_path)


class Rounding(Sound):
    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        super().write_generation(job, generation, {name: round(value, 6) for name, value in metrics.items()})


class Forgetful(Sound):
    """A later process does not know what is there."""

    def find(self, job: Job) -> Shown:
        return Shown()


class Sure(Sound):
    """Takes every cell for shown."""

    def find(self, job: Job) -> Shown:
        return Shown(set(range(1, 99)), dict(self.place["states"].get(job.key, {})))

    def shown(self, job: Job) -> bool:
        return True


class Optimist(Sound):
    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        super().write_state(job, {**state, "status": "done"}, statistics)


class Stale(Sound):
    """Leaves what was there when a cell is written anew."""

    def remove(self, job: Job) -> None:
        pass


class Blind(Sound):
    """Says that it compares, and reads nothing back."""

    def figures(self, job: Job) -> dict[tuple[str, int], float]:
        return {}


class Piling(Sound):
    def conclude(self, summaries: Sequence[Summary]) -> None:
        said = self.place["summaries"]
        said |= {f"{one.key} {len(said)}": one.tags["verdict"] for one in summaries}


class Deaf(Sound):
    def recorded(self, job: Job, record: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Rounding, "test_every_generation_is_there_with_all_its_digits"),
        (Optimist, "test_a_failed_cell_is_shown_as_failed"),
        (Forgetful, "test_what_a_killed_driver_wrote_is_found_again_and_never_doubled"),
        (Forgetful, "test_what_was_never_shown_is_written_from_the_store"),
        (Sure, "test_what_was_never_shown_is_written_from_the_store"),
        (Sure, "test_what_is_not_there_is_not_taken_for_shown"),
        (Stale, "test_figures_that_are_not_the_store_s_are_told_and_written_anew"),
        (Blind, "test_figures_that_are_not_the_store_s_are_told_and_written_anew"),
        (Piling, "test_what_configurations_came_to_is_said_once"),
        (Deaf, "test_every_generation_is_there_with_all_its_digits"),
        (Deaf, "test_another_that_fails_keeps_nothing_from_it"),
    ],
)
def test_a_broken_tracker_is_caught(kind: type[Ledger], promise: str, tmp_path: Path) -> None:
    suite = Suite()
    suite.kind = kind
    with pytest.raises(AssertionError):
        getattr(suite, promise)(tmp_path)


@pytest.mark.parametrize(
    ("trouble", "caught"),
    [(TrackingError("no room\nat all"), True), (TrackingError(" "), True), (None, True), (TrackingError("no"), False)],
    ids=["two lines", "no word", "nothing at all", "one line"],
)
def test_a_place_that_cannot_be_used_is_told_in_one_line_or_caught(
    trouble: TrackingError | None, caught: bool, tmp_path: Path
) -> None:
    class Elsewhere(Suite):
        def broken(self, folder: Path, study: Study) -> Tracker:
            if trouble is None:
                return self.make(folder, study)
            raise trouble

    promise = Elsewhere().test_a_place_that_cannot_be_used_is_told_in_one_line_and_stops_nothing
    if caught:
        with pytest.raises(AssertionError):
            promise(tmp_path)
    else:
        promise(tmp_path)


def test_a_tracker_that_reads_nothing_back_has_to_say_so(tmp_path: Path) -> None:
    suite = Suite()
    suite.compares = False
    with pytest.raises(AssertionError, match="it can't be read back"):
        suite.test_figures_that_are_not_the_store_s_are_told_and_written_anew(tmp_path)
    suite.kind = Blind
    suite.test_figures_that_are_not_the_store_s_are_told_and_written_anew(tmp_path / "other")


def test_every_promise_has_a_broken_tracker_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in PROMISES if text.count(name) < 1] == []
