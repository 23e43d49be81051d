"""Output whose reader has gone: what computes goes on, and a command ends with the code that it would have had."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

import pytest
from rich.console import Console

from sweep.commands.outcome import report, say
from sweep.streams import lossy, unread
from sweep.workspace import open_workspace
from trainables.store import open_store

STUDY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 3, replicates: 5}
space:
  policy.kind: {grid: [replace, accumulate]}
  seed: {grid: [0, 1]}
"""


def closed_pipe() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w", encoding="utf-8")


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of bash; its exit code is that of the first command."""
    called = f"{sys.executable} -m sweep {line}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(["bash", "-c", called], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_nobody_reads_ends_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with closed_pipe() as stream:
        monkeypatch.setattr(sys, name, stream)
        done = []

        def command() -> int:
            for number in range(3):
                say(f"generation {number}")
                print(f"generation {number}", flush=True)
                Console(file=getattr(sys, name)).print("a table")
                handler = logging.StreamHandler(getattr(sys, name))
                handler.handle(logging.LogRecord("some", logging.WARNING, "", 0, "a warning", None, None))
                done.append(number)
            assert unread() is (name == "stdout")
            return 1

        assert report(command) == 1
        assert done == [0, 1, 2]


def test_a_log_on_a_full_disk_ends_nothing_but_results_are_not_lost_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stderr", full)
        with lossy():
            say("done")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.undo()
        monkeypatch.setattr(sys, "stdout", full)
        assert report(lambda: print("a result") or 0) == 2
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())  # what waits in the buffer


def test_a_stream_that_was_never_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert report(lambda: say("a note") or 0) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_run_goes_on_when_head_has_seen_enough(tmp_path: Path) -> None:
    """It ended with code 1, and cells were left."""
    (tmp_path / "toy.yaml").write_text(STUDY, encoding="utf-8")
    ran = shell(tmp_path, "run toy.yaml --workspace w --tracking-uri none --cpus 1 2>&1 | head -1")
    assert (ran.returncode, ran.stderr, len(ran.stdout.splitlines())) == (0, "", 1)
    assert (
        sum(1 for _ in open_store(open_workspace(tmp_path / "w").storage).keys("record")) == 10
    )  # the first of two policies is one
    assert (tmp_path / "w/reports/toy/report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("words", ["schema reference", "studies --json", "plan toy.yaml", "status toy.yaml --json"])
def test_a_command_that_prints_ends_quietly(tmp_path: Path, words: str) -> None:
    (tmp_path / "toy.yaml").write_text(STUDY, encoding="utf-8")
    done = shell(tmp_path, f"{words} | true")
    assert done.returncode == 0
    assert all(line.startswith("note:") for line in done.stderr.splitlines())
