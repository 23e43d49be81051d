"""Moments against numpy's own, and rows in units whose covariance collapses."""

import numpy as np
import pytest

from trainables.families.closed_form.moments import Moments, factor, joined, of_rows

RNG = np.random.default_rng(0)


def covariance(found: Moments, *, biased: bool) -> np.ndarray:
    root = found.covariance_root(biased=biased)
    assert np.array_equal(root, np.tril(root))
    return root @ root.swapaxes(1, 2)


@pytest.mark.parametrize("dim", [1, 2, 4])
@pytest.mark.parametrize("rows", [2, 3, 30])
def test_moments_are_those_of_weighted_rows(dim, rows):
    x, weights = RNG.standard_normal((2, rows, dim)), RNG.integers(1, 4, (2, rows)).astype(float)
    found = of_rows(x, weights)
    for r in range(2):
        np.testing.assert_allclose(found.mean[r], np.average(x[r], axis=0, weights=weights[r]))
        biased = np.cov(x[r], rowvar=False, aweights=weights[r], ddof=0).reshape(dim, dim)
        unbiased = np.cov(x[r], rowvar=False, aweights=weights[r], ddof=1).reshape(dim, dim)
        np.testing.assert_allclose(covariance(found, biased=True)[r], biased, atol=1e-12)
        np.testing.assert_allclose(covariance(found, biased=False)[r], unbiased, atol=1e-12)
    np.testing.assert_allclose([found.weight, found.squares], [weights.sum(1), (weights**2).sum(1)])


@pytest.mark.parametrize("dim", [1, 3])
def test_moments_of_both_are_those_of_all_rows(dim):
    x, weights = RNG.standard_normal((2, 12, dim)) + 5, RNG.uniform(0.5, 2, (2, 12))
    whole = of_rows(x, weights)
    both = of_rows(x[:, :5], weights[:, :5]) + of_rows(x[:, 5:], weights[:, 5:])
    for name in ("weight", "squares", "mean"):
        np.testing.assert_allclose(getattr(both, name), getattr(whole, name))
    np.testing.assert_allclose(covariance(both, biased=False), covariance(whole, biased=False), rtol=1e-9)


def test_rows_without_weight_add_nothing():
    x, none = RNG.standard_normal((1, 4, 2)), np.zeros((1, 4))
    empty, some = of_rows(x, none), of_rows(x, none + 1)
    assert empty.weight == 0
    assert not empty.root.any()
    for both in (empty + some, some + empty):
        np.testing.assert_allclose(both.mean, some.mean)
        np.testing.assert_allclose(covariance(both, biased=True), covariance(some, biased=True))


@pytest.mark.parametrize("dim", [1, 2])
def test_a_factor_keeps_its_precision_where_squares_vanish(dim):
    """Squares of numbers this small are 0 or denormal."""
    stack = RNG.standard_normal((1, 6, dim)) * 1e-200
    root = factor(stack) * 1e200
    plain = stack[0] * 1e200
    np.testing.assert_allclose((root @ root.swapaxes(1, 2))[0], plain.T @ plain, rtol=1e-9)


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_rows_than_coordinates_have_a_padded_factor(rows):
    stack = RNG.standard_normal((2, rows, 4))
    root = factor(stack)
    assert root.shape == (2, 4, 4)
    assert not root[:, :, rows:].any()
    np.testing.assert_allclose(root @ root.swapaxes(1, 2), stack.swapaxes(1, 2) @ stack, atol=1e-12)


def test_slices_of_the_replicates_are_joined():
    x, one = RNG.standard_normal((3, 5, 2)), np.ones((1, 5))
    whole, pieces = of_rows(x, one), [of_rows(x[:1], one), of_rows(x[1:], one)]
    found = joined(pieces)
    for name in ("mean", "root"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name))
    assert (found.weight == 5).all()
    assert found.weight.shape == found.squares.shape == (3,)
    assert joined(pieces[:1]) is pieces[0]
