"""The scripts of charts are put together once and kept; nothing but what was kept is used."""

from __future__ import annotations

from pathlib import Path

import pytest
import vl_convert

from analysis.report.page import vega


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that the scripts are put together; caches lie in a folder of the test's own."""
    times: list[str] = []

    def bundle() -> str:
        times.append("made")
        return "let a = '–'"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    monkeypatch.setattr(vega, "user_cache_dir", lambda *_, **__: str(tmp_path / "caches"))
    return times


def kept(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "caches").rglob("*.js")
    return file


def test_the_second_report_takes_what_the_first_has_made(tmp_path: Path, made: list[str]) -> None:
    first = vega.script()
    assert first == "(()=>{let a = '–'})();"
    assert kept(tmp_path).read_text(encoding="utf-8") == "let a = '–'"
    assert vega.script() == first
    assert len(made) == 1


def test_a_file_that_somebody_has_changed_is_not_used(tmp_path: Path, made: list[str]) -> None:
    first = vega.script()
    kept(tmp_path).write_text("alert(1)")
    assert vega.script() == first
    assert len(made) == 2
    assert kept(tmp_path).read_text(encoding="utf-8") == "let a = '–'"


def test_where_nothing_can_be_kept_every_report_makes_its_own(tmp_path: Path, made: list[str]) -> None:
    (tmp_path / "caches").write_text("no folder")
    assert vega.script() == vega.script()
    assert len(made) == 2
