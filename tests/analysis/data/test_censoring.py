"""Cells that a scheduler stopped: never dropped, never a bias, always counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.data import censoring
from analysis.report import ReportContext, build_report
from analysis.stats import curves_of, times
from analysis.stats.survival import medians
from analysis.verdicts.robustness import assess
from tests.support import simulated


def stopped(frame: pd.DataFrame, seeds: dict[int, int], policy: str = "replace") -> pd.DataFrame:
    """The frame as a scheduler would have left it: these seeds of a policy stopped after that generation."""
    last = frame["seed"].map(seeds).where(frame["policy"] == policy)
    kept = frame[last.isna() | (frame["generation"] <= last)]
    return kept.assign(status=kept["status"].mask(last.notna()[kept.index], censoring.STOPPED)).reset_index(drop=True)


def bimodal(seeds: int, generations: int) -> pd.DataFrame:
    """Half of the seeds grow by 1 a generation from the second on, half not at all; which one is the seed's parity."""
    rng = np.random.default_rng(0)
    n = np.arange(1, generations + 1)
    values = {
        ("dim 10", policy, seed): 10.0 + (seed % 2) * (n - 1.0) + 0.01 * rng.standard_normal(generations)
        for policy in ("replace", "accumulate")
        for seed in range(seeds)
    }
    return simulated.study(values)


def test_stopping_the_bad_ones_does_not_move_the_estimate() -> None:
    """ASHA at generation 3 stops every seed that grows; over the others alone the growth would be 0, in truth 0.5."""
    whole = bimodal(10, 9)
    cut = stopped(whole, dict.fromkeys(range(1, 10, 2), 3))
    row = assess(ReportContext(cut, "").common).set_index("policy").loc["replace"]
    assert abs(row["growth"] - 0.5) < 0.02
    assert (row["stopped"], row["generations"], row["runs"], row["short"]) == (5, 3, 10, 0)
    assert row["reason"].endswith("a scheduler stopped 5 of 10 cells, judged over the 3 generations of all")
    survivors = cut[(cut["status"] != censoring.STOPPED) & (cut["policy"] == "replace")]
    assert abs(assess(survivors)["growth"].iloc[0]) < 0.02, "what a table of survivors would have said"


def test_only_the_group_with_a_stopped_cell_is_cut() -> None:
    cut = stopped(bimodal(6, 9), {1: 4, 3: 6})
    common = censoring.cut(cut)
    assert common.groupby("policy")["generation"].max().to_dict() == {"accumulate": 9, "replace": 4}
    assert common["cell"].nunique() == cut["cell"].nunique() == 12, "no cell is dropped"
    untouched = bimodal(3, 4)
    assert censoring.cut(untouched) is untouched


def test_replicates_are_cut_with_their_cells() -> None:
    cut = stopped(bimodal(4, 9), {1: 4})
    cells = cut.drop_duplicates("cell").set_index("cell")["policy"]
    held = {cell: {"test_loss": np.zeros((5, 9))} for cell in cells.index}
    shapes = {cell: found["test_loss"].shape[1] for cell, found in censoring.cut_replicates(held, cut).items()}
    assert {(cells[cell], shape) for cell, shape in shapes.items()} == {("replace", 4), ("accumulate", 9)}


def test_time_to_collapse_counts_the_stopped_as_censored_and_bounds_what_that_hides() -> None:
    n = np.arange(1, 11)
    values = {("d", "replace", seed): np.where(n >= 5, 3.0, 1.0) for seed in range(8)}
    cut = stopped(simulated.study(values, "toy"), dict.fromkeys(range(6), 3))
    found = times(curves_of(cut), "catastrophic_increase")
    row = medians(found).iloc[0]
    assert (row["recursions"], row["collapsed"], row["censored"], row["stopped"]) == (8, 2, 6, 6)
    assert row["median"] == 5, "of the two that went on"
    assert row["median_low"] == 4, "as if those that were stopped had collapsed at once"


@pytest.mark.slow
def test_a_report_says_how_many_were_stopped(tmp_path: Path) -> None:
    cut = stopped(bimodal(6, 8), {1: 4, 3: 6})
    build_report(cut, tmp_path, "s")
    table = (tmp_path / "robustness.md").read_text()
    assert "(2 of its cells stopped early: 4 generations)" in table
    assert pd.read_parquet(tmp_path / "robustness.parquet").set_index("policy")["stopped"].to_dict() == {
        "accumulate": 0,
        "replace": 2,
    }
    page = (tmp_path / "report.html").read_text()
    assert "A scheduler stopped 2 cells early" in page
    survival = pd.read_parquet(tmp_path / "survival.parquet")
    assert survival.groupby("policy")["stopped"].max().to_dict()["replace"] == 2
