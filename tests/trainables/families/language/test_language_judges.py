"""Detectors of synthetic rows: counts by plain loops, a fit by its own conditions of optimality."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from trainables.families.language import judges
from trainables.families.language.config import LanguageConfig
from trainables.families.language.token_rows import Rows, join
from trainables.lineage import Stream
from trainables.store import Payload

WORDS = 260
GIVEN = LanguageConfig(vocabulary=WORDS, context=8)


def rows_of(*lists: list[int]) -> Rows:
    return join([Rows(np.array(row, np.uint16), np.array([0, len(row)])) for row in lists])


def bucket(first: int, second: int) -> int:
    """Twelve high bits of the pair's number times ⌊2^64 / φ⌋ (Knuth, volume 3, 6.4), modulo 2^64."""
    return ((first * WORDS + second) * 0x9E3779B97F4A7C15 % 2**64) >> 52


def test_features_are_logs_of_counts_of_tokens_and_of_pairs_within_a_row() -> None:
    lists = [[5, 6, 5, 6, 7], [7], [259, 259, 259], [6, 5]]
    expected = np.zeros((4, WORDS + 4096))
    for number, row in enumerate(lists):
        for token in row:
            expected[number, token] += 1
        for pair in pairwise(row):
            expected[number, WORDS + bucket(*pair)] += 1
    found = judges.features(GIVEN, rows_of(*lists))
    assert found.shape == (4, WORDS + 4096)
    np.testing.assert_allclose(found, np.log1p(expected), rtol=1e-6)
    assert found[1].sum() == pytest.approx(math.log(2)), "one token, and no pair with the last of the row before"


def test_the_order_of_two_tokens_is_seen() -> None:
    assert bucket(5, 6) != bucket(6, 5)
    one, other = judges.features(GIVEN, rows_of([5, 6], [6, 5]))
    assert (one != other).sum() == 2
    assert (one[:WORDS] == other[:WORDS]).all()


@pytest.fixture(scope="module")
def sides() -> tuple[Rows, Rows]:
    rng = np.random.default_rng(0)
    real = rows_of(*[rng.integers(2, 40, 8).tolist() for _ in range(24)])
    made = rows_of(*[rng.integers(10, 50, 8).tolist() for _ in range(12)])
    return real, made


@pytest.fixture(scope="module")
def judge(sides: tuple[Rows, Rows]) -> Payload:
    return judges.detector(GIVEN, *sides, Stream("d"))


def test_a_detector_is_where_the_penalised_likelihood_is_largest(sides: tuple[Rows, Rows], judge: Payload) -> None:
    """Of standardised features z: w = C Σ (y − p) z with C = 1/1000, and Σ (y − p) = 0 since the intercept is free."""
    x = judges.features(GIVEN, join(list(sides))).astype(float)
    scale = x.std(axis=0) + 1e-3
    y = np.array([1] * 24 + [0] * 12)
    p = 1 / (1 + np.exp(-(x @ judge.tensors["weights"] + judge.tensors["intercept"])))
    slope = 1e-3 * ((y - p) @ (x / scale))
    assert judge.tensors["weights"] * scale == pytest.approx(slope, abs=2e-4)
    assert (y - p).sum() == pytest.approx(0, abs=2e-2)
    assert np.abs(judge.tensors["weights"] * scale).max() > 2e-3


def test_what_looks_real_scores_higher(sides: tuple[Rows, Rows], judge: Payload) -> None:
    real, made = (judges.realness(GIVEN, judge, side) for side in sides)
    assert real.min() > made.max()
    low, high = (judges.realness(GIVEN, judge, rows_of([token] * 8))[0] for token in (45, 5))
    assert low < high, "45 is synthetic alone, 5 real alone"


def test_a_detector_of_swapped_sides_is_the_opposite(sides: tuple[Rows, Rows]) -> None:
    even = sides[0].take(np.arange(12)), sides[1]
    one = judges.detector(GIVEN, *even, Stream("d")).tensors
    other = judges.detector(GIVEN, *even[::-1], Stream("d")).tensors
    np.testing.assert_allclose(one["weights"], -other["weights"], atol=2e-3)


def test_probabilities_stay_off_nought_and_one() -> None:
    weights: dict[str, Any] = {"weights": np.zeros(WORDS + 4096), "intercept": np.zeros(1)}
    weights["weights"][5], weights["weights"][6] = 1e3, -1e3
    found = judges.realness(GIVEN, Payload(tensors=weights), rows_of([5], [6], [7]))
    assert found.tolist() == [1 - 1e-6, 1e-6, 0.5]


def test_a_probability_is_the_logistic_of_weighted_features() -> None:
    """One token 5 has the feature ln 2; times 2 and less 1."""
    weights: dict[str, Any] = {"weights": np.zeros(WORDS + 4096), "intercept": np.array([-1.0])}
    weights["weights"][5] = 2.0
    found = judges.realness(GIVEN, Payload(tensors=weights), rows_of([5]))
    assert found[0] == pytest.approx(1 / (1 + math.exp(1 - 2 * math.log(2))))
