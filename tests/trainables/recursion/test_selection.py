"""Which candidates are kept."""

import numpy as np
import pytest

from trainables.families import Diverged
from trainables.policies import Selection
from trainables.recursion.selection import bar, check_scores, choose, verdicts


def rng():
    return np.random.default_rng(0)


def test_top_keeps_the_best_in_the_order_they_came():
    selection = Selection(rule="top", judge="reference", keep=3)
    assert choose(selection, np.array([1.0, 9, 3, 7, 5]), rng()).tolist() == [1, 3, 4]


def test_top_breaks_ties_by_order():
    selection = Selection(rule="top", judge="reference", keep=2)
    assert choose(selection, np.zeros(5), rng()).tolist() == [0, 1]


def test_top_ranks_each_replicate_by_itself():
    selection = Selection(rule="top", judge="reference", keep=1)
    assert choose(selection, np.array([[1.0, 2], [4, 3]]), rng()).tolist() == [[1], [0]]


def test_top_bears_rows_that_cannot_be():
    selection = Selection(rule="top", judge="reference", keep=2)
    assert choose(selection, np.array([-np.inf, 0, -np.inf, 1]), rng()).tolist() == [1, 3]


ACCEPT = Selection(rule="accept", judge="reference", keep=3, level=0.25)


def test_accept_keeps_the_first_that_pass():
    scores = np.array([5.0, 1, 3, 9, 4, 8])
    index = choose(ACCEPT, scores, rng(), np.array([3.0]))
    assert index.tolist() == [0, 2, 3]
    assert verdicts(ACCEPT, scores, index, np.array([3.0])) == {
        "below_bar": 0,
        "rejected": {"accept_reference": 1, "surplus": 2},
    }


def test_accept_fills_up_with_the_best_of_the_others():
    scores = np.array([[1.0, 7, 2, 5, 0], [1, 2, 3, 4, 5]])
    least = np.array([[6.0], [1.0]])
    index = choose(ACCEPT, scores, rng(), least)
    assert index.tolist() == [[1, 2, 3], [0, 1, 2]]
    assert verdicts(ACCEPT, scores, index, least) == {
        "below_bar": 1,
        "rejected": {"accept_reference": 1, "surplus": 1},
    }


def test_the_bar_is_a_quantile_of_real_rows():
    assert bar(ACCEPT, np.arange(9.0)).tolist() == [2]
    assert bar(ACCEPT, np.array([[0.0, 1, 2, 3, 4], [-np.inf, -np.inf, 0, 1, 2]])).tolist() == [[1], [-np.inf]]


def test_best_of_takes_one_of_each_group():
    selection = Selection(rule="best_of", judge="reference", keep=4, of=3)
    index = choose(selection, rng().normal(size=(50, 12)), rng())
    assert (index // 3 == np.arange(4)).all()


def test_best_of_is_bradley_terry():
    """Of two candidates the better wins with odds e^(difference of rewards / temperature)."""
    selection = Selection(rule="best_of", judge="reference", keep=40_000, of=2, temperature=0.5)
    index = choose(selection, np.tile([0.0, 0.4], 40_000), rng())
    expected = 1 / (1 + np.exp(-0.4 / 0.5))
    assert abs((index % 2).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 40_000)


def test_best_of_more_than_two_is_a_softmax():
    """Gumbel's noise gives it, and its mirror image does not, which of two candidates alone no one could tell."""
    rewards = np.array([0.0, 1.0, 2.5])
    selection = Selection(rule="best_of", judge="reference", keep=40_000, of=3)
    index = choose(selection, np.tile(rewards, 40_000), rng())
    found, expected = np.bincount(index % 3) / 40_000, np.exp(rewards) / np.exp(rewards).sum()
    np.testing.assert_allclose(found, expected, atol=4 * 0.5 / 40_000**0.5)


def test_best_of_at_low_temperature_takes_the_best():
    selection = Selection(rule="best_of", judge="reference", keep=100, of=4, temperature=1e-9)
    scores = rng().normal(size=400)
    assert (choose(selection, scores, rng()) == scores.reshape(100, 4).argmax(1) + np.arange(100) * 4).all()


def test_too_few_candidates_are_refused():
    with pytest.raises(ValueError, match="5 candidates for 2 rows, each the best of 3"):
        choose(Selection(rule="best_of", judge="reference", keep=2, of=3), np.zeros(5), rng())


def test_scores_must_rank():
    with pytest.raises(Diverged, match="1 scores of the reference judge are not numbers"):
        check_scores("reference", np.array([0, np.nan]), 2, 1)
    with pytest.raises(ValueError, match="shape"):
        check_scores("reference", np.zeros(3), 2, 1)


def test_a_detectors_scores_must_be_odds():
    for bad in (-0.1, np.inf):
        with pytest.raises(Diverged, match="detector"):
            check_scores("detector", np.array([0.5, bad]), 2, 1)
    with pytest.raises(Diverged, match="not all 0"):
        check_scores("detector", np.array([[0.5, 0], [0, 0]]), 2, 2)
    check_scores("reference", np.array([-5.0, -np.inf]), 2, 1)
