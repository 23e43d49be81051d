"""How closed forms go through a corpus: sums that go on from known ones, rows by how often they are drawn."""

import numpy as np
import pytest

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.closed_form.corpus_terms import (
    Memo,
    RunningSum,
    by_row,
    drawn_parts,
    gather,
    multiplicities,
    of_drawn,
    probability,
    square_distances,
    terms_of,
    whole_batches,
)


def batch(number, rows=3):
    return Batch(number, f"key {number}", rows, lambda: None)


def part(*numbers, index=None, weight=1.0):
    return RealisedDraw(tuple(map(batch, numbers)), None if index is None else np.array(index), weight)


def test_a_memo_forgets_what_was_asked_for_longest_ago():
    memo, computed = Memo(2), []

    def get(key):
        return memo.get(key, lambda: computed.append(key) or key.upper())

    assert [get(key) for key in "abacab"] == list("ABACAB")
    assert computed == list("abcb"), "a is asked for again before c comes, so b goes"


def test_a_running_sum_loads_only_what_is_new():
    loaded = []

    def load(batch, weight):
        loaded.append(batch.number)
        return [(batch.number, weight)]

    sums, items = RunningSum(load, lambda one, other: one + other), [(batch(n), 1.0) for n in range(4)]
    for count in (2, 3, 3, 4):
        assert sums.total(items[:count]) == [(n, 1.0) for n in range(count)]
    assert loaded == [0, 1, 2, 3]
    assert sums.total([(batch(0), 2.0), *items[1:]]) == [(0, 2.0), (1, 1.0), (2, 1.0), (3, 1.0)]
    assert loaded[4:] == [0, 1, 2, 3], "another weight is another sum"


@pytest.mark.parametrize("lineages", [1, 3])
def test_as_many_sums_are_known_as_lineages_go_on(lineages):
    loaded = []
    sums = RunningSum(lambda batch, weight: loaded.append(batch.number) or weight, float.__add__, lineages)
    first = [[(batch(10 * lineage), 1.0)] for lineage in range(3 + lineages)]
    for items in first:
        sums.total(items)
    loaded.clear()
    for items in first:
        assert sums.total([*items, (batch(99), 1.0)]) == 2.0
    assert loaded == [99] * len(first)


def test_distances_are_means_over_pairs():
    values = [
        np.array([[0.0, 0.0], [1.0, 1.0]]),
        np.array([[3.0, 4.0], [1.0, 1.0]]),
        np.array([[0.0, 0.0], [2.0, 1.0]]),
    ]
    np.testing.assert_allclose(square_distances(list(values)), [(25 + 0 + 25) / 3, (0 + 1 + 1) / 3])
    alike = np.array([[0.1, 1e8]])
    assert square_distances([alike] * 3).tolist() == [0.0]


def test_whole_batches_and_drawn_parts_are_told_apart():
    parts = (part(0, 1, weight=2.0), part(1, 2, index=[0, 0]), part(3))
    corpus = Corpus(parts)
    assert [(b.number, weight) for b, weight in whole_batches(corpus)] == [(0, 2.0), (1, 2.0), (3, 1.0)]
    assert drawn_parts(corpus) == [parts[1]]
    sums = RunningSum(lambda batch, weight: weight, float.__add__)
    assert terms_of(corpus, sums, lambda drawn: -1.0) == [5.0, -1.0]
    assert terms_of(Corpus(parts[1:2]), sums, lambda drawn: -1.0) == [-1.0]


def test_rows_count_as_often_as_they_are_drawn():
    both = part(4, 5, 6, index=[[0, 2, 2, 8], [1, 1, 7, 6]])
    found = {b.number: counts for b, counts in multiplicities(both)}
    assert set(found) == {4, 6}, "no row of batch 5 is drawn"
    assert found[4].tolist() == [[1, 0, 2], [0, 2, 0]]
    assert found[6].tolist() == [[0, 0, 1], [1, 1, 0]]
    alike = {b.number: counts.tolist() for b, counts in multiplicities(part(4, 5, index=[3, 3, 0]))}
    assert alike == {4: [[1, 0, 0]], 5: [[2, 0, 0]]}


def test_rows_are_gathered_for_all_replicates_or_for_each():
    values = np.arange(12).reshape(2, 3, 2)
    assert gather(values, np.array([2, 0])).tolist() == [[[4, 5], [0, 1]], [[10, 11], [6, 7]]]
    assert gather(values, np.array([[2], [1]])).tolist() == [[[4, 5]], [[8, 9]]]


def test_scores_of_one_replicate_have_no_axis_for_it():
    assert by_row(np.ones((1, 3))).shape == (3,)
    assert by_row(np.ones((2, 3))).shape == (2, 3)


def test_probabilities_stay_off_the_ends():
    found = probability(np.array([-1e9, 0.0, np.log(3), 1e9]))
    assert found[1:3] == pytest.approx([0.5, 0.75])
    assert 0 < found[0] < 1e-12
    assert 1 > found[3] > 1 - 1e-12


@pytest.mark.parametrize(("index", "replicates", "times"), [([0, 1], 2, 1), ([0, 1], 1, 2), ([[0, 1], [1, 1]], 2, 2)])
def test_a_term_is_remembered_where_every_replicate_draws_alike(index, replicates, times):
    known, computed = Memo(3), []
    for _ in range(2):
        of_drawn(part(0, index=index), replicates, known, computed.append)
    assert len(computed) == times
    of_drawn(part(0, index=index, weight=2.0), replicates, known, computed.append)
    assert len(computed) == times + 1
