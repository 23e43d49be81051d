"""What a run leaves for others to read, line by line, on a clock of the test's own."""

import json

import pytest

from sweep.progress import Chronicle, Progress, read_note
from sweep.progress.run_log import EVERY, STALE
from sweep.scheduling import Failure
from sweep.workspace import open_workspace
from tests.support.jobs import TITLE, Clock, advance, end, job, record


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
