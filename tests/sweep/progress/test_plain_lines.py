"""What a run says line by line, and its sums, on a clock of the test's own."""

import io

import pytest

from sweep.progress import LiveProgress, PlainProgress, Progress
from sweep.progress.view import HEARTBEAT
from sweep.scheduling import Failure
from tests.support.jobs import TITLE, Clock, advance, begin, end, job


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
    assert said[1].startswith(f"stopped {TITLE}  by the scheduler, after 1 generation  [0/2 cells done, 0 running, ")
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


@pytest.mark.parametrize(("to_come", "expected"), [(0, 9), (1, 13), (2, 18), (3, 23)])
def test_cells_that_are_yet_to_be_suggested_have_as_many_generations_as_the_mean(to_come, expected):
    """9 generations of two cells are 4.5 each: of one more 4, of two 9, of three 13.5 and so 14."""
    progress = Progress(1, Clock())
    progress.upcoming = lambda: to_come
    for one in (job("a", 4), job("b", 5)):
        progress.admitted(one)
    assert progress.cells == 2 + to_come
    assert progress.expected == expected


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
