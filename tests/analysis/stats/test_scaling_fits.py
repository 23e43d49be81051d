"""Scaling laws by hand: exact fits, units, errors of the delta method, and definition 5 at its borders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit, least_squares

from analysis.stats import curves_of, laws, size_ladders
from analysis.stats.scaling import Estimate, bootstrap, fit
from analysis.stats.size_ladders import CHANGED, UNCHANGED, UNCLEAR, verdict
from tests.support import simulated

SIZES = np.repeat([1e4, 3e4, 1e5, 3e5, 1e6], 2)
ROWS = np.tile([1e3, 4e3], 5)


def losses(alpha: float = 0.4, floor: float = 2.0, factor: float = 50.0, noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    return floor + factor * SIZES**-alpha + noise * rng.standard_normal(len(SIZES))


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.3, 2.5])
def test_an_exact_law_is_found(alpha: float) -> None:
    """Between two exponents of the grid a parabola stands for the misfit, to a thousandth; the steps from there do not
    depend on it."""
    scaled = 2.0 + (SIZES / 1e5) ** -alpha
    found = fit(SIZES, scaled[None])
    assert found.exponents[0, 0] == pytest.approx(alpha, rel=1e-6)
    assert found.floor[0] == pytest.approx(2.0, abs=1e-5)
    assert found.factors[0, 0] == pytest.approx(1e5**alpha, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.0199, 3.2])
def test_an_exponent_beyond_the_grid_is_none(alpha: float) -> None:
    found = fit(SIZES, (2.0 + (SIZES / 1e5) ** -alpha)[None])
    assert np.isnan([found.exponents[0, 0], found.floor[0], found.factors[0, 0], *found.errors[0]]).all()


def test_what_is_measured_in_other_units_has_the_same_exponent() -> None:
    y = losses(noise=0.01)
    one, sized, turned = fit(SIZES, y[None]), fit(1000 * SIZES, y[None]), fit(SIZES, 5 * y[None] + 3)
    for other in (sized, turned):
        assert other.exponents[0, 0] == pytest.approx(one.exponents[0, 0])
    assert sized.factors[0, 0] == pytest.approx(one.factors[0, 0] * 1000 ** one.exponents[0, 0])
    assert turned.floor[0] == pytest.approx(5 * one.floor[0] + 3)
    assert turned.factors[0, 0] == pytest.approx(5 * one.factors[0, 0])
    assert turned.errors[0].tolist() == pytest.approx([5 * one.errors[0, 0], one.errors[0, 1]])


def test_responses_are_fitted_each_by_itself() -> None:
    """One that is rejected takes nothing from those beside it."""
    ys = np.stack([losses(noise=0.01), 2.0 + (SIZES / 1e5) ** -4.0, losses(0.8, 1.0, 2000, noise=0.01)])
    together = fit(SIZES, ys)
    assert np.isnan(together.exponents[:, 0]).tolist() == [False, True, False]
    for row in (0, 2):
        alone = fit(SIZES, ys[row : row + 1])
        for name in ("exponents", "floor", "factors", "errors"):
            np.testing.assert_allclose(getattr(together, name)[row], getattr(alone, name)[0])


def test_a_law_of_sizes_and_rows_is_scipys() -> None:
    rng = np.random.default_rng(1)
    sizes, rows = (np.tile(g.ravel(), 2) for g in np.meshgrid(np.geomspace(1e4, 1e6, 5), np.geomspace(1e3, 1e5, 5)))
    y = 1.5 + 40 * sizes**-0.35 + 25 * rows**-0.45 + 0.002 * rng.standard_normal(len(sizes))

    def law(x, e, a, alpha, b, beta):  # type: ignore[no-untyped-def]
        return e + a * (x[0] / 1e5) ** -alpha + b * (x[1] / 1e4) ** -beta

    expected, spread = curve_fit(law, np.stack([sizes, rows]), y, p0=(1.5, 0.7, 0.35, 0.4, 0.45))
    found = fit(sizes, y[None], rows)
    assert found.exponents[0].tolist() == pytest.approx([expected[2], expected[4]], rel=0.02)
    assert found.floor[0] == pytest.approx(expected[0], rel=5e-3)
    factors = [expected[1] * 1e5 ** expected[2], expected[3] * 1e4 ** expected[4]]
    assert found.factors[0].tolist() == pytest.approx(factors, rel=0.3), "far from the points: a power of the exponent"
    near = [found.factors[0, 0] * 1e5 ** -found.exponents[0, 0], found.factors[0, 1] * 1e4 ** -found.exponents[0, 1]]
    assert near == pytest.approx([expected[1], expected[3]], rel=0.02)
    assert found.errors[0].tolist() == pytest.approx(np.sqrt(np.diag(spread))[[0, 2, 4]], rel=0.1)


@pytest.mark.parametrize("noise", [1e-5, 1e-3, 1e-2])
@pytest.mark.parametrize("joint", [False, True])
def test_exponents_are_those_of_least_squares_however_precise_the_losses(joint: bool, noise: float) -> None:
    """Refined one by one, two exponents were 3 standard errors from scipy's, and one up to a thousandth."""
    rng = np.random.default_rng(4)
    sizes, rows = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e5, 1e8, 6), np.geomspace(1e4, 1e7, 5)))
    points = [sizes / np.sqrt(1e13), rows / np.sqrt(1e11)][: 1 + joint]
    for alpha in rng.uniform(0.15, 1.0, (10, 1 + joint)):
        y = 1.7 + sum(x**-a for x, a in zip(points, alpha, strict=True)) + noise * rng.standard_normal(len(sizes))

        def residuals(numbers: np.ndarray, y: np.ndarray = y) -> np.ndarray:
            powers = zip(numbers[1::2], points, numbers[2::2], strict=True)
            return numbers[0] + sum(b * x**-a for b, x, a in powers) - y

        begun = [1.7, *(number for a in alpha for number in (1.0, a))]
        expected = least_squares(residuals, begun, x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15).x
        found = fit(sizes, y[None], rows if joint else None)
        assert (np.abs(found.exponents[0] - expected[2::2]) < 1e-3 * found.errors[0, 1:]).all()
        assert abs(found.floor[0] - expected[0]) < 1e-3 * found.errors[0, 0]


def test_sizes_that_go_with_rows_leave_no_error_of_algebra() -> None:
    """Two terms of like points can't be told apart, whatever the exponents."""
    fit(SIZES, losses(noise=0.01)[None], 3 * SIZES)


def studentised(value: float, error: float, drawn: np.ndarray, errors: np.ndarray, level: float) -> Estimate:
    low, high = np.quantile((drawn - value) / errors, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, value - high * error, value - low * error)


def same(found: Estimate, expected: Estimate) -> None:
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_intervals_are_those_of_resampled_cells_and_changes_share_their_error(confidence: float) -> None:
    """Residuals of whole cells, √(10/7) times as large, so that both generations of a draw have the same cells; of two
    changes each has half the error."""
    held, rng = np.stack([losses(noise=0.01), losses(0.3, 2.5, noise=0.01)], axis=1), np.random.default_rng(3)
    law = bootstrap(SIZES, held, seed=3, confidence=confidence, draws=80)
    assert law is not None
    whole = fit(SIZES, held.T)
    picked = rng.integers(0, 10, (80, 10))
    drawn = []
    for g in range(2):
        fitted = whole.floor[g] + whole.factors[g, 0] * SIZES ** -whole.exponents[g, 0]
        residuals = (held[:, g] - fitted) * (10 / 7) ** 0.5
        drawn.append(fit(SIZES, np.stack([fitted + residuals[own] for own in picked])))
    for g, one in enumerate(drawn):
        same(
            law.alpha[g],
            studentised(whole.exponents[g, 0], whole.errors[g, 1], one.exponents[:, 0], one.errors[:, 1], confidence),
        )
        same(law.floor[g], studentised(whole.floor[g], whole.errors[g, 0], one.floor, one.errors[:, 0], confidence))
    first, last = drawn
    change, level = whole.exponents[1, 0] - whole.exponents[0, 0], (1 + confidence) / 2
    error, errors = np.hypot(*whole.errors[:, 1]), np.hypot(first.errors[:, 1], last.errors[:, 1])
    same(law.alpha_change[1], studentised(change, error, (last.exponents - first.exponents)[:, 0], errors, level))
    lift = whole.floor[1] - whole.floor[0]
    error, errors = np.hypot(*whole.errors[:, 0]), np.hypot(first.errors[:, 0], last.errors[:, 0])
    same(law.floor_change[1], studentised(lift, error, last.floor - first.floor, errors, level))
    assert (law.alpha_change[0].value, law.floor_change[0].value, law.beta) == (0.0, 0.0, [])
    assert law.factor == whole.factors[:, 0].tolist()


@pytest.mark.parametrize(("cells", "fitted"), [(3, False), (4, True)])
def test_a_law_needs_four_sizes_and_a_spare_point(cells: int, fitted: bool) -> None:
    few = np.repeat(np.geomspace(1e4, 1e6, 4)[:cells], 3)
    assert (bootstrap(few, np.ones((len(few), 1)) + 1 / few[:, None], draws=3) is not None) == fitted
    sizes = np.geomspace(1e4, 1e6, 5)
    rows = np.array([1e3, 1e4, 1e5, 1e3, 1e4])
    assert bootstrap(sizes, np.ones((5, 1)), rows, draws=3) is None, "five numbers through five points"


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high)


@pytest.mark.parametrize(
    ("change", "lift", "word"),
    [
        ((-0.04, 0.04), (-0.1, 0.2), UNCHANGED),
        ((0.0, 0.04), (-0.2, 0.0), UNCHANGED),
        ((-0.041, 0.0), (0.0, 0.0), UNCLEAR),
        ((0.0, 0.041), (0.0, 0.0), UNCLEAR),
        ((0.0, 0.0), (0.0, 0.21), UNCLEAR),
        ((0.0, 0.0), (-0.21, 0.0), UNCLEAR),
        ((1e-9, 0.01), (0.0, 0.0), CHANGED),
        ((-0.01, -1e-9), (-9.0, 9.0), CHANGED),
        ((-9.0, 9.0), (1e-9, 0.1), CHANGED),
        ((-9.0, 9.0), (-0.1, -1e-9), CHANGED),
        ((np.nan, np.nan), (1.0, 2.0), UNCLEAR),
        ((1.0, 2.0), (np.nan, 2.0), UNCLEAR),
    ],
    ids=str,
)
def test_a_law_changes_beyond_zero_and_stays_within_a_tenth(
    change: tuple[float, float], lift: tuple[float, float], word: str
) -> None:
    """Of an exponent of 0.4 and a floor of −2, whose size counts."""
    given = (estimate(0.4, 0.3, 0.5), estimate(-2.0, -3, -1), estimate(0, *change), estimate(0, *lift))
    assert verdict(*given) == word


def ladder(**more: object) -> pd.DataFrame:
    """Five sizes of two seeds, two generations; the loss follows a law."""
    rng = np.random.default_rng(0)
    values = {
        (f"{size:.0f}", "replace", seed): 2 + 50 * size**-0.4 + 0.001 * rng.standard_normal(2)
        for size in np.unique(SIZES)
        for seed in range(2)
    }
    frame = simulated.study(values, "language")
    return frame.assign(parameters=frame["size"].astype(float), **more)


def test_the_first_generation_of_a_ladder_has_no_verdict_and_all_name_their_configurations() -> None:
    found = laws(curves_of(ladder()), "language")
    assert found["verdict"].tolist()[0] == ""
    assert found["verdict"].tolist()[1] in (UNCHANGED, UNCLEAR)
    assert found["ladder"].tolist() == [0, 0]
    assert found[["family", "policy", "generation", "sizes", "cells"]].to_numpy().tolist() == [
        ["language", "replace", 1, 5, 10],
        ["language", "replace", 2, 5, 10],
    ]
    assert set(found["configs"]) == {" ".join(sorted(ladder()["config"].unique()))}
    assert "beta" not in found


def test_three_numbers_of_rows_make_a_second_exponent() -> None:
    rows = ladder()
    number = rows["seed"].map({0: 1e3, 1: 1e4})
    two = rows.assign(rows=number)
    assert "beta" not in laws(curves_of(two), "language")
    three = rows.assign(rows=number.where(rows["size"] != "10000", 1e5))
    assert "beta" in laws(curves_of(three), "language")


def test_a_setting_that_follows_the_size_parts_no_ladder() -> None:
    """A learning rate tuned for each size belongs to it; one that differs within a size does not."""
    frame = ladder()
    rate = {size: 1 / float(size) for size in frame["size"].unique()}
    assert len(laws(curves_of(frame.assign(**{"family.rate": frame["size"].map(rate)})), "language")) == 2
    assert laws(curves_of(frame.assign(**{"family.rate": frame["seed"]})), "language")["ladder"].nunique() == 2
    assert laws(curves_of(frame[frame["size"].isin(("10000", "30000", "100000"))]), "language").empty


def test_parameters_are_the_columns_or_what_the_family_says() -> None:
    runs = curves_of(ladder()).runs
    assert sorted(set(size_ladders.model_sizes(runs))) == [1e4, 3e4, 1e5, 3e5, 1e6]
    bare = runs.drop(columns=["parameters", "cell_config"])
    assert np.isnan(size_ladders.model_sizes(bare)).all()
    configs = {
        "a": '{"family": {"kind": "linear", "dim": 7}, "rows": 10}',
        "b": '{"family": {"kind": "of another version"}}',
        "c": '{"family": {"kind": "linear", "dim": "many"}}',
    }
    told = pd.DataFrame({"config": ["a", "b", "c", "a"], "cell_config": [configs[c] for c in "abca"]})
    found = size_ladders.model_sizes(told)
    assert found[[0, 3]].tolist() == [7.0, 7.0], "a coefficient for each dimension"
    assert np.isnan(found[1:3]).all()


def test_an_exponent_that_one_cell_drives_out_of_the_grid_is_rejected() -> None:
    """Of 18 cells one has so few rows that they matter, and the best exponent of rows is beyond 3: steps by the factors
    of the next law led the other way, to 1.49."""
    sizes = np.tile([1.27e4, 4.48e4, 1.58e5, 5.18e5, 2.57e7, 5.04e7], 3)
    rows = np.array(
        [494, 1270, 4460, 458, 773, 971, 861, 1340, 976, 1600, 5820, 95.2, 1750, 1490, 2260, 11300, 620, 1970]
    )
    y = [232.3, 89.7, 35.7, 14.7, 1.5, 1.4, 231.8, 89.9, 35.5, 15.4, 1.7, 52.4, 231.9, 90.3, 35.1, 15.3, 1.9, 1.1]

    def left(alpha: float, beta: float) -> float:
        design = np.stack([np.ones(18), (sizes / 1e5) ** -alpha, (rows / 1e3) ** -beta], axis=1)
        return float(np.square(y - design @ np.linalg.lstsq(design, y, rcond=None)[0]).sum())

    betas = np.linspace(1.0, 3.0, 21)
    assert betas[np.argmin([min(left(a, beta) for a in np.linspace(0.7, 0.8, 21)) for beta in betas])] == 3.0
    assert np.isnan(fit(sizes, np.array([y]), rows).exponents[0, 1])
