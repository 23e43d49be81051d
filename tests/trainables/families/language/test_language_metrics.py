"""Metrics of samples on rows whose figures are known."""

import numpy as np
import pytest

from trainables.families.language import metrics
from trainables.families.language.token_rows import Rows


def arrays(*rows: list[int]) -> list[np.ndarray]:
    return [np.array(row) for row in rows]


def test_distinct_counts_over_all_rows() -> None:
    rows = arrays([1, 2, 1, 2], [1, 2, 3, 4])
    assert metrics.distinct(rows, 1) == 4 / 8
    assert metrics.distinct(rows, 2) == 4 / 6
    assert metrics.distinct(arrays([1]), 2) == 0.0


def test_repetition_is_within_a_row() -> None:
    assert metrics.repetition(arrays([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])) == 0.0
    assert metrics.repetition(arrays([7] * 8)) == pytest.approx(1 - 1 / 5)


def test_rows_without_four_tokens_have_no_repetition() -> None:
    """0/0 was 1, as of one token for ever: what ends at once said that it repeats itself most."""
    assert np.isnan(metrics.repetition(arrays([1], [1, 2, 3], [])))
    assert metrics.repetition(arrays([1], [1, 2, 3], [1, 2, 3, 4])) == 0.0


def test_self_bleu_is_one_for_one_text_and_low_for_unlike_ones() -> None:
    assert metrics.self_bleu(arrays(*[list(range(20))] * 5)) == pytest.approx(1.0)
    unlike = arrays(*(list(range(20 * n, 20 * n + 20)) for n in range(5)))
    assert metrics.self_bleu(unlike) == 0.0
    assert np.isnan(metrics.self_bleu(arrays([1, 2, 3]))), "nothing to be compared with"


def test_self_bleu_equals_the_definition() -> None:
    """Against a direct count of clipped n-grams of one row over the union of maxima of the others."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 6, size) for size in (12, 15, 15, 20)]
    assert metrics.self_bleu(rows) == pytest.approx(np.mean([direct_bleu(rows, i) for i in range(4)]))


def test_self_bleu_is_the_same_in_any_order_of_rows() -> None:
    """Of a shorter and a longer row as near as each other the shorter counts: no penalty for the row between them."""
    rows = arrays([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5], [1, 2, 3, 4])
    alone = [direct_bleu(rows, i) for i in range(3)]
    assert alone[1] == pytest.approx(1.0)
    assert metrics.self_bleu(rows) == metrics.self_bleu(rows[::-1]) == pytest.approx(np.mean(alone))


def direct_bleu(rows: list[np.ndarray], which: int) -> float:
    others = [row for i, row in enumerate(rows) if i != which]
    total = 0.0
    for n in range(1, 5):
        own, add = metrics.grams(rows[which], n), int(n > 1)
        hits = sum(min(own.count(g), max(metrics.grams(o, n).count(g) for o in others)) for g in set(own))
        total += np.log((hits + add) / (len(own) + add)) / 4
    nearest = min((abs(len(o) - len(rows[which])), len(o)) for o in others)[1]
    return float(np.exp(total + min(0.0, 1 - nearest / len(rows[which]))))


def test_zipf_finds_the_exponent_of_a_power_law() -> None:
    counts = np.round(1e6 * np.arange(1, 200.0) ** -1.2).astype(int)
    assert metrics.zipf_exponent(counts) == pytest.approx(1.2, abs=0.01)
    assert np.isnan(metrics.zipf_exponent(np.array([3, 1])))


def test_zipf_excess_is_none_for_few_tokens_of_the_same_text() -> None:
    """The plain exponent of 640 tokens lies 0.13 below that of 64,000."""
    rng = np.random.default_rng(0)
    chances = np.arange(1, 301.0) ** -1.1
    chances /= chances.sum()
    real, many = (Rows.fixed(rng.choice(300, 64_000, p=chances), 64) for _ in range(2))
    few = [Rows.fixed(rng.choice(300, 640, p=chances), 64) for _ in range(50)]
    found = [metrics.zipf_excess(rows, real, rng) for rows in few]
    plain = [metrics.zipf_exponent(np.bincount(rows.tokens)) for rows in few]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(50) < 0.1
    assert metrics.zipf_excess(many, real, rng) == pytest.approx(0, abs=0.03)
    assert abs(np.mean(plain) - metrics.zipf_exponent(np.bincount(real.tokens))) > 0.1


def test_entropy_of_even_and_single_counts() -> None:
    assert metrics.entropy(np.array([5, 5, 0, 5, 5])) == pytest.approx(np.log(4))
    assert metrics.entropy(np.array([9, 0])) == 0.0


def test_the_tail_is_the_rarest_tokens_that_were_seen() -> None:
    counts = np.array([60, 0, 30, 5, 4, 1])
    assert metrics.tail(counts).tolist() == [False, False, False, True, True, True]


def test_losing_the_tail_shows_in_mass_and_coverage() -> None:
    rng = np.random.default_rng(0)
    chances = np.arange(1, 301.0) ** -1.1
    chances /= chances.sum()
    real = Rows.fixed(rng.choice(300, 6400, p=chances), 64)
    tail = metrics.tail(np.bincount(rng.choice(300, 10**6, p=chances), minlength=300))
    whole = metrics.statistics(Rows.fixed(rng.choice(300, 6400, p=chances), 64), real, tail, rng)
    sharp = chances**2 / (chances**2).sum()
    lost = metrics.statistics(Rows.fixed(rng.choice(300, 6400, p=sharp), 64), real, tail, rng)
    assert whole["tail_mass"] == pytest.approx(metrics.TAIL, abs=0.02)
    assert whole["tail_coverage"] == pytest.approx(1.0, abs=0.15)
    assert lost["tail_mass"] < 0.1 * whole["tail_mass"]
    assert lost["tail_coverage"] < 0.5
    assert lost["entropy"] < whole["entropy"]
    assert lost["zipf_exponent"] > whole["zipf_exponent"]
