"""The daemon that lets trials share a card: started and ended by a stand-in of CUDA's tool."""

import logging
import os
from pathlib import Path

import pytest

from sweep.ray_backend import mps
from sweep.ray_backend.mps import CONTROL, LOGS, PIPES, WANTED, shared_cards


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the stand-in was called with, and what it was told, a line each; it fails where a file `broken` lies."""
    seen = tmp_path / "calls"
    tool = tmp_path / CONTROL
    tool.write_text(
        f'#!/bin/sh\n[ -e "{tmp_path}/broken" ] && echo "no such device" >&2 && exit 1\n'
        f'echo "$* $(cat) ${PIPES}" >> "{seen}"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv(WANTED, "1")
    for name in (PIPES, LOGS):
        monkeypatch.delenv(name, raising=False)
    return seen


def test_a_daemon_lives_as_long_as_the_block(calls: Path) -> None:
    with shared_cards():
        folder = os.environ[PIPES]
        assert calls.read_text() == f"-d  {folder}\n"
        assert os.environ[LOGS] == folder
        assert Path(folder).is_dir()
    assert calls.read_text().splitlines() == [f"-d  {folder}", f" quit {folder}"]
    assert not Path(folder).exists()
    assert PIPES not in os.environ
    assert LOGS not in os.environ


def test_it_ends_where_the_block_fails(calls: Path) -> None:
    with pytest.raises(KeyError), shared_cards():
        raise KeyError
    assert "quit" in calls.read_text()
    assert PIPES not in os.environ


def test_one_that_is_there_is_left_alone(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIPES, "/there")
    with shared_cards():
        assert os.environ[PIPES] == "/there"
    assert os.environ[PIPES] == "/there"
    assert not calls.exists()


def test_nobody_has_one_unasked(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WANTED)
    with shared_cards():
        assert PIPES not in os.environ
    assert not calls.exists()


def test_without_the_tool_there_is_a_word(
    calls: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "")
    with caplog.at_level(logging.WARNING), shared_cards():
        assert PIPES not in os.environ
    assert f"there is no {CONTROL} here: trials that share a card take turns" in caplog.text


def test_a_daemon_that_does_not_start_ends_no_run(calls: Path, caplog: pytest.LogCaptureFixture) -> None:
    (calls.parent / "broken").touch()
    with caplog.at_level(logging.WARNING), shared_cards():
        assert PIPES not in os.environ  # clients would wait for it
    assert caplog.text.count("no such device") == 1
    assert not calls.exists()


def test_a_daemon_that_hangs_ends_no_run(
    calls: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (calls.parent / CONTROL).write_text("#!/bin/sh\nexec sleep 30\n")
    monkeypatch.setattr(mps, "PATIENCE", 0.2)
    with caplog.at_level(logging.WARNING), shared_cards():
        pass
    assert "timed out" in caplog.text
