"""What verdicts rest on, piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.stats import exclusion, whole_block
from analysis.verdicts import Thresholds
from analysis.verdicts.evidence import evidence_of, found_words, mean_of, medians
from analysis.verdicts.rules import judge

LIMITS = Thresholds()


def curves(*lengths: int) -> np.ndarray:
    held = np.arange(len(lengths) * max(lengths), dtype=float).reshape(len(lengths), -1)
    for row, length in zip(held, lengths, strict=True):
        row[length:] = np.nan
    return held


@pytest.mark.parametrize(
    ("lengths", "shape"),
    [((3, 3, 3), (3, 3)), ((3, 3, 5), (3, 3)), ((3, 3, 10), (1, 10)), ((2, 4, 4), (2, 4)), ((2, 1, 1), (3, 1))],
)
def test_the_block_that_holds_most_values_is_taken(lengths: tuple[int, ...], shape: tuple[int, int]) -> None:
    found = whole_block(curves(*lengths))
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_of_equal_blocks_the_longest_is_taken() -> None:
    assert whole_block(curves(2, 4)).shape == (1, 4)


@pytest.mark.parametrize(("runs", "batches"), [(32, 32), (33, 3), (44, 4), (219, 19), (220, 20), (1000, 20)])
def test_medians_stand_for_recursions_where_batches_are_large_enough(runs: int, batches: int) -> None:
    values = np.random.default_rng(0).standard_normal((runs, 2))
    found = medians(values)
    assert found.shape == (batches, 2)
    if batches < runs:
        np.testing.assert_array_equal(found[0], np.median(values[: -(-runs // batches)], axis=0))


def test_a_mean_is_of_finite_values() -> None:
    assert mean_of(np.array([1.0, np.nan, 3.0, np.inf])) == 2.0
    assert np.isnan(mean_of(np.array([np.nan])))


def test_evidence_of_a_study_is_its_statistics() -> None:
    generations, rng = 8, np.random.default_rng(0)
    values = 5 + 0.5 * np.arange(generations) + 0.1 * rng.standard_normal((4, generations))
    found = exclusion.exclude(values[None])
    evidence = evidence_of(values, found, 0, LIMITS)
    n = np.arange(generations)
    slopes = np.polyfit(n, values.T, 1)[0]
    interval = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    assert (evidence.growth.low, evidence.growth.high) == pytest.approx((interval.low, interval.high))
    moved = np.sqrt(np.diff(values, axis=1).var(axis=0, ddof=1).mean())
    assert evidence.margin == pytest.approx(2**0.5 * moved)
    assert (evidence.scale, evidence.generations) == (pytest.approx(values[:, 0].mean()), 8)
    one_sided = stats.t.ppf(0.95, 3) / 2
    late = np.polyfit(n[3:], values.T[3:], 1)[0] * 4
    bounds = [x.mean() + one_sided * x.std(ddof=1) for x in (slopes * 7, late)]
    assert evidence.highest == pytest.approx(max(bounds))
    assert evidence.p_collapses == max(min(1.0, 2 * evidence.growth.p_rise), found.p_bounded[0])
    assert evidence_of(values, found, 0, Thresholds(absolute=0.3)).margin == 0.3


def test_three_generations_have_no_second_half() -> None:
    values = np.array([[0.0, 1.0, 2.0], [0.0, 1.1, 2.2], [0.0, 0.9, 1.8]])
    four = np.concatenate([values, values[:, -1:] + 1], axis=1)
    found = exclusion.exclude(np.stack([four, four]))
    evidence = evidence_of(values, found, 0, LIMITS)
    assert evidence.highest == pytest.approx(2.0 + stats.t.ppf(0.95, 2) * 0.2 / 3**0.5)


def test_two_generations_have_a_rise_and_one_has_none() -> None:
    """`gather` asks for what there is, whatever no test of laws may be made of."""
    values = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
    found = exclusion.exclude(np.random.default_rng(0).standard_normal((1, 3, 8)))
    two, one = evidence_of(values, found, 0, LIMITS), evidence_of(values[:, :1], found, 0, LIMITS)
    assert two.highest == pytest.approx(2.0 + stats.t.ppf(0.95, 2) / 3**0.5)
    assert two.margin == pytest.approx(2**0.5)
    assert np.isnan([one.highest, one.margin]).all()


def test_one_recursion_moves_by_nothing_that_is_known() -> None:
    found = exclusion.exclude(np.random.default_rng(0).standard_normal((1, 2, 8)))
    assert np.isnan(evidence_of(np.ones((1, 8)), found, 0, LIMITS).margin)


@pytest.mark.parametrize(("rows", "levels"), [(1, 6), (30, 2)])
def test_words_of_many_studies_are_those_of_each(rows: int, levels: int) -> None:
    """But for what is stable or grows slowly, which the quick way does not tell."""
    rng, n = np.random.default_rng(0), np.arange(1.0, 13.0)
    laws = [n, *(size * np.cumsum(1 / n**2) for size in (2, 4, 8)), np.log(n), 0 * n]
    values = np.stack([3 * law / 12 + 0.1 * rng.standard_normal((5, 12)) for law in laws for _ in range(3)])
    found = exclusion.exclude(values)
    quick = found_words(values, found, LIMITS, rows)
    assert {"collapses", "undecided"} <= set(quick)
    assert quick.count("levels off") == levels
    for number, one in enumerate(values):
        evidence = evidence_of(one, found, number, LIMITS)
        slow = judge(evidence, LIMITS, rows * evidence.p_collapses, rows * evidence.p_levels).word
        assert quick[number] == {"stable": "undecided", "grows slowly": "rises"}.get(slow, slow)


def test_a_generation_that_one_recursion_lacks_makes_no_curve_jump():
    """A line of five recursions, of which one has no value at generation 4: it was said that the mean jumped."""
    values = 1 + 0.5 * np.arange(10) + 0.05 * np.random.default_rng(0).standard_normal((5, 10))
    values[1, 3] = np.nan
    np.testing.assert_array_equal(whole_block(values), values[[0, 2, 3, 4]])
    values[:, 3] = np.nan  # measured by none: nothing can be kept together there
    assert whole_block(values).shape == (5, 9)


def test_gaps_that_would_cost_too_much_cost_a_generation_each():
    values = np.ones((3, 12))
    values[0, 4] = values[1, 7] = np.nan
    assert whole_block(values).shape == (3, 10)
    values = np.ones((6, 12))
    values[[0, 1, 2], 6] = np.nan
    assert whole_block(values).shape == (6, 11)
    values[[0, 1, 2], 6:] = np.nan  # ended there
    assert whole_block(values).shape == (3, 12)
