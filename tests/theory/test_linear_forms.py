"""Errors of least squares against integrals, loops over matrices, and hand-computed sums."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from analysis.theory import curves, linear
from analysis.theory.curve import Curve
from analysis.theory.populations import by_member, coupling, replace_covariance, replace_limit, spectral_radius
from trainables import Cell


def inverse_chi2(df):
    """E 1/χ²_df by quadrature."""
    law = stats.chi2(df)
    return quad(lambda x: law.pdf(x) / x, 0, math.inf)[0]


@pytest.mark.parametrize("rows", [5, 12])
def test_noise_of_one_coefficient_is_an_inverse_chi_square(rows):
    """σ²·E 1/Σx²."""
    assert linear.unit_error(1, 0.5, rows) == pytest.approx(0.25 * inverse_chi2(rows))


def test_noise_of_several_is_the_trace_of_an_inverse_gram_matrix():
    x = np.random.default_rng(0).standard_normal((20_000, 16, 3))
    found = 4 * np.trace(np.linalg.inv(x.swapaxes(1, 2) @ x), axis1=1, axis2=2)
    assert abs(found.mean() - linear.unit_error(3, 2.0, 16)) < 4 * found.std() / math.sqrt(20_000)


def test_noise_of_one_row_is_an_inverse_length():
    """The shortest solution of one row is x·y/‖x‖²: noise adds σ²·E 1/‖x‖²."""
    assert linear.short_unit_error(9, 0.5, 1) == pytest.approx(0.25 * inverse_chi2(9))


def test_one_row_turns_a_model_towards_it():
    """d = 9, 1 row: 1/9 of the (corrected) error stays, 8/9 of w* is lost. By hand from e_0 = 0."""
    unit = 0.25 / 7
    one = 8 / 9 * 4 + unit
    two = one / 9 * 0.36 + 8 / 9 * 4 + 0.5 * unit
    assert linear.short_latest(9, 0.5, 2.0, [1, 1], [1.0, 0.5], [1.0, 0.6]) == pytest.approx((one, two))


@pytest.mark.parametrize(
    ("form", "rows", "message"),
    [
        (linear.unit_error, 5, "rows: the mean error is infinite below 6 rows in dimension 4, not 5"),
        (linear.short_unit_error, 3, "rows: this form holds up to 2 rows in dimension 4, not 3"),
    ],
)
def test_where_a_mean_is_infinite_a_form_says_so(form, rows, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        form(4, 1.0, rows)
    assert form(4, 1.0, 6 if form is linear.unit_error else 2) == pytest.approx(4.0 if rows == 5 else 2.0)


def test_latest_batches_of_new_inputs_add_their_own_errors():
    """4/(10 − 3), then 0.25 of it and half of 4/(14 − 3); σ² = 2, d = 2."""
    found = linear.fresh_latest(2, math.sqrt(2), [10, 14], [1.0, 0.5], [1.0, 0.5])
    assert found == pytest.approx((4 / 7, 0.25 * 4 / 7 + 2 / 11))


def test_all_batches_of_new_inputs_in_one_dimension():
    """ŵ_n = Σ_j s_j ŷ_j/Σ s: 40,000 recursions of sums s_j ~ χ², each batch's mean label its model's plus noise."""
    rng, sizes, bias = np.random.default_rng(0), [6, 4, 7], [1.0, 2.0, 0.5]
    model, pooled, weight, errors = 0.0, 0.0, 0.0, []
    for rows, lam in zip(sizes, bias, strict=True):
        gram = rng.chisquare(rows, 40_000)
        pooled = pooled + gram * model + np.sqrt(lam * gram) * rng.standard_normal(40_000)
        weight = weight + gram
        model = pooled / weight
        errors.append(model**2)
    for found, expected in zip(errors, linear.fresh_everything(1, 1.0, sizes, bias), strict=True):
        assert abs(found.mean() - expected) < 4 * found.std() / 200


@pytest.mark.parametrize(("form", "sums"), [("replace", [1, 2, 3]), ("accumulate", [1, 5 / 4, 49 / 36])])
def test_named_forms_of_a_fixed_design(form, sums):
    """c = 0.25·4/(20 − 5) = 1/15 times n, Σ1/i²."""
    assert [getattr(linear, form)(4, 0.5, 20, n) for n in (1, 2, 3)] == pytest.approx([s / 15 for s in sums])


def test_a_repeated_design_adds_harmonic_numbers():
    assert [linear.replace_multiple(4, 0.5, 20, n) for n in (1, 2, 3)] == pytest.approx([1 / 15, 1.5 / 15, 11 / 90])


def test_ridge_is_a_recursion_of_matrices():
    """E(ŵ_n − w*)² by S = (XᵀX + λ)⁻¹XᵀX on means and covariances, averaged over directions of w*."""
    rng, dim, penalty, noise, signal = np.random.default_rng(0), 3, 2.5, 0.7, 1.6
    x = rng.standard_normal((5, dim))
    gram = x.T @ x
    gain = np.linalg.inv(gram + penalty * np.eye(dim))
    shrink, bias, spread = gain @ gram, np.eye(dim), np.zeros((dim, dim))
    for n in range(1, 5):
        bias = shrink @ bias
        spread = shrink @ spread @ shrink.T + noise**2 * gain @ gram @ gain
        expected = signal**2 / dim * ((bias - np.eye(dim)) ** 2).sum() + np.trace(spread)
        assert linear.ridge_replace(np.linalg.eigvalsh(gram), penalty, noise, signal, n) == pytest.approx(expected)


def test_many_dimensions_have_the_law_of_marchenko_and_pastur():
    """One design of 300 by 600 is within 1 % of the average over all; without a penalty noise adds σ²d/(T − d)."""
    x = np.random.default_rng(0).standard_normal((600, 300))
    values = np.linalg.eigvalsh(x.T @ x)
    for n in (1, 3):
        one, many = (
            linear.ridge_replace(values, 40.0, 1.0, 1.5, n),
            linear.ridge_replace_large(300, 600, 40, 1.0, 1.5, n),
        )
        assert many == pytest.approx(one, rel=0.01)
        plain = linear.ridge_replace_large(300, 600, 1e-9, 2.0, 1.5, n)
        assert plain == pytest.approx(4 * n * 300 / 300, rel=1e-6)


def test_descent_and_its_labels_are_a_recursion_of_numbers():
    """One eigenvalue, two generations of `previous` on half real, half synthetic labels; errors by hand.

    Model 1 begins at −w*: p₁(−1)w* + (1 − p₁)ξ₁. Model 2: p₂e₁ + (1 − p₂)(½ξ₁ + ½(e₁ + ξ₂))."""
    p1, p2, noise, signal, mu = 0.5, 0.2, 0.3, 2.0, 4.0
    kept, shares = [np.array([p1]), np.array([p2])], [[1.0], [0.5, 0.5]]
    found = linear.warm(np.array([mu]), kept, shares, noise, signal, "previous")
    first = p1**2 * signal**2 + (1 - p1) ** 2 * noise**2 / mu
    target = -(p2 + (1 - p2) / 2) * p1
    one, two = p2 * (1 - p1) + (1 - p2) * (0.5 + 0.5 * (1 - p1)), (1 - p2) / 2
    assert found == pytest.approx([first, target**2 * signal**2 + noise**2 / mu * (one**2 + two**2)])
    afresh = linear.warm(np.array([mu]), kept, shares, noise, signal, "fresh")
    target = -p2 + (1 - p2) / 2 * -p1
    one = (1 - p2) * (0.5 + 0.5 * (1 - p1))
    assert afresh == pytest.approx([first, target**2 * signal**2 + noise**2 / mu * (one**2 + two**2)])


def test_descent_keeps_what_steps_leave():
    assert linear.descent_kept(np.array([0.0, 1.0, 3.0]), 0.5, 2) == pytest.approx([1.0, 0.25, 0.25])


def cell(policy, **family):
    rows = family.pop("rows", 20)
    policy = {"kind": policy} if isinstance(policy, str) else policy
    fields = {"family": {"kind": "linear", "dim": 4} | family, "policy": policy, "rows": rows, "generations": 3}
    return Cell.model_validate(fields)


TAKE_PART = {"kind": "compose", "corpus": [{"source": "latest", "rows": 6}], "sample": {"times": 1}}
UNEVEN = {"kind": "compose", "corpus": [{"source": "real", "rows": 6}, {"source": "latest", "rows": 7}]}


@pytest.mark.parametrize(
    ("policy", "family", "expected"),
    [
        ("replace", {"design": "fresh", "rows": 6}, [4 * n for n in (1, 2, 3)]),
        ("replace", {"design": "fresh", "estimator": "minimum_norm", "rows": 6}, [4, 8, 12]),
        ("replace", {"design": "fresh", "estimator": "minimum_norm", "rows": 2}, [2.5, 3.75, 4.375]),
        ("replace", {"estimator": "minimum_norm", "rows": 2, "signal": 3.0}, [6.5, 8.5, 10.5]),
        ("replace", {"rows": 6}, [4, 8, 12]),
        (TAKE_PART, {"rows": 6}, [4, 8, 12]),
    ],
)
def test_curves_are_told_to_the_edge_of_where_they_hold(policy, family, expected):
    """d = 4, σ = 1. 6 rows: c = 4/1. 2 rows: half of w* is lost and 2/(4 − 2 − 1) added: ½e + ½ + 2, of a fixed
    design ½·9 and 2 a generation."""
    assert curves(cell(policy, **family))["test_loss"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("policy", "family"),
    [
        ("replace", {"design": "fresh", "estimator": "minimum_norm", "rows": 3}),
        ("replace", {"design": "fresh", "estimator": "minimum_norm", "rows": 5}),
        ("replace", {"design": "fresh", "estimator": "minimum_norm", "rows": 2, "covariance": "power_law"}),
        ("replace", {"estimator": "minimum_norm", "rows": 3}),
        ("replace", {"estimator": "minimum_norm", "rows": 5}),
        ("replace", {"design": "fresh", "estimator": "ridge"}),
        ("replace", {"estimator": "gradient_descent"}),
        ("replace", {"estimator": "gradient_descent", "design": "fresh"}),
        ("replace", {"estimator": "minimum_norm", "start": "previous"}),
        ("replace", {"estimator": "minimum_norm", "start": "previous", "design": "fresh"}),
        ({"kind": "synthetic_augmentation", "synthetic": 1.5}, {"estimator": "minimum_norm", "rows": 2}),
        (UNEVEN, {"rows": 7}),
    ],
)
def test_no_curve_is_told_beyond_it(policy, family):
    """6 inputs beside the same 7 have a Gram matrix that is no multiple of theirs."""
    assert curves(cell(policy, **family)) == {}


def test_part_of_a_batch_errs_by_its_own_rows():
    """Batch 0 of 20 rows, then 10 of 20: 4/(20 − 5) + 4/(10 − 5) each, though all 20 were labelled."""
    policy = {"kind": "compose", "corpus": [{"source": "latest", "rows": 10}], "sample": {"times": 1}}
    found = curves(cell(policy))["test_loss"]
    assert found == pytest.approx([4 / 15, 4 / 15 + 4 / 5, 4 / 15 + 8 / 5])


def test_two_members_of_which_one_reads_the_other():
    """W = [[1, 0], [½, ½]], member 2 with a fifth real rows, c = 1: C₂ = A(C₁ + I)Aᵀ + diag(0, 0.04) by hand."""
    weights, real = [[1.0, 0.0], [0.5, 0.5]], [0.0, 0.2]
    assert coupling(weights, real) == pytest.approx(np.array([[1.0, 0.0], [0.4, 0.4]]))
    assert replace_covariance(weights, real, 1.0, 1) == pytest.approx(np.ones((2, 2)))
    assert replace_covariance(weights, real, 1.0, 1, own=True) == pytest.approx(np.eye(2))
    assert replace_covariance(weights, real, 2.0, 2) == pytest.approx(2 * np.array([[2, 1.2], [1.2, 1.0]]))
    assert replace_covariance(weights, real, 1.0, 2, own=True) == pytest.approx(np.array([[2, 0.8], [0.8, 0.68]]))
    assert spectral_radius(weights, real) == pytest.approx(1.0)
    with pytest.raises(ValueError, match=r"^real: the spectral radius is 1, not below 1; some members' errors grow"):
        replace_limit(weights, real, 1.0)


def test_a_limit_is_where_the_recursion_stays():
    weights, real = [[0.5, 0.5], [0.9, 0.1]], [0.3, 0.0]
    mix, limit = coupling(weights, real), replace_limit(weights, real, 0.7)
    again = mix @ (limit + 0.7 * np.eye(2)) @ mix.T + 0.7 * np.diag([0.09, 0.0])
    assert limit == pytest.approx(again)
    assert limit == pytest.approx(replace_covariance(weights, real, 0.7, 400))


def test_curves_of_members_are_their_means_and_of_the_main_loss_each_its_own():
    flat = (1.0, 3.0, 2.0, 6.0, 9.0)
    given = [Curve(name, flat, "s") for name in ("test_loss", "other", "disagreement")]
    found = {curve.metric: curve.values for curve in by_member(given, 2, "test_loss")}
    assert found == {
        "test_loss": (2.0, 4.0),
        "test_loss_1": (1.0, 2.0),
        "test_loss_2": (3.0, 6.0),
        "other": (2.0, 4.0),
        "disagreement": flat,
    }
    assert [curve.metric for curve in by_member(given[1:2], 2, "other")] == ["other"]
