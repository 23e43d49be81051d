"""Families against closed forms: 4,000 replicates, every policy, within four standard errors."""

import numpy as np
import pytest

from analysis.theory import ratios
from analysis.theory.linear import descent_kept, ridge_replace, unit_error, warm
from trainables import Cell, run
from trainables.recursion import Recursion
from trainables.store import MemoryStore

POLICIES = (
    "replace",
    "replace_multiple",
    "accumulate",
    "accumulate_subsample",
    "sliding_window",
    "synthetic_augmentation",
    "fresh_mix",
    "weighted_fresh",
    "ratio_mix",
    "decaying_real",
)
GENERATIONS = (1, 2, 5, 10, 20)


def records(family, policy, rows, replicates=4000, generations=20):
    policy = {"kind": policy} if isinstance(policy, str) else policy
    return list(
        run(
            Cell.model_validate(
                {
                    "family": family,
                    "policy": policy,
                    "rows": rows,
                    "generations": generations,
                    "replicates": replicates,
                }
            )
        )
    )


def assert_as_predicted(found, metrics):
    """Every metric is within four standard errors of its prediction, from generation 1 to where that ends."""
    for record in found:
        values = {"test_loss": record.test_loss} | record.metrics
        for name in metrics:
            if record.generation > 3 and f"theory_{name}" not in values:
                continue
            gap = values[name] - values[f"theory_{name}"]
            assert abs(gap) < 4 * values[f"{name}_se"], (name, record.generation)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_gaussian(policy, estimator):
    found = records({"kind": "gaussian", "estimator": estimator}, policy, 16)
    assert_as_predicted(found, ("trace_ratio", "mean_sq_error"))


@pytest.mark.parametrize("policy", ["replace", "accumulate", "fresh_mix"])
def test_gaussian_of_many_dimensions_with_a_biased_sampler(policy):
    found = records({"kind": "gaussian", "dim": 4}, {"kind": policy, "bias": 0.6}, 12, replicates=2000, generations=8)
    assert_as_predicted(found, ("trace_ratio", "mean_sq_error"))


@pytest.mark.parametrize(("dim", "policy"), [(1, "replace"), (1, "replace_multiple"), (3, "replace")])
def test_gaussian_held_out_loss(dim, policy):
    found = records({"kind": "gaussian", "dim": dim}, policy, 40, replicates=2000, generations=12)
    assert_as_predicted(found, ("test_loss", "nll", "log_det_ratio"))


@pytest.mark.parametrize("policy", [p for p in POLICIES if p not in ("accumulate_subsample", "decaying_real")])
def test_linear_fixed_design(policy):
    """Ratios R_n at n = 1, 2, 5, 10, 20; every other generation is checked too."""
    found = records({"kind": "linear", "dim": 3}, policy, 30)
    assert_as_predicted(found, ("test_loss",))
    named = {name: getattr(ratios, name, None) for name in ("replace", "replace_multiple", "accumulate")}
    if named.get(policy):
        unit = unit_error(3, 1.0, 30)
        for n in GENERATIONS:
            record = found[n - 1]
            gap = record.test_loss / unit - named[policy](n)
            assert abs(gap) < 4 * record.metrics["test_loss_se"] / unit


@pytest.mark.parametrize("policy", ["replace", "replace_multiple", "accumulate"])
def test_linear_fresh_design(policy):
    assert_as_predicted(records({"kind": "linear", "dim": 5, "design": "fresh"}, policy, 14, 2000), ("test_loss",))


@pytest.mark.parametrize("policy", ["replace", "accumulate"])
def test_the_first_study(policy):
    """dim 10, 100 rows, noise 1, 20 generations, 1,000 replicates: c·n and c·Σ1/i² at every generation."""
    found = records({"kind": "linear", "dim": 10, "noise": 1.0}, policy, 100, replicates=1000)
    form = {"replace": ratios.replace, "accumulate": ratios.accumulate}[policy]
    for record in found:
        expected = 10 / 89 * form(record.generation)
        assert abs(record.test_loss - expected) < 4 * record.metrics["test_loss_se"]
        assert record.metrics["theory_test_loss"] == pytest.approx(expected)


def test_linear_scales_with_noise_and_not_with_covariance():
    family = {"kind": "linear", "dim": 4, "noise": 0.1, "covariance": "power_law", "exponent": 3.0}
    found = records(family, "accumulate", 20, replicates=2000, generations=5)
    assert_as_predicted(found, ("test_loss",))
    assert found[0].metrics["theory_test_loss"] == pytest.approx(0.01 * 4 / 15)


@pytest.mark.parametrize("design", ["fixed", "fresh"])
def test_fewer_rows_than_dimensions(design):
    family = {"kind": "linear", "dim": 20, "estimator": "minimum_norm", "design": design, "signal": 2.0}
    policies = ("replace", "accumulate") if design == "fixed" else ("replace",)
    for policy in policies:
        assert_as_predicted(records(family, policy, 10, replicates=1000, generations=5), ("test_loss",))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["accumulate_subsample", "decaying_real"])
def test_linear_row_policies_to_leading_order(policy):
    """Rows drawn at random, or cut, have other Gram matrices: R_n of means, up to terms of order dim/rows."""
    from analysis.theory.averages import averages
    from analysis.theory.history import history

    family = {"kind": "linear", "dim": 2}
    found = records(family, policy, 100, replicates=2000)
    asked = Cell.model_validate({"family": family, "policy": {"kind": policy}, "rows": 100, "generations": 20})
    expected = 100 * np.array(averages(history(asked), "known").error)
    measured = np.array([record.test_loss for record in found]) / unit_error(2, 1.0, 100)
    spread = np.array([record.metrics["test_loss_se"] for record in found]) / unit_error(2, 1.0, 100)
    assert (np.abs(measured - expected) < 4 * spread + 4 * 2 / 100 * expected).all()


def test_ridge_given_its_design():
    """Ridge under `replace`: exact for the designs that were drawn, averaged over noise and direction."""
    asked = Cell.model_validate(
        {
            "family": {"kind": "linear", "dim": 3, "estimator": "ridge", "penalty": 4.0},
            "policy": {"kind": "replace"},
            "rows": 8,
            "generations": 6,
            "replicates": 4000,
        }
    )
    store = MemoryStore()
    found = list(run(asked, store))
    recursion = Recursion(asked, store)
    z = recursion.family.take(recursion.batch(recursion.steps.batch(0)), np.arange(8)).tensors["inputs"]
    eigenvalues = np.linalg.eigvalsh(z.swapaxes(1, 2) @ z)
    for record in found:
        expected = ridge_replace(eigenvalues, 4.0, 1.0, 1.0, record.generation).mean()
        assert abs(record.test_loss - expected) < 4 * record.metrics["test_loss_se"]


@pytest.mark.parametrize("start", ["fresh", "previous"])
@pytest.mark.parametrize("policy", ["replace", "accumulate"])
@pytest.mark.parametrize("estimator", ["gradient_descent", "ridge"])
def test_a_start_given_its_design(estimator, policy, start):
    """Fits that keep a part of where they begin: exact for the designs that were drawn."""
    generations, rows = 6, 8
    family = {"kind": "linear", "dim": 3, "estimator": estimator, "penalty": 4.0, "steps": 7, "rate": 0.2}
    asked = Cell.model_validate(
        {"family": family | {"start": start}, "policy": {"kind": policy}, "rows": rows}
        | {"generations": generations, "replicates": 4000}
    )
    store = MemoryStore()
    found = list(run(asked, store))
    recursion = Recursion(asked, store)
    z = recursion.family.take(recursion.batch(recursion.steps.batch(0)), np.arange(rows)).tensors["inputs"]
    eigenvalues = np.linalg.eigvalsh(z.swapaxes(1, 2) @ z)
    times = [n if policy == "accumulate" else 1 for n in range(1, generations + 1)]
    kept = [
        descent_kept(eigenvalues / rows, 0.2, 7) if estimator == "gradient_descent" else 4.0 / (4.0 + m * eigenvalues)
        for m in times
    ]
    shares = [[1 / n] * n if policy == "accumulate" else [0.0] * (n - 1) + [1.0] for n in range(1, generations + 1)]
    expected = warm(eigenvalues, kept, shares, 1.0, 1.0, start)
    for record, error in zip(found, expected, strict=True):
        assert abs(record.test_loss - error.mean()) < 4 * record.metrics["test_loss_se"], record.generation
        assert "theory_test_loss" not in record.metrics


def test_a_start_of_ridge_is_the_form_that_is_known():
    eigenvalues = np.array([[0.5, 2.0, 9.0]])
    kept, shares = [2.0 / (2.0 + eigenvalues)] * 5, [[0.0] * n + [1.0] for n in range(5)]
    found = warm(eigenvalues, kept, shares, 0.7, 3.0, "fresh")
    assert [e[0] for e in found] == pytest.approx(
        [ridge_replace(eigenvalues, 2.0, 0.7, 3.0, n)[0] for n in range(1, 6)]
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_discrete(policy):
    found = records({"kind": "discrete", "categories": 12}, policy, 20, replicates=2000, generations=10)
    assert_as_predicted(found, ("gini_simpson", "test_loss"))


@pytest.mark.parametrize("policy", ["replace", "accumulate", "accumulate_subsample", "weighted_fresh"])
def test_kde(policy):
    family = {"kind": "kde", "held_out": 2, "directions": 1, "bandwidth": 0.3}
    assert_as_predicted(records(family, policy, 15, replicates=1000, generations=6), ("trace_ratio", "mean_sq_error"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "form", "limit"),
    [
        ("accumulate", ratios.accumulate, ratios.ACCUMULATE_LIMIT),
        ("accumulate_subsample", ratios.accumulate_subsample, ratios.ACCUMULATE_SUBSAMPLE_LIMIT),
    ],
)
def test_accumulation_levels_off(policy, form, limit):
    """The error of a Gaussian mean ends near the limit: within noise, what 60 generations leave, and 1/rows."""
    last = records({"kind": "gaussian", "estimator": "unbiased"}, policy, 50, replicates=1000, generations=60)[-1]
    measured, spread = 50 * last.metrics["mean_sq_error"], 50 * last.metrics["mean_sq_error_se"]
    assert abs(measured - limit) < 4 * spread + limit - form(60) + limit / 50


@pytest.mark.slow
def test_the_best_weight_is_found_by_a_sweep():
    """weighted_fresh, as many real rows as synthetic ones: the lowest point of a parabola through measured errors."""
    weights = np.array([0.45, 0.55, 0.618, 0.7, 0.8])
    ends = []
    for weight in weights:
        policy = {"kind": "weighted_fresh", "weight": float(weight), "real": 1.0, "synthetic": 1.0}
        found = records({"kind": "gaussian", "estimator": "unbiased"}, policy, 20, replicates=4000, generations=40)
        ends.append(np.mean([record.metrics["mean_sq_error"] for record in found[9:]]))
    a, b, _ = np.polyfit(weights, ends, 2)
    assert -b / (2 * a) == pytest.approx(ratios.weighted_fresh_best(1, 1), abs=0.02)
