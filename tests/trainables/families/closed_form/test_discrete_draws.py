"""Counts that `discrete` draws for many replicates: exact in distribution, whatever the rows and frequencies."""

import numpy as np
import pytest
from scipy import stats

from trainables.families.closed_form.discrete import draw
from trainables.lineage import Stream, make_key

ZIPF = 1 / np.arange(1, 31) / (1 / np.arange(1, 31)).sum()


def drawn(rows, frequencies, replicates, seed=0):
    stream = Stream(make_key("counts", seed=seed))
    shares = np.broadcast_to(np.asarray(frequencies, dtype=float), (replicates, len(frequencies)))
    return draw(shares, rows, stream).tensors["counts"]


def fits(found, law):
    """P-value of a G-test of whole numbers against a scipy distribution, in bins of at least ten expected."""
    edges = np.unique(law.ppf(np.linspace(0, 1, min(max(len(found) // 200, 3), 60))[1:-1]))
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * len(found)
    seen = np.bincount(np.searchsorted(edges, found), minlength=len(expected))
    kept = expected > 10
    rest = [seen[~kept].sum()], [expected[~kept].sum()]
    if rest[1][0] > 10:
        seen, expected = np.concatenate([seen[kept], rest[0]]), np.concatenate([expected[kept], rest[1]])
    else:
        seen, expected = seen[kept], expected[kept]
        expected = expected * seen.sum() / expected.sum()
    return stats.power_divergence(seen, expected, lambda_="log-likelihood").pvalue if len(seen) > 1 else 1.0


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 65, 150, 1000, 8192, 100_000, 10_000_000])
@pytest.mark.parametrize("p", [1e-7, 0.001, 0.1, 0.5, 0.93, 1 - 1e-6])
def test_two_categories_are_binomial(rows, p):
    """From one row to ten million."""
    counts = drawn(rows, [p, 1 - p], 20_000, seed=rows)
    assert (counts.sum(axis=1) == rows).all()
    assert (counts >= 0).all()
    law = stats.binom(rows, p)
    assert fits(counts[:, 0], law) > 1e-5
    assert counts[:, 0].mean() == pytest.approx(law.mean(), abs=4.5 * law.std() / 20_000**0.5 + 1e-3 * law.std())


@pytest.mark.parametrize(("rows", "replicates"), [(20, 40_000), (400, 40_000), (10_000, 40_000)])
def test_categories_vary_together_as_they_must(rows, replicates):
    """Means, variances and covariances, n·p(1 − p) and −n·pq, and each margin's whole distribution."""
    counts = drawn(rows, ZIPF, replicates)
    errors = (counts.mean(axis=0) - rows * ZIPF) / np.sqrt(rows * ZIPF * (1 - ZIPF) / replicates)
    assert np.abs(errors).max() < 4.5
    expected = rows * (np.diag(ZIPF) - np.outer(ZIPF, ZIPF))
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)) * (1 + 1 / (rows * ZIPF.min())) / replicates)
    assert np.abs((np.cov(counts.T) - expected) / scale).max() < 6
    margins = [fits(counts[:, k], stats.binom(rows, p)) for k, p in enumerate(ZIPF)]
    assert min(margins) > 1e-4
    pairs = counts[:, :15].sum(axis=1)
    assert fits(pairs, stats.binom(rows, ZIPF[:15].sum())) > 1e-4


def test_few_rows_take_every_outcome_as_often_as_they_should():
    """All 15 outcomes of four rows in three categories."""
    p = [0.6, 0.3, 0.1]
    counts = drawn(4, p, 60_000)
    outcomes, seen = np.unique(counts, axis=0, return_counts=True)
    assert len(outcomes) == 15
    assert stats.chisquare(seen, stats.multinomial(4, p).pmf(outcomes) * 60_000).pvalue > 1e-4


@pytest.mark.parametrize("rows", [0, 5, 10_000, 300_000])
def test_what_has_no_mass_gets_no_row(rows):
    counts = drawn(rows, [0, 0.25, 0, 1e-300, 0.75, 0], 200)
    assert (counts[:, [0, 2, 3, 5]] == 0).all()
    assert (counts.sum(axis=1) == rows).all()
    assert (drawn(rows, [0, 1, 0], 50) == [0, rows, 0]).all()
    assert (drawn(rows, [3.0], 50) == rows).all()


def test_scale_of_frequencies_does_not_matter():
    assert (drawn(5000, ZIPF, 100) == drawn(5000, 4 * ZIPF, 100)).all()
    assert (drawn(5000, ZIPF, 100, seed=1) != drawn(5000, ZIPF, 100)).any(axis=1).all()


def test_replicates_are_independent():
    counts = drawn(2000, ZIPF, 20_000)[:, 0]
    assert abs(stats.pearsonr(counts[::2], counts[1::2]).statistic) < 4.5 / 100
