"""`compare`: settings that differ, verdicts side by side, differences at equal seeds, curves on one axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.report import ReportContext, paired_differences, side_by_side
from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.commands.compare import compare
from sweep.errors import UsageError
from sweep.workspace import Workspace, open_workspace, prepare
from tests.support import simulated
from trainables import run
from trainables.store import open_store


def curves(slope: float, seeds: tuple[int, ...], **more: Any) -> ReportContext:
    n = np.arange(1, 7)
    held = {("dim 10", "replace", seed): 1 + seed + slope * n + 0.01 * seed * n for seed in seeds}
    return ReportContext(simulated.study(held, **more), f"slope {slope}")


def test_differences_are_taken_within_a_seed() -> None:
    """Levels differ by whole units between seeds; only pairing shows a difference of slopes of 0.2 exactly."""
    found = paired_differences([curves(0.1, (0, 1, 2)), curves(0.3, (1, 2, 3), rows=7)])
    assert found[["study", "policy", "metric", "pairs"]].values.tolist() == [["slope 0.3", "replace", "test_loss", 2]]
    (row,) = found.to_dict("records")
    assert [row[name] for name in ("growth", "growth_low", "growth_high")] == pytest.approx([0.2] * 3)
    assert row["last"] == pytest.approx(0.2 * 6)


def test_over_the_generations_that_both_reached() -> None:
    short = curves(0.1, (0, 1))
    short = ReportContext(short.frame[short.frame["generation"] <= 3], "short")
    (row,) = paired_differences([short, curves(0.3, (0, 1))]).to_dict("records")
    assert row["last"] == pytest.approx(0.2 * 3)
    assert paired_differences([curves(0.1, (0, 1)), curves(0.3, (2, 3))]).empty, "no seed in common, no pair"


def test_a_study_in_which_a_recursion_diverged_has_no_difference_of_growth() -> None:
    other = curves(0.3, (0, 1))
    lost = (other.frame["seed"] == 1) & (other.frame["generation"] > 3)
    other = ReportContext(other.frame.assign(test_loss=other.frame["test_loss"].mask(lost, np.inf)), "other")
    (row,) = paired_differences([curves(0.1, (0, 1)), other]).to_dict("records")
    assert (row["pairs"], row["diverged"]) == (2, 1)
    assert np.isnan([row["growth"], row["growth_low"], row["growth_high"]]).all()


def test_of_a_cell_that_failed_one_of_the_recursions_side_by_side_diverged() -> None:
    failed = ReportContext(curves(0.3, (0,)).frame.assign(status="failed"), "failed")
    both = [curves(0.1, (0,)), failed]
    for study in both:
        found = {cell: {"test_loss": np.ones((3, 6))} for cell in study.frame["cell"].unique()}
        study.__dict__["replicates"] = found  # as a store would hold them
    (row,) = paired_differences(both).to_dict("records")
    assert (row["pairs"], row["diverged"]) == (3, 1)
    assert np.isnan(row["growth"])


def test_each_study_has_a_column_and_what_it_lacks_is_empty() -> None:
    one, two = curves(0.1, (0, 1, 2)), curves(0.3, (0, 1, 2))
    frame = two.frame.copy()
    other = ReportContext(pd.concat([frame, frame.assign(policy="accumulate", cell=frame["cell"] + "b")]), "both")
    table = side_by_side([one, other]).set_index("policy")
    assert table.loc["replace", "slope 0.1"].startswith("+0.1")
    assert table.loc["replace", "both"].startswith("+0.3")
    assert table.loc["accumulate", "slope 0.1"] == ""


STUDY = {
    "name": "toy",
    "cell": {"family": {"kind": "gaussian"}, "generations": 3, "rows": 20, "replicates": 4},
    "space": {"policy.kind": {"grid": ["replace", "accumulate"]}, "seed": {"grid": [0, 1, 2]}},
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Workspace]:
    """Two studies that have been run: in one workspace, `toy` and `wide`."""
    workspace = open_workspace(tmp_path / "w", tracking_uri="none")
    prepare(workspace)
    store, made = open_store(workspace.storage), []
    for name, rows in (("toy", 20), ("wide", 60)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(STUDY | {"name": name, "cell": {**STUDY["cell"], "rows": rows}}))  # type: ignore[dict-item]
        for point in expand(load_study(str(path))):
            for _ in run(point.cell, store):
                pass
        made.append(path)
    return made[0], made[1], workspace


def test_the_command_writes_a_page_and_tells_what_differs(
    files: tuple[Path, Path, Workspace], capsys: pytest.CaptureFixture[str]
) -> None:
    toy, wide, workspace = files
    assert compare([str(toy), str(wide)], workspace, None, json=False) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.startswith("cell.")] == [["cell.rows", "20", "60"]]
    folder = workspace.root / "reports" / "compared" / "toy-and-wide"
    page = (folder / "compare.html").read_text()
    assert "Settings that differ" in page
    assert page.count("<svg") >= 1
    assert page.count("<script>") == 2, "Vega's and the page's own, named by their hashes in the page's policy"
    assert page.count('<script type="application/json">') == len(list(folder.glob("compare-*.svg"))) == 2
    assert page.count('<input type="checkbox" checked value=') == 2 + 2, "policies and studies to pick"
    assert "<script src" not in page
    assert {"side-by-side.csv", "differences.csv", "compare-test_loss.png"} <= {path.name for path in folder.iterdir()}
    assert compare([str(toy), str(wide)], workspace, None, json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["policy"] for one in told["differences"]} == {"replace", "accumulate"}
    assert all(one["pairs"] == 12 for one in told["differences"]), "3 seeds of 4 replicates each"


def test_a_study_compared_with_itself_in_another_workspace_differs_in_nothing(
    files: tuple[Path, Path, Workspace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toy, _, workspace = files
    assert compare([str(toy), f"{toy}@{workspace.root}"], workspace, tmp_path / "page", json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"] == []
    assert {one[name] for one in told["differences"] for name in ("growth", "growth_low", "last_high")} == {0}
    assert Path(told["page"]) == tmp_path / "page" / "compare.html"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{toy}"], "two studies or more"),
        (["{toy}", "{toy}@/nowhere"], "is no workspace"),
        (["{toy}", "quickstart"], "quickstart: no generation is done"),
    ],
)
def test_what_cannot_be_compared_is_told(files: tuple[Path, Path, Workspace], words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        compare([word.format(toy=files[0]) for word in words], files[2], None, json=False)
