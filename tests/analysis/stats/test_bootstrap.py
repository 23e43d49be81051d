"""The hierarchical bootstrap against enumeration, against a plain loop, and under change of units."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest

from analysis.stats import bootstrap, hierarchical

LEVELS = [0.0, 1.0, 4.0, 9.0, 11.0]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bounds_of(pivots: list[float], mean: float, error: float, confidence: float) -> tuple[float, float]:
    """A studentised interval: the upper quantile of the pivot gives the lower bound."""
    low, high = np.quantile(pivots, [(1 - confidence) / 2, (1 + confidence) / 2])
    return mean - high * error, mean - low * error


@pytest.mark.parametrize("confidence", [0.5, 0.9])
def test_single_values_give_the_bounds_of_all_resamples_enumerated(confidence: float) -> None:
    """5⁵ equally likely resamples; the five of them without spread have no pivot."""
    mean, count = np.mean(LEVELS), len(LEVELS)
    error = np.std(LEVELS, ddof=1) / count**0.5
    pivots = []
    for drawn in product(LEVELS, repeat=count):
        spread = np.std(drawn, ddof=1) / count**0.5
        if spread > 0:
            pivots.append((np.mean(drawn) - mean) / spread)
    low, high = bounds_of(pivots, float(mean), float(error), confidence)
    found = hierarchical([np.array([level]) for level in LEVELS], rng(), confidence, draws=60_000)
    assert (found.estimate, found.error, found.runs) == (pytest.approx(5.0), pytest.approx(error), 5)
    assert found.low == pytest.approx(low, abs=0.03 * (high - low))
    assert found.high == pytest.approx(high, abs=0.03 * (high - low))


GROUPS = [
    np.array([1.0, 2.0, np.nan]),
    np.array([3.0]),
    np.array([np.inf, 0.0, 4.0, 8.0]),
    np.array([2.0, 2.5, 9.0, 3.0, 1.0]),
    np.array([5.0, 7.0]),
    np.array([-1.0, 0.0, 1.0]),
]


def test_values_are_resampled_within_the_groups_that_were_resampled() -> None:
    """A plain loop over configurations and then seeds, with a generator of its own."""
    held = [group[np.isfinite(group)] for group in GROUPS]
    means = np.array([group.mean() for group in held])
    error, other, pivots = means.std(ddof=1) / 6**0.5, rng(1), []
    for _ in range(4000):
        chosen = [held[i] for i in other.integers(0, 6, 6)]
        drawn = np.array([group[other.integers(0, len(group), len(group))].mean() for group in chosen])
        if drawn.std() > 0:
            pivots.append((drawn.mean() - means.mean()) / (drawn.std(ddof=1) / 6**0.5))
    low, high = bounds_of(pivots, float(means.mean()), float(error), 0.9)
    found = hierarchical(GROUPS, rng(), 0.9, draws=20_000)
    assert found.estimate == pytest.approx((1.5 + 3 + 4 + 3.5 + 6 + 0) / 6)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.08 * (high - low))


@pytest.mark.parametrize(("shift", "scale"), [(3.0, 1.0), (0.0, 100.0), (-2.0, 0.25), (1.0, -2.0)])
def test_the_interval_follows_the_unit_and_turns_with_the_sign(shift: float, scale: float) -> None:
    """From the same draws, to rounding."""
    one, moved = hierarchical(GROUPS, rng()), hierarchical([shift + scale * group for group in GROUPS], rng())
    ends = [shift + scale * end for end in (one.low, one.high)]
    assert (moved.low, moved.high) == pytest.approx((min(ends), max(ends)))
    assert moved.error == pytest.approx(abs(scale) * one.error)


def test_more_confidence_is_wider_at_both_ends() -> None:
    found = [hierarchical(GROUPS, rng(), confidence) for confidence in (0.5, 0.8, 0.95, 0.99)]
    assert all(a.low > b.low and a.high < b.high for a, b in pairwise(found))


def test_draws_made_in_parts_are_as_many_and_of_the_same_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hierarchical(GROUPS, rng(), draws=3001)
    monkeypatch.setattr(bootstrap, "_CHUNK", 40 * 6 * 5)
    parts = hierarchical(GROUPS, rng(), draws=3001)
    held = [group[np.isfinite(group)] for group in GROUPS]
    assert bootstrap._draw(held, rng(), 3001).shape == (3001, 6)
    width = whole.high - whole.low
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.2 * width)


@pytest.mark.parametrize(("count", "interval"), [(1, False), (2, False), (3, False), (4, True)])
def test_an_interval_needs_four_groups_and_an_error_two(count: int, interval: bool) -> None:
    found = hierarchical([np.array([float(i)]) for i in range(count)], rng())
    assert (found.estimate, found.runs) == ((count - 1) / 2, count)
    assert np.isfinite([found.low, found.high]).tolist() == [interval] * 2
    assert np.isnan(found.error) == (count == 1)
    assert np.isnan(found.p_rise)


def test_groups_that_do_not_differ_have_no_interval() -> None:
    found = hierarchical([np.array([1.0, 3.0])] * 5, rng())
    assert (found.estimate, found.error, found.runs) == (2.0, 0.0, 5)
    assert np.isnan([found.low, found.high]).all()


def test_of_a_large_group_the_mean_is_drawn_with_its_standard_error() -> None:
    """The largest that is resampled has 64 values; from 65 on the means of draws have sd/√n, about each group's own."""
    large = np.concatenate([np.full(40, -1.0), np.full(60, 1.0)])
    drawn = bootstrap._draw([large, large + 100], rng(), 20_000).ravel()
    for level in (0.2, 100.2):
        near = drawn[np.abs(drawn - level) < 10]
        assert near.mean() == pytest.approx(level, abs=0.005)
        assert near.std() == pytest.approx(large.std() / 10, rel=0.03)
    assert np.mean(drawn > 50) == pytest.approx(0.5, abs=0.01)
    few = bootstrap._draw([np.arange(64.0)], rng(), 200)
    assert (few * 64 == np.round(few * 64)).all(), "means of whole numbers"
    many = bootstrap._draw([np.arange(65.0)], rng(), 200)
    assert (many * 65 != np.round(many * 65)).any()
