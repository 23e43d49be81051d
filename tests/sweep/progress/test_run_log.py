"""What another shell can read of a run: each cell's log, the note of the whole, and what `status` makes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.expansion import expand
from sweep.commands.status import status
from sweep.progress import Chronicle, Progress, read_note
from sweep.scheduling import Board, Failure
from sweep.workspace import Workspace, open_workspace
from tests.support.toys import step, toy
from trainables.store import open_store

TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 3, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}, seed: {grid: [0, 1]}}
"""


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def run(tmp_path: Path) -> tuple[Workspace, Board, Chronicle, Clock]:
    """A run of the toy study, of which one cell is done and one has failed, a minute after it began."""
    clock, workspace = Clock(), open_workspace(tmp_path / "w")
    store, progress = open_store(workspace.storage), Progress(2, clock)
    board = Board(store, [progress], clock=clock)
    board.admit(expand(toy()))
    chronicle = Chronicle("toy", workspace, progress, clock)
    board._listeners.append(chronicle)  # type: ignore[attr-defined]
    done = board.take()
    assert done is not None
    while board.holds(done):
        step(board, done, store)
    failed = board.take()
    assert failed is not None
    board.start(failed)
    board.fail(failed, Failure("MemoryError", 2, final=False, details="Traceback: here"))
    taken = board.take()
    assert taken is not None
    board.start(taken)  # and holds no lease, as between two steps
    clock.now = 60.0
    board.tick()
    return workspace, board, chronicle, clock


def test_a_cells_log_says_what_happened_to_it(run: tuple[Workspace, Board, Chronicle, Clock]) -> None:
    workspace, board, _, _ = run
    done, failed = (next(job for job in board.jobs.values() if job.status == word) for word in ("done", "failed"))
    lines = workspace.log(done.key).read_text().splitlines()
    assert len(lines) == 5
    assert "taken up at generation 1/3" in lines[0]
    assert all(f"generation {n}: test_loss" in lines[n] for n in (1, 2, 3))
    assert lines[4].endswith("done")
    assert "Traceback: here" in workspace.log(failed.key).read_text()
    assert workspace.log(failed.key).read_text().endswith("failed: generation 2: MemoryError\n")


def test_the_note_tells_throughput_and_ends_with_the_run(run: tuple[Workspace, Board, Chronicle, Clock]) -> None:
    workspace, _, chronicle, _ = run
    note = read_note(workspace.running("toy"))
    assert note is not None
    assert note["per_minute"] == pytest.approx(note["reached"])
    assert note["headline"].startswith("1/4 cells done, 1 running, 1 failed")
    assert list(note["failures"].values()) == ["generation 2: MemoryError"]
    assert read_note(workspace.running("toy"), clock=lambda: note["written"] + 31) is None, "a killed run"
    chronicle.close()
    assert read_note(workspace.running("toy")) is None


def test_a_note_of_a_process_that_is_gone_is_a_killed_run_s_at_once(
    run: tuple[Workspace, Board, Chronicle, Clock],
) -> None:
    workspace, *_ = run
    path = workspace.running("toy")
    note = json.loads(path.read_text())
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    assert read_note(path) is not None, "this process lives"
    path.write_text(json.dumps(note | {"pid": dead.pid}))
    assert read_note(path) is None
    path.write_text(json.dumps(note | {"pid": dead.pid, "machine": "another"}))
    assert read_note(path) is not None, "its processes can't be seen from here"


def test_status_in_another_shell_shows_the_run(
    run: tuple[Workspace, Board, Chronicle, Clock], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, board, _, _ = run
    study = tmp_path / "toy.yaml"
    study.write_text(TOY)
    assert status(str(study), [], workspace, json=False) == 1
    said = capsys.readouterr().out
    failed = next(job for job in board.jobs.values() if job.status == "failed")
    assert "toy: 1 done, 1 running, 1 failed, 1 left" in said
    assert f"(log: {workspace.log(failed.key)}); once that is mended, try again with: collapse-sweep run" in said
    assert f"failed: {failed.title}: generation 2: MemoryError" in said
    assert "running for 60 s as process" in said
    assert status(str(study), [], workspace, json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["run"]["generations"] == 12
    assert sum(cell["log"] is not None for cell in told["cells"]) == 3


def test_a_full_disk_costs_the_logs_and_not_the_run(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "w")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "logs").write_text("in the way")
    (tmp_path / "w" / "running").write_text("in the way")
    store, progress = open_store(workspace.storage), Progress(1)
    chronicle = Chronicle("toy", workspace, progress)
    board = Board(store, [progress, chronicle])
    board.admit(expand(toy(seeds=1)))
    job = board.take()
    assert job is not None
    step(board, job, store)
    board.tick()
    chronicle.close()
    assert job.done == 1
