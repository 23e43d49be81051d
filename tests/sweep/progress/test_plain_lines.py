"""What a run says line by line, and its sums, on a clock of the test's own."""

import io
import json

import pytest

from sweep.progress import Chronicle, LiveProgress, PlainProgress, Progress, read_note
from sweep.progress.run_log import EVERY, STALE
from sweep.progress.view import HEARTBEAT
from sweep.scheduling import Failure, Job, Stage
from sweep.workspace import open_workspace
from trainables import Cell, Record

CELL = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "generations": 3, "rows": 9})
TITLE = "gaussian / dim 1 / replace / seed 0"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def job(key, generations=3, done=0, status="waiting"):
    stages = [Stage(f"{key}{n}", "", "", 10.0) for n in range(generations)]
    return Job(CELL, key, {}, stages, done=done, status=status)


def record(n, loss=0.5):
    return Record(
        generation=n, test_loss=loss, corpus_rows=9, real_fraction=1.0, metrics={}, model="m", composition={},
        seconds={"fit": 1.25, "evaluate": 0.0625},
    )  # fmt: skip


def advance(listener, one):
    one.done += 1
    listener.recorded(one, record(one.done))


def begin(listener, one):
    one.status = "running"
    listener.started(one)


def end(listener, one, status, failure=None):
    one.status, one.failure = status, failure
    listener.ended(one)


@pytest.fixture
def plain():
    said, clock = [], Clock()
    return PlainProgress(2, said.append, clock), said, clock


def test_a_cell_that_is_done_is_told_with_its_generations_its_time_and_what_is_left(plain):
    """Thirty operations took six seconds; thirty more, two at a time, take three."""
    progress, said, clock = plain
    one, other = job("a"), job("b")
    progress.admitted(one)
    progress.admitted(other)
    clock.now = 5.0
    begin(progress, one)
    for _ in range(3):
        clock.now += 2.0
        advance(progress, one)
    end(progress, one, "done")
    assert said[0] == f"done    {TITLE}  (3 generations, 6 s)  [1/2 cells done, 0 running, 0 failed, about 3 s left]"


def test_cells_that_fail_or_are_stopped_say_why(plain):
    progress, said, _ = plain
    one, other = job("a"), job("b")
    for each in (one, other):
        progress.admitted(each)
        begin(progress, each)
    advance(progress, other)
    end(progress, one, "failed", Failure("the loss is nan", 2))
    end(progress, other, "stopped")
    assert said[0].startswith(f"failed  {TITLE}  generation 2: the loss is nan  [0/2 cells done, 1 running, 1 failed")
    assert said[1].startswith(f"stopped {TITLE}  by the scheduler, after 1 generations  [0/2 cells done, 0 running, ")
    assert "1 failed, 1 stopped early" in said[1]


def test_a_cell_that_goes_back_to_wait_says_nothing(plain):
    progress, said, _ = plain
    one = job("a")
    progress.admitted(one)
    begin(progress, one)
    end(progress, one, "waiting")
    assert said == []
    assert progress.running == []


def test_silence_is_broken_after_as_many_seconds_and_counted_from_the_last_line(plain):
    progress, said, clock = plain
    one = job("a", done=2)
    progress.admitted(one)
    begin(progress, one)
    clock.now = HEARTBEAT - 0.01
    progress.tick()
    assert said == []
    clock.now = HEARTBEAT
    progress.tick()
    assert said[0] == f"        {TITLE}  generation 3/3"
    assert said[1].startswith("running")
    clock.now = 2 * HEARTBEAT - 0.01
    progress.tick()
    assert len(said) == 2


def test_a_note_is_said_as_it_is(plain):
    progress, said, _ = plain
    progress.note("tuning first: 3 of 9")
    assert said == ["tuning first: 3 of 9"]


def test_generations_are_counted_whole_where_a_cell_ended_early():
    """What a failed cell will never reach is reached: it is not waited for."""
    clock = Clock()
    progress = Progress(1, clock)
    jobs = [job("a", 3), job("b", 5, done=2), job("c", 4, done=4, status="done")]
    for one in jobs:
        progress.admitted(one)
    assert (progress.generations, progress.reached, progress.cells) == (12, 0 + 2 + 4, 3)
    begin(progress, jobs[1])
    clock.now = 4.0
    advance(progress, jobs[1])
    assert progress.reached == 7
    end(progress, jobs[1], "failed", Failure("x"))
    assert progress.reached == 9
    assert progress.headline() == "1/3 cells done, 0 running, 1 failed, about 12 s left", "three of four seconds"


@pytest.mark.parametrize(("to_come", "expected"), [(0, 9), (2, 18), (3, 22)])
def test_cells_that_are_yet_to_be_suggested_have_as_many_generations_as_the_mean(to_come, expected):
    """9 generations of two cells: 4.5 each, and of three more 13.5, rounded to the even number below 14."""
    progress = Progress(1, Clock())
    progress.upcoming = lambda: to_come
    for one in (job("a", 4), job("b", 5)):
        progress.admitted(one)
    assert progress.cells == 2 + to_come
    assert progress.expected == pytest.approx(expected, abs=1)
    assert progress.expected == 9 + round(4.5 * to_come)


def test_jobs_that_run_are_listed_longest_first():
    clock = Clock()
    progress, jobs = Progress(1, clock), [job(key) for key in "abc"]
    for one in jobs:
        progress.admitted(one)
    for one, moment in zip(jobs, (3.0, 1.0, 2.0), strict=True):
        clock.now = moment
        begin(progress, one)
    assert [one.key for one in progress.running] == ["b", "c", "a"]
    clock.now = 9.0
    begin(progress, jobs[1])
    assert progress.begun["b"] == 1.0, "one whose worker died began when it first did"


def test_a_live_view_lists_twelve_cells_and_fills_its_bar():
    from rich.console import Console

    out = io.StringIO()
    progress = LiveProgress(2, Console(file=io.StringIO(), force_terminal=True), "study")
    for n in range(14):
        one = job(f"{n:02}", done=1)
        progress.admitted(one)
        begin(progress, one)
    progress.close()
    Console(file=out, width=100).print(progress._view())
    shown = out.getvalue()
    assert shown.count("generation 2/3") == 12
    assert "0/14 cells done, 14 running, 0 failed" in shown


@pytest.fixture
def chronicle(tmp_path):
    clock, workspace = Clock(), open_workspace(tmp_path / "w")
    progress = Progress(1, clock)
    return Chronicle("toy", workspace, progress, clock), progress, workspace, clock


def test_a_cells_log_has_a_line_for_each_thing_that_happened(chronicle):
    told, _, workspace, _ = chronicle
    one = job("a")
    told.started(one)
    advance(told, one)
    end(told, one, "waiting")
    told.started(one)
    end(told, one, "failed", Failure("MemoryError", 2, details="Traceback:\n  here\n"))
    lines = workspace.log("a").read_text().splitlines()
    assert [line.partition(" ")[2] for line in lines if line.startswith("20")] == [
        f"{TITLE}: taken up at generation 1/3",
        "generation 1: test_loss 0.5; computed in fit 1.25 s, evaluate 0.0625 s",
        "goes back to wait",
        f"{TITLE}: taken up at generation 2/3",
        "Traceback:",
    ]
    assert lines[-2:] == ["  here", "failed: generation 2: MemoryError"]


def test_a_note_is_written_every_two_seconds_and_not_more_often(chronicle):
    told, _, workspace, clock = chronicle
    path = workspace.running("toy")
    told.tick()
    first = path.read_text()
    clock.now = EVERY - 0.01
    told.tick()
    assert path.read_text() == first
    clock.now = EVERY
    told.tick()
    assert json.loads(path.read_text())["seconds"] == EVERY


def test_generations_a_minute_are_those_of_this_run_alone(tmp_path):
    """Of 12 three were there already; six more in two minutes are three a minute."""
    clock, workspace = Clock(), open_workspace(tmp_path / "w")
    progress, one = Progress(1, clock), job("a", 12, done=3)
    progress.admitted(one)
    told = Chronicle("toy", workspace, progress, clock, what="fits")
    for _ in range(6):
        one.done += 1
        progress.recorded(one, record(one.done))
    clock.now = 120.0
    told.tick()
    note = json.loads(workspace.running("toy").read_text())
    assert (note["per_minute"], note["reached"], note["generations"], note["what"]) == (3.0, 9, 12, "fits")
    assert (note["running"], note["failures"], note["nodes"], note["study"]) == ([], {}, [], "toy")


def test_a_failure_is_noted_until_the_cell_is_taken_up_again(chronicle):
    told, _, _, _ = chronicle
    one = job("a")
    end(told, one, "failed", Failure("MemoryError", 2))
    assert told._note(1.0)["failures"] == {"a": "generation 2: MemoryError"}
    told.started(one)
    assert told._note(1.0)["failures"] == {}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ('{"written": 100.0}', True),
        ('{"written": 70.1}', True),
        ('{"written": 70.0}', False),
        ('{"written": "soon"}', False),
        ("{}", False),
        ("[]", False),
        ("{", False),
    ],
)
def test_a_note_counts_while_it_is_young(tmp_path, text, good):
    path = tmp_path / "note.json"
    path.write_text(text)
    assert (read_note(path, clock=lambda: 100.0) is not None) is good
    assert STALE == 30.0
    assert read_note(tmp_path / "none.json") is None
