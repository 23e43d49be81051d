"""Pictures of a report's first screen at two widths, light and dark, by headless Chromium (Debian package chromium).

    python -m benchmarks.screenshots REPORT.html docs/img/quickstart-report

writes `docs/img/quickstart-report-1280-light.png` and its like. The page is not changed but for its theme: a copy
answers `prefers-color-scheme` by itself.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

WIDTHS, HEIGHT = (1280, 800), 1000
THEMES = {"light": "not all", "dark": "all"}
QUERY = "(prefers-color-scheme:dark)"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--virtual-time-budget=10000",  # until charts are drawn
)  # fmt: skip


def browser() -> str | None:
    """The first of the browsers that is there."""
    return next((found for found in map(shutil.which, BROWSERS) if found), None)


def themed(page: str, theme: str) -> str:
    """The page as it looks in a theme, whatever the browser asks for.

    Raises:
        ValueError: the page has no dark theme.
    """
    if QUERY not in page:
        raise ValueError(f"page: nothing in it answers {QUERY}")
    dark = page.replace(f"@media{QUERY}", f"@media {THEMES[theme]}")
    return dark.replace("color-scheme:light dark", f"color-scheme:{theme}")


def shoot(command: str, report: Path, stem: Path) -> Iterator[Path]:
    """Every picture, as it is written."""
    page = report.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for theme in THEMES:
            copy = Path(folder) / f"{theme}.html"
            copy.write_text(themed(page, theme), encoding="utf-8")
            for width in WIDTHS:
                target = stem.with_name(f"{stem.name}-{width}-{theme}.png").absolute()
                own = (f"--user-data-dir={folder}/{theme}{width}", f"--window-size={width},{HEIGHT}")
                options = [*FLAGS, *own, f"--screenshot={target}", copy.as_uri()]
                subprocess.run([command, *options], check=True, capture_output=True, timeout=120)
                yield target


def main() -> int:
    """Take the pictures and print their names; 2 where there is no browser or no report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("stem", type=Path)
    given = parser.parse_args()
    command = browser()
    if command is None or not given.report.is_file():
        what = "no Chromium here; apt-get install chromium" if command is None else f"no file {given.report}"
        print(f"collapse-sweep: screenshots: {what}", file=sys.stderr)
        return 2
    for path in shoot(command, given.report, given.stem):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
