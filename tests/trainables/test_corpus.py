"""What draws come to on a pool, and the audit of it."""

from itertools import combinations

import numpy as np
import pytest

from trainables.corpus import Batch, Corpus, RealisedDraw, realise, subsample
from trainables.policies import FRESH, Draw
from trainables.store import Payload


def batch(number, rows):
    return Batch(number, f"key-{number}", rows, lambda: Payload(meta={"rows": rows}))


POOL = [batch(0, 10), batch(1, 5), batch(2, 5)]


def rng(seed=0):
    return np.random.default_rng(seed)


def draw(how, rows, batches=(0, 1, 2), **fields):
    return Draw(batches=batches, how=how, rows=rows, **fields)


@pytest.mark.parametrize("replicates", [1, 3])
@pytest.mark.parametrize("how", ["subsample", "bootstrap", "scored", "first"])
def test_draws_hold_exactly_the_rows_asked_for(how, replicates):
    part = realise(draw(how, 7), POOL, replicates, rng(), np.ones(20))
    shape = (7,) if replicates == 1 or how == "first" else (replicates, 7)
    assert part.index.shape == shape
    assert part.rows == 7
    assert sum(part.rows_by_batch.values()) == pytest.approx(7)
    assert ((part.index >= 0) & (part.index < 20)).all()


@pytest.mark.parametrize(("how", "rows", "start"), [("first", 20, 0), ("first", 5, 15), ("subsample", 20, 0)])
def test_a_draw_may_take_all_that_is_left(how, rows, start):
    part = realise(draw(how, rows, start=start), POOL, 1, rng())
    assert sorted(part.index.ravel().tolist()) == list(range(start, 20))


def test_all_needs_no_index():
    part = realise(Draw(batches=(0, 1, 2)), POOL, 3, rng())
    assert part.index is None
    assert part.rows_by_batch == {0: 10, 1: 5, 2: 5}


def test_first_starts_where_told():
    part = realise(draw("first", 4, start=9), POOL, 1, rng())
    assert part.index.tolist() == [9, 10, 11, 12]
    assert part.rows_by_batch == {0: 1, 1: 3}


@pytest.mark.parametrize("how", ["first", "subsample"])
def test_more_rows_than_there_are_is_an_error(how):
    with pytest.raises(ValueError, match="0 to 21 of batches that hold 20"):
        realise(draw(how, 21), POOL, 1, rng())


@pytest.mark.parametrize("wanted", [1, 3, 10, 11, 17, 19, 20])
def test_a_subsample_repeats_nothing_and_is_in_order(wanted):
    index = subsample(200, 20, wanted, rng())
    assert index.shape == (200, wanted)
    assert (np.diff(index, axis=1) > 0).all()
    assert ((index >= 0) & (index < 20)).all()


@pytest.mark.parametrize("wanted", [2, 3])
def test_every_subset_is_equally_likely(wanted):
    """5 choose 2, and by the complement 5 choose 3: chi-square over the ten subsets, at its 99.99% point."""
    index = subsample(50_000, 5, wanted, rng(1))
    counts = [np.all(index == subset, axis=1).sum() for subset in combinations(range(5), wanted)]
    assert sum(counts) == 50_000
    assert sum((count - 5000) ** 2 / 5000 for count in counts) < 33.7


def test_a_bootstrap_repeats_rows():
    index = realise(draw("bootstrap", 2000), POOL, 1, rng()).index
    assert len(set(index.tolist())) == 20
    assert np.bincount(index).min() > 50


def test_scores_are_odds():
    scores = np.r_[np.zeros(10), np.full(5, 3.0), np.full(5, 1.0)]
    part = realise(draw("scored", 40_000), POOL, 1, rng(), scores)
    shares = part.rows_by_batch
    assert 0 not in shares
    assert shares[1] / 40_000 == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 40_000))


def test_scores_are_each_replicates_own():
    scores = np.eye(20)[[4, 17]]
    assert realise(draw("scored", 3), POOL, 2, rng(), scores).index.tolist() == [[4] * 3, [17] * 3]


def test_a_scored_draw_without_scores_is_an_error():
    with pytest.raises(ValueError, match="needs scores"):
        realise(draw("scored", 3), POOL, 1, rng())


def corpus(*parts):
    return Corpus(tuple(RealisedDraw(tuple(batches), index, weight) for batches, index, weight in parts))


def test_weights_are_shares_of_the_loss():
    found = corpus(([POOL[0]], None, 1.0), ([POOL[1]], None, 4.0))
    assert found.weight_by_batch() == pytest.approx({0: 10 / 30, 1: 20 / 30})
    assert found.effective_rows() == pytest.approx(30**2 / (10 + 5 * 16))
    assert found.weighted


def test_equal_weights_count_every_row():
    found = corpus(([POOL[0]], None, 0.5), ([POOL[1]], None, 0.5))
    assert found.effective_rows() == pytest.approx(15)
    assert not found.weighted


def test_the_reserve_is_real():
    found = corpus(([batch(FRESH, 6)], None, 1.0), ([POOL[1]], None, 1.0), ([POOL[0]], np.arange(4), 1.0))
    assert found.real_fraction == pytest.approx(10 / 15)
    assert found.rows_by_batch() == {FRESH: 6, 0: 4, 1: 5}


@pytest.mark.parametrize(
    ("parts", "repeats"),
    [
        ([(POOL, None, 1.0)], 0),
        ([([POOL[0]], None, 1.0), ([POOL[1]], None, 2.0)], 0),
        ([([POOL[0]], None, 1.0), ([POOL[0]], None, 1.0)], 10),
        ([([POOL[0]], np.array([1, 1, 2]), 1.0)], 1),
        ([([POOL[0]], np.array([1, 2]), 1.0), (POOL, np.array([2, 11, 3]), 1.0)], 1),
        ([(POOL, np.array([12]), 1.0), ([POOL[1]], np.array([2, 3]), 1.0)], 1),
        ([([POOL[0]], np.array([[1, 1], [1, 2]]), 1.0)], 0.5),
        ([([POOL[0]], np.array([[1, 2], [3, 4]]), 1.0), ([POOL[0]], np.array([1, 2]), 1.0)], 1),
    ],
)
def test_duplicates_are_counted_over_the_whole_corpus(parts, repeats):
    assert corpus(*parts).duplicates() == repeats
