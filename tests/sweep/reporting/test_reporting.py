"""A report is made again exactly where its figures, its title or its command changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import analysis.report
from sweep.reporting.report import write_report
from trainables.store import MemoryStore


def test_a_report_is_drawn_again_only_where_something_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def build(frame: pd.DataFrame, folder: Path, title: str, **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "report.html").touch()
        frame.to_parquet(folder / "robustness.parquet")
        built.append(title)

    monkeypatch.setattr(analysis.report, "build_report", build)
    frame, folder, store = pd.DataFrame({"test_loss": [1.0, 2.0]}), tmp_path / "r", MemoryStore()

    def write(made: pd.DataFrame, title: str = "a", reuse: bool = True) -> int:
        write_report(made, folder, title, store, "command", reuse)
        return len(built)

    assert write(frame) == 1
    assert write(frame) == 1
    assert write(frame.assign(test_loss=[1.0, 2.0 + 1e-12])) == 2, "a figure changed in its last digits"
    assert write(frame.assign(test_loss=[1.0, 2.0 + 1e-12]), title="b") == 3
    assert write(frame, reuse=False) == 4
    (folder / "report.html").unlink()
    assert write(frame) == 5
