"""Intervals and power against scipy's and statsmodels' own, and against exact coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from analysis.stats import detectable, power_of, runs_needed, t_interval
from analysis.stats.intervals import bound_interval, median_interval, ratio_interval

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("runs", [2, 3, 17])
def test_a_mean_has_students_interval_and_one_sided_p(runs: int, confidence: float) -> None:
    values = RNG.normal(0.3, 2.0, runs)
    found = t_interval(np.append(values, np.nan), confidence)
    theirs = stats.ttest_1samp(values, 0.0, alternative="greater")
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(confidence)
    assert (found.estimate, found.low, found.high) == pytest.approx((values.mean(), low, high))
    assert (found.error, found.p_rise, found.runs) == pytest.approx((stats.sem(values), theirs.pvalue, runs))


def test_a_mean_of_too_few_has_no_interval() -> None:
    none, one = t_interval(np.array([np.nan])), t_interval(np.array([np.nan, 2.5]))
    assert (none.runs, one.runs, one.estimate) == (0, 1, 2.5)
    assert np.isnan([none.estimate, none.low, none.p_rise, one.low, one.high, one.error, one.p_rise]).all()


@pytest.mark.parametrize(("value", "p"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0)])
def test_values_without_spread_are_their_own_bounds(value: float, p: float) -> None:
    found = t_interval(np.full(3, value))
    assert (found.low, found.high, found.error, found.p_rise) == (value, value, 0.0, p)


@pytest.mark.parametrize("runs", range(6, 40))
def test_a_medians_bounds_are_the_innermost_order_statistics_that_cover(runs: int) -> None:
    values = RNG.permutation(np.arange(1.0, runs + 1))
    found = median_interval(np.append(values, np.nan))
    below = int(found.low)
    assert found.high == runs + 1 - below

    def covered(rank: int) -> float:
        """The chance that the median lies between the order statistics of this rank from either end."""
        return float(1 - 2 * stats.binom.cdf(rank - 1, runs, 0.5))

    assert covered(below) >= 0.95 > covered(below + 1)
    assert found.error == pytest.approx((found.high - found.low) / 2 / 1.959964, rel=1e-6)
    assert found.p_rise == pytest.approx(0.5**runs)


@pytest.mark.parametrize(("runs", "estimate"), [(0, np.nan), (1, 1.0), (5, 3.0)])
def test_a_median_of_fewer_than_six_has_no_interval(runs: int, estimate: float) -> None:
    found = median_interval(np.arange(1.0, runs + 1))
    assert found.runs == runs
    assert [found.estimate, found.low, found.high] == pytest.approx([estimate, np.nan, np.nan], nan_ok=True)


def test_a_ratio_of_means_has_the_spread_of_its_linear_form() -> None:
    below = RNG.normal(5.0, 0.5, 12)
    above = 2 * below + RNG.normal(0.0, 0.3, 12)
    found = ratio_interval(np.append(above, 1.0), np.append(below, np.nan))
    estimate = above.sum() / below.sum()
    half = stats.t.ppf(0.975, 11) * np.std(above - estimate * below, ddof=1) / np.sqrt(12) / below.mean()
    assert (found.estimate, found.low, found.high) == pytest.approx((estimate, estimate - half, estimate + half))
    assert found.runs == 12


@pytest.mark.parametrize("below", [[], [np.nan], [-1.0, 1.0], [-2.0, 1.0]])
def test_a_ratio_to_what_is_not_positive_has_no_estimate(below: list[float]) -> None:
    found = ratio_interval(np.ones(len(below)), np.array(below))
    assert np.isnan([found.estimate, found.low, found.high, found.error]).all()


def test_bounds_from_standard_errors_are_those_of_full_correlation() -> None:
    weights, errors = np.array([-0.5, 0.0, 0.5]), np.array([0.2, 9.0, 0.4])
    found = bound_interval(0.6, weights, errors, 100)
    assert found.error == pytest.approx(0.3)
    assert (found.low, found.high) == pytest.approx((0.6 - 1.959964 * 0.3, 0.6 + 1.959964 * 0.3))
    assert (found.p_rise, found.runs) == (pytest.approx(stats.norm.sf(2.0)), 100)


@pytest.mark.parametrize(("estimate", "p"), [(1.0, 0.0), (0.0, 1.0)])
def test_bounds_without_errors_are_the_sum(estimate: float, p: float) -> None:
    found = bound_interval(estimate, np.ones(2), np.zeros(2), 5)
    assert (found.low, found.high, found.p_rise) == (estimate, estimate, p)


@pytest.mark.parametrize("runs", [2, 3, 5, 20])
@pytest.mark.parametrize("effect", [0.0, 0.4, 1.5])
def test_power_is_that_of_a_two_sided_t_test(runs: int, effect: float) -> None:
    assert power_of(3 * effect, 3.0, runs) == pytest.approx(TTestPower().power(effect, runs, 0.05), abs=1e-9)


def test_power_of_effects_that_scipy_can_not_tell() -> None:
    assert power_of(100.0, 1.0, 3) == pytest.approx(1.0)
    assert power_of(1.0, 0.0, 2) == 1.0
    assert power_of(100.0, 1.0, 1) == 0.0


@pytest.mark.parametrize("runs", [2, 4, 30])
def test_what_is_detectable_is_found_with_that_power(runs: int) -> None:
    effect = detectable(0.7, runs, power=0.9)
    assert power_of(effect, 0.7 * runs**0.5, runs) == pytest.approx(0.9, abs=1e-6)
    assert np.isnan(detectable(0.7, 1))


@pytest.mark.parametrize("effect", [0.3, 1.0, 4.0])
def test_as_many_runs_as_are_needed_and_no_more(effect: float) -> None:
    runs = runs_needed(effect, 1.0)
    assert power_of(effect, 1.0, runs) >= 0.8
    assert runs == 2 or power_of(effect, 1.0, runs - 1) < 0.8


def test_runs_that_are_needed_end_somewhere() -> None:
    assert runs_needed(1e-6, 1.0) == 10_000
    with pytest.raises(ValueError, match=r"^effect: 0 must be positive"):
        runs_needed(0, 1.0)
