"""The studies that scaling laws are fitted to, shrunken: they run end to end, and their report has a law for every
policy and generation, or says that none fits.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.commands import call


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_scaling_study_ends_with_its_laws(tmp_path: Path) -> None:
    shrunken = ["generations=2", "seed={grid: [0, 1, 2]}", "family.epochs=0.5"]
    overrides = [part for text in shrunken for part in ("-o", text)]
    call(tmp_path, "run", "scaling/vae", *overrides, "--tracking-uri", "none")
    report = tmp_path / "collapse-runs" / "reports" / "scaling" / "vae"
    table = report / "scaling.md"
    lines = table.read_text(encoding="utf-8").splitlines()[2:] if table.is_file() else []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rejected = re.search(r"No law of this form fits \d+ ladders: ([^<]*)", (report / "report.html").read_text("utf-8"))
    for policy in ("replace", "accumulate"):
        generations = [row[2] for row in rows if row[1] == policy]
        assert generations == ["1", "2"] or (rejected is not None and f"vae {policy}" in rejected[1])
    assert all(row[3:5] == ["4", "36"] for row in rows), "four widths, at three amounts of data with three seeds"
