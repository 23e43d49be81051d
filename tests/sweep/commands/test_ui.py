"""`ui` names each study's page and opens the newest once its server answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sweep.commands import ui
from sweep.errors import UsageError
from sweep.workspace import open_workspace


def test_each_study_s_page_is_named_and_the_newest_opened_once_somebody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, done = [], threading.Event()

    def show(link: str) -> None:
        opened.append(link)
        done.set()

    start = subprocess.Popen

    def serve(command: list[str], **more: Any) -> Any:
        assert opened == [], "nobody answers yet"
        with socket.create_server(("localhost", int(command[command.index("--port") + 1]))):
            assert done.wait(60)
        return start([sys.executable, "-c", ""], start_new_session=True)

    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setattr("webbrowser.open", show)
    monkeypatch.setattr(ui.subprocess, "Popen", serve)
    monkeypatch.setattr(ui, "pages", lambda uri: {"new": "/#/experiments/2", "old": "/#/experiments/1"})
    assert ui.ui(open_workspace(tmp_path), port, browser=True) == 0
    assert opened == [f"http://127.0.0.1:{port}/#/experiments/2"]
    assert f"old: http://127.0.0.1:{port}/#/experiments/1" in capsys.readouterr().err


def test_a_tracker_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not MLflow's"):
        ui.ui(open_workspace(tmp_path, tracking_uri="csv://runs"), 5000)
