"""Finite-sample closed forms against plain numpy loops and known special cases; nothing here runs a family."""

import math

import numpy as np
import pytest

from analysis.theory import discrete, gaussian, kde, linear
from analysis.theory.averages import averages
from analysis.theory.history import history
from trainables import Cell


def spread(policy, rows, generations, estimator="biased", widen=0.0):
    cell = Cell.model_validate(
        {"family": {"kind": "gaussian"}, "policy": {"kind": policy}, "rows": rows, "generations": generations}
    )
    return averages(history(cell), estimator, widen=widen).spread


@pytest.mark.parametrize("rows", [2, 10, 100])
def test_covariance_products(rows):
    """The recursion gives the published products; the unbiased mean is constant; Euler's product is the limit."""
    assert spread("replace", rows, 30)[-1] == pytest.approx(gaussian.replace_trace(rows, 30))
    assert spread("accumulate", rows, 30)[-1] == pytest.approx(gaussian.accumulate_trace(rows, 30))
    assert spread("replace", rows, 30, "unbiased") == pytest.approx([1.0] * 30)
    limit = gaussian.accumulate_trace_limit(rows)
    assert limit == pytest.approx(math.sin(math.pi / math.sqrt(rows)) / (math.pi / math.sqrt(rows)))
    assert gaussian.accumulate_trace(rows, 5000) == pytest.approx(limit, rel=1e-3)
    assert discrete.replace_diversity(rows, 30) == gaussian.replace_trace(rows, 30)
    assert spread("replace", rows, 30, widen=0.04)[-1] == pytest.approx(kde.replace_trace(rows, 0.2, 30))


def test_kernel_variance_is_bounded_under_replace():
    """h²·N is where adding h² and losing 1/N balance."""
    assert kde.replace_trace(50, 0.1, 5000) == pytest.approx(0.01 * 50)


def test_gaussian_excess_of_one_fit():
    """Of one fit: against direct simulation in numpy."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40_000, 12, 2))
    mean = x.mean(axis=1)
    centred = x - mean[:, None]
    cov = centred.swapaxes(1, 2) @ centred / 12
    inverse = np.linalg.inv(cov)
    quadratic = np.einsum("ri,rij,rj->r", mean, inverse, mean)
    log_det = np.log(np.linalg.det(cov))
    loss = 0.5 * (np.trace(inverse, axis1=1, axis2=2) + quadratic - 2 + log_det)
    excess, logs = gaussian.latest_excess(2, [12], [1.0])
    assert excess[0] == pytest.approx(loss.mean(), abs=4 * loss.std() / 200)
    assert logs[0] == pytest.approx(log_det.mean(), abs=4 * log_det.std() / 200)


def test_gaussian_excess_stops_where_means_say_nothing():
    assert gaussian.latest_excess(1, [5] * 3, [1.0] * 3)[0] == []
    short, logs = gaussian.latest_excess(1, [10] * 100, [1.0] * 100)
    assert 0 < len(short) < 10
    assert len(logs) == 100


def test_linear_domain():
    assert linear.unit_error(10, 2.0, 100) == pytest.approx(4 * 10 / 89)
    with pytest.raises(ValueError, match=r"rows: the mean error is infinite below 12 rows in dimension 10, not 11"):
        linear.unit_error(10, 1.0, 11)
    with pytest.raises(ValueError, match="rows: this form holds up to 8 rows in dimension 10, not 9"):
        linear.short_unit_error(10, 1.0, 9)


def test_new_inputs_are_a_little_better_when_accumulating():
    """Fresh designs stay below fixed ones, and meet them as rows grow."""
    for rows in (12, 100, 10_000):
        fresh = linear.fresh_everything(10, 1.0, [rows] * 20, [1.0] * 20)
        fixed = [linear.accumulate(10, 1.0, rows, n) for n in range(1, 21)]
        assert fresh[0] == pytest.approx(fixed[0])
        assert all(a < b for a, b in zip(fresh[1:], fixed[1:], strict=True))
    assert fresh[-1] == pytest.approx(fixed[-1], rel=1e-3)


def test_unequal_batches_with_new_inputs():
    """Sizes 8, 20, 5 accumulating: against pooled least squares in numpy."""
    rng = np.random.default_rng(1)
    errors = np.zeros((4000, 3))
    for replicate in range(4000):
        x, y, w = np.empty((0, 3)), np.empty(0), np.zeros(3)
        for n, rows in enumerate((8, 20, 5)):
            new = rng.standard_normal((rows, 3))
            x, y = np.concatenate([x, new]), np.concatenate([y, new @ w + rng.standard_normal(rows)])
            w = np.linalg.solve(x.T @ x, x.T @ y)
            errors[replicate, n] = w @ w
    expected = linear.fresh_everything(3, 1.0, [8, 20, 5], [1.0] * 3)
    assert np.abs((errors.mean(axis=0) - expected) / (errors.std(axis=0) / np.sqrt(4000))).max() < 4


def test_ridge_limits():
    """Without penalty it is least squares; with many generations only the prior is left."""
    values = np.array([3.0, 10.0, 40.0])
    assert linear.ridge_replace(values, 1e-9, 1.0, 1.0, 7) == pytest.approx(7 * (1 / values).sum(), rel=1e-6)
    shrink = values / (values + 2)
    stationary = (values / (values + 2) ** 2 / (1 - shrink**2)).sum()
    assert linear.ridge_replace(values, 2.0, 1.0, 3.0, 10_000) == pytest.approx(9 + stationary)


def test_ridge_over_large_designs():
    """The Marchenko–Pastur average is that of Wishart eigenvalues up to 1/dim."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((200, 120, 40))
    eigenvalues = np.linalg.eigvalsh(x.swapaxes(1, 2) @ x)
    for generation in (1, 5):
        exact = linear.ridge_replace(eigenvalues, 20.0, 1.0, 2.0, generation).mean()
        assert linear.ridge_replace_large(40, 120, 20.0, 1.0, 2.0, generation) == pytest.approx(exact, rel=0.03)


def test_survivors_of_one_fit():
    seen = np.random.default_rng(3).multinomial(15, [0.5, 0.3, 0.15, 0.05], 40_000)
    alive = (seen > 0).sum(axis=1)
    expected = discrete.first_survivors(np.array([0.5, 0.3, 0.15, 0.05]), 15)
    assert alive.mean() == pytest.approx(expected, abs=4 * alive.std() / 200)
