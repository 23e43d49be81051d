"""Inverse moments, log-determinants and corrections of Gaussian fits against integrals over χ² laws."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import multigammaln

from analysis.theory import curves, gaussian
from analysis.theory.kde import replace_trace
from trainables import Cell


def over_chi2(df, function):
    """E f(χ²_df) by quadrature."""
    law = stats.chi2(df)
    return quad(lambda x: function(x) * law.pdf(x), 0, math.inf, limit=400)[0]


@pytest.mark.parametrize("biased", [True, False])
def test_one_dimension_is_an_integral_over_the_variance(biased):
    """v₁ = χ²/m: KL = ½(E 1/v + E μ²/v − 1 + E log v), μ² = z²/N. In generation 2 v₂ = λv₁·χ²/m and
    μ₂² = μ₁² + λv₁z²/N, all independent."""
    rows, lam = 9, 0.7
    m = rows if biased else rows - 1
    inverse, log = over_chi2(rows - 1, lambda x: m / x), over_chi2(rows - 1, lambda x: math.log(x / m))
    first = 0.5 * (inverse + inverse / rows - 1 + log)
    square = inverse / rows  # E μ₁²/v₁
    second = 0.5 * (inverse**2 / lam + (square + lam / rows) * inverse / lam - 1 + 2 * log + math.log(lam))
    excess, logs = gaussian.latest_excess(1, [rows] * 2, [1.0, lam], biased=biased)
    assert logs == pytest.approx([log, 2 * log + math.log(lam)])
    assert excess == pytest.approx([first, second])


@pytest.mark.parametrize("dim", [2, 5])
def test_log_determinants_are_slopes_of_the_multivariate_gamma_function(dim):
    """E log|W_d(k, I)| = d log 2 + d/da log Γ_d(a) at a = k/2."""
    rows, step = 20, 1e-5
    a = (rows - 1) / 2
    slope = (multigammaln(a + step, dim) - multigammaln(a - step, dim)) / (2 * step)
    _, logs = gaussian.latest_excess(dim, [rows] * 3, [1.0, 0.5, 0.5])
    once = dim * math.log(2 / rows) + slope
    assert logs == pytest.approx([once, 2 * once + dim * math.log(0.5), 3 * once + 2 * dim * math.log(0.5)])


def test_the_inverse_of_a_covariance_is_that_of_wishart_draws():
    """t = E tr Σ̂⁻¹ and q = E μ̂ᵀΣ̂⁻¹μ̂ of 10,000 fits drawn whole: their sum, within four standard errors."""
    rng, dim, rows = np.random.default_rng(0), 3, 30
    scatter = stats.wishart(rows - 1, np.eye(dim)).rvs(10_000, random_state=rng) / rows
    mean = rng.standard_normal((10_000, dim)) / math.sqrt(rows)
    inverse = np.linalg.inv(scatter)
    quadratic = np.trace(inverse, axis1=1, axis2=2) + np.einsum("ri,rij,rj->r", mean, inverse, mean)
    excess = 0.5 * (quadratic - dim + np.linalg.slogdet(scatter)[1])
    found = gaussian.latest_excess(dim, [rows], [1.0])[0][0]
    assert abs(excess.mean() - found) < 4 * excess.std() / 100


@pytest.mark.parametrize(
    ("dim", "rows", "known"),
    [(1, 5, 0), (1, 6, 1), (3, 8, 1), (3, 7, 0), (1, 9, 2), (1, 200, 107)],
)
def test_the_excess_ends_where_its_relative_variance_passes_two(dim, rows, known):
    """A generation multiplies 1 + variance by (f − 2)/(f − 4), f = rows − dim: 3 where f is 5, at which it is 2 at
    once; f = 8 gives 1.5, so 2 generations make 1.25 and 3 make 2.375; (197/195)^107 = 2.98."""
    excess, logs = gaussian.latest_excess(dim, [rows] * 130, [1.0] * 130)
    growth = (rows - dim - 2) / (rows - dim - 4) if rows - dim > 4 else math.inf
    assert known == (0 if growth == math.inf else int(math.log(3) / math.log(growth) + 1e-9))
    assert (len(excess), len(logs)) == (known, 130)


def test_a_corrected_variance_in_one_dimension_is_a_recursion_of_integrals():
    """L₂ = √(λ/m)·(κL₁ + 1 − κ)·χ, so E L₂² = λ/m·E(κL₁ + 1 − κ)²·E χ², E(κL + 1 − κ)² by the moments of L₁ = χ/√m."""
    rows, lam, kept = 6, 0.8, 0.25
    root = over_chi2(rows - 1, math.sqrt) / math.sqrt(rows)
    square = over_chi2(rows - 1, float) / rows
    pulled = kept**2 * square + 2 * kept * (1 - kept) * root + (1 - kept) ** 2
    errors, traces = gaussian.corrected(1, [rows] * 2, [1.0, lam], [1.0, kept])
    assert traces == pytest.approx([square, lam * (rows - 1) / rows * pulled])
    assert errors == pytest.approx([1 / rows, kept**2 / rows + lam * pulled / rows])


def test_a_corrected_covariance_in_two_dimensions_is_its_factors():
    """100,000 Bartlett factors in turn, T_11² ~ χ²_5, T_22² ~ χ²_4, T_21 normal: E tr of the second covariance."""
    rng, rows, kept, count = np.random.default_rng(1), 6, 0.5, 100_000

    def bartlett():
        factor = np.zeros((count, 2, 2))
        factor[:, 0, 0], factor[:, 1, 1] = np.sqrt(rng.chisquare(5, count)), np.sqrt(rng.chisquare(4, count))
        factor[:, 1, 0] = rng.standard_normal(count)
        return factor / math.sqrt(rows)

    second = (kept * bartlett() + (1 - kept) * np.eye(2)) @ bartlett()
    found = (second**2).sum(axis=(1, 2))
    expected = gaussian.corrected(2, [rows] * 2, [1.0, 1.0], [1.0, kept])[1][1]
    assert abs(found.mean() - expected) < 4 * found.std() / math.sqrt(count)


@pytest.mark.parametrize("rows", [2, 7, 500])
def test_products_of_variances_are_what_stepwise_multiplication_gives(rows):
    replaced = accumulated = 1.0
    for n in range(1, 8):
        replaced *= (rows - 1) / rows
        accumulated *= 1 - 1 / (rows * n * n)
        assert gaussian.replace_trace(rows, n) == pytest.approx(replaced)
        assert gaussian.accumulate_trace(rows, n) == pytest.approx(accumulated)
    assert gaussian.accumulate_trace_limit(rows) < accumulated


def test_a_kernel_adds_its_variance_each_generation():
    """s ← (1 − 1/4)s + 0.09 by hand from 1: 0.84, 0.72, 0.63."""
    assert [replace_trace(4, 0.3, n) for n in (1, 2, 3)] == pytest.approx([0.84, 0.72, 0.63])


def cell(policy, rows=20, **family):
    fields = {"family": {"kind": "gaussian"} | family, "rows": rows, "generations": 4}
    return Cell.model_validate(fields | {"policy": {"kind": policy} if isinstance(policy, str) else policy})


def test_figures_of_a_cell_have_its_dimension_entropy_and_estimator():
    found = curves(cell("replace", dim=3, estimator="unbiased"))
    excess, logs = gaussian.latest_excess(3, [20] * 4, [1.0] * 4, biased=False)
    assert found["test_loss"] == pytest.approx(excess)
    assert found["log_det_ratio"] == pytest.approx(logs)
    entropy = stats.multivariate_normal(np.zeros(3)).entropy()
    assert np.subtract(found["nll"], found["test_loss"]) == pytest.approx([entropy] * 4)
    assert found["trace_ratio"] == pytest.approx([1.0] * 4)
    assert found["mean_sq_error"] == pytest.approx([3 * n / 20 for n in range(1, 5)])


def test_sizes_and_biases_of_later_batches_enter():
    """Generation n on n·20 rows of a sampler of half the variance."""
    found = curves(cell({"kind": "replace_multiple", "bias": 0.5}, dim=2))
    sizes, bias = [20, 40, 60, 80], [1.0, 0.5, 0.5, 0.5]
    excess, logs = gaussian.latest_excess(2, sizes, bias)
    assert found["test_loss"] == pytest.approx(excess)
    assert found["log_det_ratio"] == pytest.approx(logs)


@pytest.mark.parametrize(("policy", "rows", "known"), [("replace", 4, True), ("sliding_window", 20, False)])
def test_a_loss_is_told_where_the_latest_batch_is_all_there_is(policy, rows, known):
    """4 rows in 3 dimensions have a log-determinant, and no finite mean loss."""
    found = curves(cell(policy, rows, dim=3))
    assert ("log_det_ratio" in found) == known
    assert "test_loss" not in found


def test_a_corrected_cell_has_the_corrected_form():
    policy = {"kind": "self_corrected", "strength": 3.0, "bias": 0.9}
    errors, traces = gaussian.corrected(2, [20] * 4, [1.0, 0.9, 0.9, 0.9], [1.0, 0.25, 0.25, 0.25], biased=False)
    found = curves(cell(policy, dim=2, estimator="unbiased"))
    assert found["mean_sq_error"] == pytest.approx(errors)
    assert found["trace_ratio"] == pytest.approx(np.divide(traces, 2))
