"""Deterministic equivalents where they are known in closed form: one eigenvalue, no noise, endless rows or width."""

import math

import numpy as np
import pytest

from analysis.theory import curves
from analysis.theory.random_features import Fit, kappa
from trainables import Cell


def root_of(degrees, penalty, rows):
    """κ of `degrees` unit eigenvalues without features: κ(1 − d/((1 + κ)n)) = λ, a quadratic."""
    b = 1 - degrees / rows - penalty
    return (-b + math.sqrt(b**2 + 4 * penalty)) / 2


@pytest.mark.parametrize(("rows", "penalty"), [(40, 0.3), (10, 0.3), (10, 4.0)])
def test_kappa_of_one_eigenvalue_is_the_root_of_a_quadratic(rows, penalty):
    found = kappa(np.ones(20), penalty, rows)
    assert found == pytest.approx(root_of(20, penalty, rows))
    assert kappa(np.ones(20), penalty, math.inf, rows) == pytest.approx(found), "rows and width are alike in it"
    assert found > penalty


def test_endless_rows_and_width_leave_the_penalty_as_it_is():
    assert kappa(np.array([3.0, 0.1]), 0.25, math.inf) == 0.25
    fit = Fit.of(np.array([3.0, 0.1]), 0.25, math.inf)
    assert fit.mean == pytest.approx([3 / 3.25, 0.1 / 0.35])
    assert fit.spread.tolist() == fit.coupling.tolist() == [0.0, 0.0]


def test_a_fit_without_features_has_no_coupling_and_the_spread_of_ridge():
    """D = 1/(1 + κ), V = D²/(n − dD²) for d unit eigenvalues; E of a noise's share is the sum over V."""
    fit = Fit.of(np.ones(20), 0.3, 40)
    mean = 1 / (1 + root_of(20, 0.3, 40))
    assert fit.mean == pytest.approx([mean] * 20)
    assert fit.coupling.tolist() == [0.0] * 20
    assert fit.spread == pytest.approx([mean**2 / (40 - 20 * mean**2)] * 20)


def test_features_couple_what_they_mix():
    """a = D(1 − D)/√(m − tr D²), [B²] = D² + a·tr a, V = [B²]/(n − tr [B²]), and what is kept of a moment M."""
    spectrum = np.array([1.0, 0.5, 0.2, 0.1])
    fit = Fit.of(spectrum, 0.05, 60.0, 9.0)
    d = spectrum / (spectrum + kappa(spectrum, 0.05, 60.0, 9.0))
    a = d * (1 - d) / math.sqrt(9 - (d**2).sum())
    b2 = d**2 + a * a.sum()
    v = b2 / (60 - b2.sum())
    assert (fit.mean, fit.coupling, fit.spread) == (pytest.approx(d), pytest.approx(a), pytest.approx(v))
    moment = np.array([2.0, 0.0, 1.0, 3.0])
    lost = ((1 - d) ** 2 * moment).sum() + a.sum() * (a @ moment)
    assert fit.kept(moment) == pytest.approx(d**2 * moment + a * (a @ moment) + v * (lost - moment.sum()))


def plain(policy, generations=2, rows=40, **family):
    fixed = {"kind": "random_features", "dim": 20, "width": None, "penalty": 0.3, "noise": 0.5, "capacity": 0.0}
    fields = {"rows": rows, "generations": generations, "policy": policy}
    return curves(Cell.model_validate({"family": fixed | family} | fields))["test_loss"]


def test_one_generation_of_ridge_is_bias_and_variance():
    """Bias (1 − D)²(1 + dV)·signal², variance dV·σ²."""
    kappa_, d = root_of(20, 0.3, 40), 20
    mean = 1 / (1 + kappa_)
    spread = mean**2 / (40 - d * mean**2)
    expected = (1 - mean) ** 2 * 4 * (1 + d * spread) + d * spread * 0.25
    assert plain({"kind": "replace"}, 1, signal=2.0)[0] == pytest.approx(expected)


def test_the_risk_of_one_generation_is_that_of_generalised_cross_validation():
    """Golub, Heath & Wahba 1979: E(y − ŷ)² out of sample is 1/(1 − tr D/n)² = (κ/λ)² times the squared residual in the
    sample, measured on 400 designs of 40 rows within four standard errors and 1 %."""
    rng, ratio = np.random.default_rng(0), root_of(20, 0.3, 40) / 0.3
    found = []
    for _ in range(400):
        x = rng.standard_normal((40, 20))
        w = rng.standard_normal(20) / math.sqrt(20)
        y = x @ w + 0.5 * rng.standard_normal(40)
        fitted = np.linalg.solve(x.T @ x / 40 + 0.3 * np.eye(20), x.T @ y / 40)
        found.append(ratio**2 * ((y - x @ fitted) ** 2).mean())
    expected = plain({"kind": "replace"}, 1)[0] + 0.25
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / 20 + 0.01 * expected


def test_a_second_generation_by_hand_on_one_eigenvalue():
    """Teacher û₁ with E û₁² = q, E û₁u = D: E û₂² = kept(q) + V(q + σ²), E û₂u = D², over d equal directions."""
    d, noise = 20, 0.25
    mean = 1 / (1 + root_of(d, 0.3, 40))
    spread = mean**2 / (40 - d * mean**2)

    def square(total):
        kept = mean**2 * total + d * spread * ((1 - mean) ** 2 * total - total)
        return kept + d * spread * (total + noise)

    one, two = square(1.0), square(square(1.0))
    found = plain({"kind": "replace"})
    assert found == pytest.approx([one - 2 * mean + 1, two - 2 * mean**2 + 1])


def test_distortion_is_new_for_each_batch_and_a_surrogate_s_is_one():
    """Endless rows, next to no penalty: a model is the mean of what labelled its rows, each teacher by its share."""
    policy = {"kind": "fresh_mix", "real": 0.75, "synthetic": 0.25}
    endless = {"rows": 10**9, "penalty": 1e-8, "distortion": 0.8}
    assert plain(policy, 2, **endless)[1] == pytest.approx(0.25**2 * 0.8, rel=1e-4)
    surrogate = plain(policy, 3, labeller="surrogate", **endless)
    assert surrogate == pytest.approx([0.0, 0.05, 0.05], rel=1e-4, abs=1e-7)
    replaced = plain({"kind": "replace"}, 3, **endless)
    assert replaced == pytest.approx([0.0, 0.8, 1.6], rel=1e-4, abs=1e-6)


def test_a_sharper_sampler_has_less_noise():
    """λ scales σ² of synthetic labels alone: of two generations, the second's dV·σ²."""
    wide, sharp = (plain({"kind": "replace", "bias": bias}) for bias in (1.0, 0.2))
    mean = 1 / (1 + root_of(20, 0.3, 40))
    spread = 20 * mean**2 / (40 - 20 * mean**2)
    assert wide[0] == sharp[0]
    assert wide[1] - sharp[1] == pytest.approx(spread * 0.25 * 0.8)


def test_no_curve_of_a_population():
    fields = {"family": {"kind": "random_features"}, "rows": 40, "generations": 2, "population": {"models": 2}}
    assert curves(Cell.model_validate(fields | {"policy": {"kind": "replace"}})) == {}
