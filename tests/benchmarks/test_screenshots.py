"""Screenshots: every width and theme is asked of the browser, and a machine without one gets a line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import screenshots

BROWSER = """#!/usr/bin/env python3
import pathlib, sys, urllib.parse
told = dict(part.lstrip("-").split("=", 1) for part in sys.argv[1:-1] if "=" in part)
page = pathlib.Path(urllib.parse.urlparse(sys.argv[-1]).path).read_text(encoding="utf-8")
pathlib.Path(told["screenshot"]).write_text(told["window-size"] + page, encoding="utf-8")
"""
PAGE = "<style>:root{color-scheme:light dark}@media(prefers-color-scheme:dark){body{color:white}}</style>"


def test_each_width_and_theme_has_its_picture(tmp_path: Path) -> None:
    browser, report = tmp_path / "browser", tmp_path / "report.html"
    browser.write_text(BROWSER, encoding="utf-8")
    browser.chmod(0o755)
    report.write_text(PAGE, encoding="utf-8")
    made = {path.name: path.read_text() for path in screenshots.shoot(str(browser), report, tmp_path / "top")}
    assert sorted(made) == ["top-1280-dark.png", "top-1280-light.png", "top-800-dark.png", "top-800-light.png"]
    assert made["top-800-dark.png"].startswith("800,1000")
    assert "@media all{body" in made["top-1280-dark.png"]
    assert "@media not all{body" in made["top-1280-light.png"]
    assert "color-scheme:dark}" in made["top-800-dark.png"]


def test_a_page_without_a_dark_theme_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing in it answers"):
        screenshots.themed("<p>", "dark")


def test_without_a_browser_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["screenshots", "report.html", "stem"])
    assert screenshots.main() == 2
    assert capsys.readouterr().err.startswith("collapse-sweep: screenshots: no Chromium here")
