"""Figures of samples by arithmetic written out, by peers, and at their limits."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipys_entropy
from scipy.stats import linregress

from trainables.families.language import metrics
from trainables.families.language.token_rows import Rows, join

TEXTS = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=9), min_size=2, max_size=6)

FEW = settings(max_examples=15)


def arrays(*rows: list[int]) -> list[np.ndarray]:
    return [np.array(row) for row in rows]


def rows_of(*rows: list[int]) -> Rows:
    return join([Rows(np.array(row, np.uint16), np.array([0, len(row)])) for row in rows])


def test_grams_are_all_windows_in_order() -> None:
    row = np.array([5, 6, 7, 5])
    assert metrics.grams(row, 1) == [(5,), (6,), (7,), (5,)]
    assert metrics.grams(row, 3) == [(5, 6, 7), (6, 7, 5)]
    assert metrics.grams(row, 4) == [(5, 6, 7, 5)]
    assert metrics.grams(row, 5) == []


def test_bleu_of_two_rows_that_part_at_their_last_token() -> None:
    """Each against the other: 3/4 · (2+1)/(3+1) · (1+1)/(2+1) · (0+1)/(1+1) = 3/16, to the power of 1/4; no penalty."""
    assert metrics.self_bleu(arrays([1, 2, 3, 4], [1, 2, 3, 5])) == pytest.approx((3 / 16) ** 0.25)


def test_a_row_shorter_than_its_reference_is_penalised_and_a_longer_one_is_not() -> None:
    """[1, 2] has precisions of 1 (an n-gram that it can't have counts (0+1)/(0+1)), times exp(1 − 4/2); [1, 2, 3, 4]
    has 2/4 · (1+1)/(3+1) · (0+1)/(2+1) · (0+1)/(1+1) = 1/24 and no penalty."""
    expected = (math.exp(-1) + (1 / 24) ** 0.25) / 2
    assert metrics.self_bleu(arrays([1, 2], [1, 2, 3, 4])) == pytest.approx(expected)


def test_a_row_of_one_token_is_penalised_like_any_other() -> None:
    """[1] against [1, 2]: exp(1 − 2/1); [1, 2] against [1]: 1/2 · (0+1)/(1+1) = 1/4 to the power of 1/4."""
    assert metrics.self_bleu(arrays([1], [1, 2])) == pytest.approx((math.exp(-1) + 0.25**0.25) / 2)


def test_counts_are_clipped_by_the_row_that_has_most_not_by_all_rows_together() -> None:
    """Of four 1s another row allows two at most: 2/4, then 2-grams (1+1)/(3+1), 3-grams 1/3, 4-grams 1/2."""
    rows = arrays([1, 1, 1, 1], [1, 1, 2, 3], [1, 4, 5, 1])
    second = 2 / 4 * (1 + 1) / (3 + 1) * (0 + 1) / (2 + 1) * (0 + 1) / (1 + 1)  # 1, 1 of row 1; 11 of row 1
    third = 2 / 4 * (0 + 1) / (3 + 1) * (0 + 1) / (2 + 1) * (0 + 1) / (1 + 1)
    first = 2 / 4 * (1 + 1) / (3 + 1) * (0 + 1) / (2 + 1) * (0 + 1) / (1 + 1)
    assert metrics.self_bleu(rows) == pytest.approx(np.mean([x**0.25 for x in (first, second, third)]))


def test_a_row_that_shares_no_token_has_no_bleu_whatever_is_added_to_longer_grams() -> None:
    """Of three rows two are one text, 1 each; the third has precision 0/2 for single tokens."""
    assert metrics.self_bleu(arrays([1, 2], [1, 2], [3, 4])) == pytest.approx(2 / 3)


@FEW
@given(TEXTS, st.permutations(range(5)))
def test_no_figure_of_samples_depends_on_the_names_of_tokens_or_the_order_of_rows(
    rows: list[list[int]], names: list[int]
) -> None:
    renamed = arrays(*[[10 + names[token] for token in row] for row in reversed(rows)])
    for figure in (
        metrics.self_bleu,
        metrics.repetition,
        lambda some: metrics.distinct(some, 1),
        lambda some: metrics.distinct(some, 3),
    ):
        assert figure(renamed) == pytest.approx(figure(arrays(*rows)), abs=1e-12, nan_ok=True)


@FEW
@given(TEXTS)
def test_figures_of_shares_stay_between_none_and_all(rows: list[list[int]]) -> None:
    some = arrays(*rows)
    assert 0 <= metrics.self_bleu(some) <= 1 + 1e-12
    assert np.isnan(found := metrics.repetition(some)) == all(len(row) < 4 for row in rows)
    assert np.isnan(found) or 0 <= found < 1
    assert all(0 <= metrics.distinct(some, n) <= 1 for n in (1, 2, 3))


@FEW
@given(TEXTS)
def test_every_text_twice_is_all_repeated_of_others_and_half_as_distinct(rows: list[list[int]]) -> None:
    twice = arrays(*rows, *rows)
    assert metrics.self_bleu(twice) == pytest.approx(1)
    for n in (1, 2, 3):
        assert metrics.distinct(twice, n) == pytest.approx(metrics.distinct(arrays(*rows), n) / 2)
    assert metrics.repetition(twice) == pytest.approx(metrics.repetition(arrays(*rows)), nan_ok=True)


def test_repetition_of_pairs() -> None:
    """Six bigrams of [1, 2, 1, 2, 1, 2, 3] are 12, 21, 12, 21, 12, 23: three different."""
    assert metrics.repetition(arrays([1, 2, 1, 2, 1, 2, 3]), 2) == pytest.approx(1 - 3 / 6)


def test_zipf_is_least_squares_over_tokens_seen_twice_at_least() -> None:
    counts = np.array([1, 40, 2, 0, 9, 1, 17, 2, 3])
    seen = [40, 17, 9, 3, 2, 2]
    expected = -linregress(np.log(np.arange(1, 7)), np.log(seen)).slope
    assert metrics.zipf_exponent(counts) == pytest.approx(expected)


def test_an_exponent_needs_three_tokens_that_were_seen_twice() -> None:
    """Of 4, 2 and 2 on ranks 1, 2 and 3: by least squares through log ranks 0, 0.693 and 1.099."""
    assert math.isnan(metrics.zipf_exponent(np.array([4, 2, 1, 1])))
    x, y = np.log([1, 2, 3]), np.log([4, 2, 2])
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    assert metrics.zipf_exponent(np.array([2, 4, 2])) == pytest.approx(-slope)
    assert metrics.zipf_exponent(np.array([7, 7, 7, 7])) == pytest.approx(0, abs=1e-12)


def test_an_exponent_does_not_change_where_all_counts_grow_alike() -> None:
    counts = np.array([2, 3, 4, 8, 20, 60])
    assert metrics.zipf_exponent(10 * counts) == pytest.approx(metrics.zipf_exponent(counts))


def test_an_excess_compares_as_many_tokens_of_either_side() -> None:
    """Real rows are all alike, so that any three of twelve have the counts of the three sampled ones times one."""
    alike = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4]
    real, few = rows_of(*[alike] * 12), rows_of(*[alike] * 3)
    assert metrics.zipf_excess(few, real, np.random.default_rng(0)) == 0.0
    assert metrics.zipf_excess(real, few, np.random.default_rng(0)) == 0.0


def test_the_longer_side_is_cut_to_the_tokens_of_the_shorter() -> None:
    """Fifteen tokens are a whole row and half another, whichever rows are drawn."""
    alike = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4]
    sampled = rows_of([5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 8, 8])
    cut = metrics.zipf_exponent(np.bincount([*alike, 1, 1, 1, 1, 2]))
    found = metrics.zipf_excess(sampled, rows_of(*[alike] * 4), np.random.default_rng(0))
    assert found == pytest.approx(metrics.zipf_exponent(np.bincount(sampled.tokens)) - cut)


def test_rows_that_are_left_out_for_length_are_drawn_at_random() -> None:
    real = rows_of(*[[n] * 4 + [n + 20] * 2 for n in range(1, 9)])
    sampled = rows_of([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4])
    found = {round(metrics.zipf_excess(sampled, real, np.random.default_rng(seed)), 9) for seed in range(3)}
    pieces = {tuple(metrics._shortened(real, 12, np.random.default_rng(seed))) for seed in range(6)}
    assert len(found) == 1, "two rows of six have the same counts whichever they are"
    assert len(pieces) > 3


@pytest.mark.parametrize("counts", [[1, 2, 3, 4], [10, 0, 0, 1], [1, 1, 1, 1, 1, 1, 1]])
def test_entropy_is_scipys(counts: list[int]) -> None:
    assert metrics.entropy(np.array(counts)) == pytest.approx(scipys_entropy(counts))


def test_the_tail_holds_a_tenth_of_the_tokens_and_no_more() -> None:
    """Of 100: 4 + 6 is a tenth and in it; of 1 more beside them the sum is 11, so 6 is out."""
    assert metrics.tail(np.array([90, 6, 4])).tolist() == [False, True, True]
    assert metrics.tail(np.array([89, 6, 4, 1])).tolist() == [False, False, True, True]
    assert metrics.tail(np.array([50, 50])).tolist() == [False, False]


def test_of_equally_rare_tokens_at_the_border_the_first_are_in_the_tail() -> None:
    """Twenty of one each and one of 10: three of thirty are a tenth."""
    member = metrics.tail(np.array([10, *[1] * 20]))
    assert member.nonzero()[0].tolist() == [1, 2, 3]


def test_all_figures_of_a_sample_by_hand() -> None:
    """Vocabulary of 8; tokens 6 and 7 are rare. Eight sampled tokens: 2 ×3, 3 ×2, 4 ×2, 6 ×1."""
    sampled = rows_of([2, 2, 3, 4], [2, 3, 4, 6])
    real = rows_of([2, 2, 7, 3], [2, 3, 6, 4], [7, 7, 7, 7])
    member = np.zeros(8, dtype=bool)
    member[[6, 7]] = True
    found = metrics.statistics(sampled, real, member, np.random.default_rng(0))
    assert found["distinct_1"] == 4 / 8
    assert found["distinct_2"] == 4 / 6, "of 22, 23, 34, 23, 34 and 46"
    assert found["distinct_3"] == 3 / 4, "of 223, 234, 234 and 346"
    assert found["repetition"] == 0.0
    assert found["entropy"] == pytest.approx(scipys_entropy([3, 2, 2, 1]))
    assert found["tail_mass"] == 1 / 8
    assert found["tail_coverage"] == 1 / 2, "as many held-out tokens, the first eight, have 6 and 7"
    assert found["sampled_length"] == 4.0
    assert found["self_bleu"] == pytest.approx(metrics.self_bleu(arrays([2, 2, 3, 4], [2, 3, 4, 6])))
    assert found["zipf_exponent"] == pytest.approx(metrics.zipf_exponent(np.array([3, 2, 2, 1])))


def test_coverage_is_of_as_many_held_out_tokens() -> None:
    """Of the first two held-out tokens one is rare: a sample that has two rare ones covers twice as many."""
    member = np.array([False, False, True, True, True])
    found = metrics.statistics(rows_of([2, 3]), rows_of([1, 4], [2, 3]), member, np.random.default_rng(0))
    assert found["tail_coverage"] == 2.0
    none = metrics.statistics(rows_of([2, 3]), rows_of([1, 1]), member, np.random.default_rng(0))
    assert none["tail_coverage"] == 2.0, "where the real ones have none, one is expected"


def test_a_sample_of_one_rare_token_is_all_tail() -> None:
    member = np.array([False, False, True])
    found = metrics.statistics(rows_of([2]), rows_of([1]), member, np.random.default_rng(0))
    assert (found["tail_mass"], found["tail_coverage"], found["entropy"]) == (1.0, 1.0, 0.0)
    assert np.isnan([found["self_bleu"], found["repetition"]]).all()
    assert math.isnan(found["zipf_exponent"])


def test_mean_length_counts_each_row_once() -> None:
    found = metrics.statistics(
        rows_of([2], [2, 3, 2, 3, 2]), rows_of([2, 3]), np.zeros(4, bool), np.random.default_rng(0)
    )
    assert found["sampled_length"] == 3.0


def test_what_statistics_give_is_what_records_declare() -> None:
    found = metrics.statistics(rows_of([2, 3], [3, 2]), rows_of([2, 3]), np.zeros(4, bool), np.random.default_rng(0))
    sampled = {metric.name for metric in metrics.METRICS if metric.when}
    assert set(found) == sampled - {"perplexity_under_first", "disagreement"}


@pytest.mark.parametrize(
    ("lost", "worse"),
    [(name, -1) for name in ("distinct_1", "distinct_2", "distinct_3", "entropy", "tail_mass", "tail_coverage")]
    + [("self_bleu", 1), ("repetition", 1)],
)
def test_what_is_called_worse_is_what_a_poorer_sample_shows(lost: str, worse: int) -> None:
    """A tenth of the vocabulary again and again, against draws from all of it."""
    rng = np.random.default_rng(0)
    member = np.zeros(100, dtype=bool)
    member[50:] = True
    real, rich = (Rows.fixed(rng.integers(0, 100, 640), 16) for _ in range(2))
    poor = Rows.fixed(np.tile(np.arange(5), 128), 16)
    figures = [metrics.statistics(some, real, member, rng)[lost] for some in (rich, poor)]
    assert np.sign(figures[1] - figures[0]) == worse
    assert {metric.name: metric.worse for metric in metrics.METRICS}[lost] == worse


def test_the_two_largest_counts_of_a_gram_are_those_of_two_rows() -> None:
    counts = [Counter({(1,): 2, (2,): 1}), Counter({(1,): 5}), Counter({(1,): 3, (2,): 1})]
    first, second, owner = metrics._two_largest(counts)
    assert (first[(1,)], second[(1,)], owner[(1,)]) == (5, 3, 1)
    assert (first[(2,)], second[(2,)], owner[(2,)]) == (1, 1, 0)
