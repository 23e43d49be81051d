"""The chance of a word, and what is searched with it."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.verdicts import Thresholds
from analysis.verdicts.foresight import (
    LONGER,
    STEP,
    TRIED,
    Scatter,
    chance,
    continued,
    fewest,
    root_of,
    scatter_of,
    shortest,
    smallest,
)

LIMITS = Thresholds()


def test_the_fewest_recursions_that_reach_the_power_are_told() -> None:
    assert fewest(0.8, lambda runs: min(1.0, runs / 10)) == 8
    assert fewest(0.8, lambda runs: min(1.0, runs / 21)) == 18
    assert fewest(0.0, lambda runs: 0.0) == TRIED[0] == 3
    assert fewest(0.8, lambda runs: 0.79) is None


def test_the_shortest_run_is_one_of_some_longer_ones() -> None:
    assert shortest(0.8, 10, lambda count: count / 20) == 20
    assert shortest(0.8, 10, lambda count: count / 60) is None
    assert shortest(0.5, 9, lambda count: 1.0) == 12
    assert shortest(0.9, 60, lambda count: count / 200) == 180
    assert shortest(0.9, 80, lambda count: count / 260) is None, "more than 200 generations are not considered"
    assert max(LONGER) == 4


def test_the_smallest_rise_is_found_to_a_step() -> None:
    found = smallest(0.8, lambda rise: rise / 5, start=1.0)
    assert 4.0 <= found < 4.0 * STEP
    assert smallest(0.8, lambda rise: rise / 1e-3, start=1.0) == pytest.approx(8e-4, rel=STEP - 1)
    assert np.isnan(smallest(0.8, lambda rise: 0.0, start=1.0))


@pytest.mark.parametrize(
    ("truth", "rise"),
    [
        ("line", 2.0 * 19 / 9),
        ("square_root", 2.0 * (20**0.5 - 1) / (10**0.5 - 1)),
        ("logarithm", 2.0 * np.log(20) / np.log(10)),
        ("inverse", 2.0 * 0.95 / 0.9),
    ],
)
def test_a_truth_goes_on_by_its_law(truth, rise: float) -> None:  # type: ignore[no-untyped-def]
    assert continued(truth, 2.0, 10, 20) == pytest.approx(rise)
    assert continued(truth, 2.0, 10, 10) == 2.0


def test_noise_is_of_deviations_within_groups_of_one_length() -> None:
    rng = np.random.default_rng(0)
    groups = [level + 0.5 * rng.standard_normal((12, 10)) for level in (1.0, 50.0, -3.0)]
    found = scatter_of([*groups, rng.standard_normal((5, 6)) * 9, np.ones((1, 10)), np.ones((9, 3))])
    assert found is not None
    assert (found.model, found.generations, found.freedom) == (0, 10, 33 * 9)
    assert found.variance == pytest.approx(0.25, rel=0.1)
    np.testing.assert_allclose(root_of(found, 10), found.variance**0.5 * np.eye(10), atol=1e-12)


def test_two_seeds_and_four_generations_show_some_noise() -> None:
    found = scatter_of([np.array([[0.0, 1.0, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0]])])
    assert found is not None
    assert (found.generations, found.freedom) == (4, 3)


@pytest.mark.parametrize("curves", [[], [np.ones((1, 10))], [np.ones((5, 3))]])
def test_too_few_seeds_or_generations_show_no_noise(curves: list[np.ndarray]) -> None:
    assert scatter_of(curves) is None


def test_a_clear_line_is_found_and_noise_is_not() -> None:
    quiet, loud = Scatter(0, 1e-4), Scatter(0, 1.0)
    assert chance("line", 1.0, quiet, 5, 10, LIMITS) == 1.0
    assert chance("inverse_squares", 1.0, quiet, 5, 10, LIMITS) > 0.97
    assert chance("line", 0.01, loud, 5, 10, LIMITS) < 0.06


def test_more_recursions_find_more_and_more_rows_less() -> None:
    noise = Scatter(0, 0.04)
    few, many, huge = (chance("line", 0.5, noise, runs, 10, LIMITS) for runs in (4, 20, 320))
    assert few < many < huge
    assert huge > 0.95
    assert chance("line", 0.5, noise, 20, 10, LIMITS, 40) < many


def test_a_variance_that_is_known_less_well_finds_less() -> None:
    known = chance("line", 0.5, Scatter(0, 0.01), 5, 10, LIMITS)
    guessed = chance("line", 0.5, Scatter(0, 0.01, freedom=4.0), 5, 10, LIMITS)
    assert guessed < known


@pytest.mark.parametrize(("runs", "generations"), [(2, 10), (5, 5)])
def test_what_no_verdict_is_given_on_finds_nothing(runs: int, generations: int) -> None:
    assert chance("line", 1.0, Scatter(0, 1e-9), runs, generations, LIMITS) == 0.0
