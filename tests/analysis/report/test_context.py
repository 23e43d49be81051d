"""The curves that a report shows, by hand, and names of files that lead nowhere else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.report import ReportContext, curve_table
from analysis.report.context import Picture
from analysis.stats import curves_of
from analysis.verdicts import Thresholds
from tests.support import simulated


def summary(values: dict[tuple[str, str, int], np.ndarray], confidence: float = 0.9, **more: object) -> pd.DataFrame:
    return curve_table(curves_of(simulated.study(values).assign(**more)), confidence)


def test_a_mean_has_students_interval_over_the_recursions_that_are_there() -> None:
    curves = {("a", "replace", 0): np.array([1.0, 2.0]), ("a", "replace", 1): np.array([3.0, 6.0]),
              ("a", "replace", 2): np.array([5.0])}  # fmt: skip
    found = summary(curves)
    assert found[["generation", "runs"]].to_numpy().tolist() == [[1, 3], [2, 2]]
    assert found["mean"].tolist() == [3.0, 4.0]
    halves = [stats.t.ppf(0.95, 2) * 2 / 3**0.5, stats.t.ppf(0.95, 1) * 8**0.5 / 2**0.5]
    np.testing.assert_allclose(found["high"] - found["mean"], halves)
    np.testing.assert_allclose(found["mean"] - found["low"], halves)
    assert found["theory"].isna().all()


def test_a_single_recursion_has_a_mean_and_no_interval() -> None:
    found = summary({("a", "replace", 0): np.array([1.0, 2.0])})
    assert found["mean"].tolist() == [1.0, 2.0]
    assert found[["low", "high"]].isna().all(axis=None)


def test_of_means_with_standard_errors_the_interval_is_the_normal_one_of_the_pooled_error() -> None:
    """Errors of 0.3 and 0.4: of the mean of two, 0.25."""
    curves = {("a", "replace", seed): np.array([1.0 + seed, 2.0]) for seed in range(2)}
    found = summary(curves, test_loss_se=lambda t: t["seed"].map({0: 0.3, 1: 0.4}))
    np.testing.assert_allclose(found["high"] - found["mean"], stats.norm.ppf(0.95) * 0.25)
    assert found["mean"].tolist() == [1.5, 2.0]


def test_a_closed_form_is_the_mean_of_those_that_are_known() -> None:
    curves = {("a", "replace", seed): np.ones(2) for seed in range(2)}
    theory = lambda t: np.where(t["generation"] == 2, np.nan, t["seed"] + 1.0)  # noqa: E731
    found = summary(curves, theory_test_loss=theory)
    np.testing.assert_array_equal(found["theory"], [1.5, np.nan])


def test_a_generation_that_nobody_has_is_no_row() -> None:
    curves = {("a", "replace", 0): np.array([1.0, np.nan, 3.0]), ("a", "accumulate", 0): np.array([1.0, 2.0, 3.0])}
    found = summary(curves)
    assert found.groupby("policy")["generation"].agg(list).to_dict() == {"replace": [1, 3], "accumulate": [1, 2, 3]}


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("curves-linear", "curves-linear"),
        ("../../etc/passwd", "..-..-etc-passwd"),
        ("a b\tc<d>", "a-b-c-d-"),
        ("x" * 200, "x" * 120),
        ("größe·5", "gr-e-5"),
    ],
)
def test_a_pictures_name_is_a_name_of_a_file(name: str, safe: str) -> None:
    assert Picture(name, "", pd.DataFrame(), lambda figure: None).name == safe


def test_a_study_is_judged_by_its_own_thresholds_and_over_common_generations() -> None:
    rng = np.random.default_rng(0)
    frame = simulated.study({("a", "replace", s): 1 + 0.01 * rng.standard_normal(9) for s in range(4)})
    stopped = frame[(frame["seed"] != 0) | (frame["generation"] <= 4)]
    stopped = stopped.assign(status=stopped["status"].where(stopped["seed"] != 0, "stopped_early"))
    study = ReportContext(stopped, "x", Thresholds(min_runs=5))
    assert study.assessment["reason"].item().startswith("too few seeds (4 of 5)")
    assert study.assessment["generations"].item() == 4
    assert study.common["generation"].max() == 4
    ((_, metric, curves),) = study.recursions
    assert (metric.name, curves.generations.max()) == ("test_loss", 9), "what knows of censoring sees all"
    ((_, _, table),) = study.curves
    assert table["generation"].max() == 4
    assert study.loss.equals(study.assessment)
