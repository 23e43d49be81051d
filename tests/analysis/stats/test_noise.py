"""The noise of recursions: restricted likelihood against scipy's normal density, on bases of another kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.stats import noise

G = 7
PLACES = [(q, share) for q in noise.GROWTHS for share in noise.WALKS]


def covariance(growth: float, share: float, generations: int = G) -> np.ndarray:
    """Cov(i, j) = (ij)^q (δ_ij + ρ·min(i, j)); of ρ = ∞ the walk alone."""
    rows = []
    for i in range(1, generations + 1):
        walk = [min(i, j) for j in range(1, generations + 1)]
        own = [float(i == j) for j in range(1, generations + 1)]
        both = [w if np.isinf(share) else o + share * w for o, w in zip(own, walk, strict=True)]
        rows.append([(i * j) ** growth * v for j, v in enumerate(both, start=1)])
    return np.array(rows)


def restricted(apart: np.ndarray, shape: np.ndarray) -> tuple[float, float]:
    """Largest log-likelihood of differences between generations over σ², and that σ²."""
    differences = np.diff(apart, axis=1)
    turn = np.diff(np.eye(shape.shape[0]), axis=0)
    of_shape = turn @ shape @ turn.T

    def cost(log_variance: float) -> float:
        density = stats.multivariate_normal(cov=np.exp(log_variance) * of_shape)
        return -float(np.sum(density.logpdf(differences)))

    best = optimize.minimize_scalar(cost, bracket=(-2.0, 2.0), tol=1e-10)
    return -float(best.fun), float(np.exp(best.x))


def simulated(growth: float, share: float, runs: int, seed: int) -> np.ndarray:
    root = np.linalg.cholesky(covariance(growth, share))
    return 0.3 * np.random.default_rng(seed).standard_normal((runs, G)) @ root.T


def independent(values: np.ndarray) -> np.ndarray:
    """Deviations of recursions as one row fewer, each independent of the others and as wide as one recursion."""
    runs = len(values)
    basis = np.linalg.qr(np.column_stack([np.ones(runs), np.eye(runs)[:, : runs - 1]]))[0][:, 1:]
    return basis.T @ values


@pytest.mark.parametrize(
    ("growth", "share", "runs"), [(0.0, 0.0, 3), (0.0, 1.0, 6), (0.5, 0.0, 12), (1.0, np.inf, 8), (0.0, np.inf, 2)]
)
def test_the_model_has_the_largest_restricted_likelihood_less_its_departures(
    growth: float, share: float, runs: int
) -> None:
    values = simulated(growth, share, runs, seed=runs)
    apart = values - values.mean(axis=0)
    found = noise.estimate((apart.T @ apart / (runs - 1))[None], runs - 1)
    scores, rows = [], independent(values)
    for q, rho in PLACES:
        likelihood, _ = restricted(rows, covariance(q, rho))
        scores.append(likelihood - (rho > 0) - q / 0.5)
    assert found.model.tolist() == [int(np.argmax(scores))]
    shape = covariance(*PLACES[int(found.model[0])])
    unit = np.exp(np.linalg.slogdet(noise.contrasts(G) @ shape @ noise.contrasts(G).T)[1] / (G - 1))
    _, variance = restricted(rows, shape)
    assert found.variance[0] == pytest.approx(variance * unit, rel=1e-4)


def test_the_grid_holds_every_pair_of_growth_and_walk_once() -> None:
    assert len(PLACES) == noise.COUNT == 27
    assert [noise.walks(model) for model in range(noise.COUNT)] == [share > 0 for _, share in PLACES]


@pytest.mark.parametrize("model", range(0, 27, 2))
def test_simulated_noise_has_the_covariance_that_is_stated(model: int) -> None:
    """σ²·V over as many generations as one likes, where σ² is of a whitened error over the measured ones."""
    q, rho = PLACES[model]
    root = noise.root(model, 2.0, G, 11)
    shape, keep = covariance(q, rho, 11), noise.contrasts(G)
    unit = np.exp(-np.linalg.slogdet(keep @ shape[:G, :G] @ keep.T)[1] / (G - 1))
    np.testing.assert_allclose(root @ root.T, 2.0 * unit * shape, rtol=1e-8)


@pytest.mark.parametrize("generations", [2, 3, 9])
def test_contrasts_are_orthonormal_and_see_no_level(generations: int) -> None:
    keep = noise.contrasts(generations)
    assert keep.shape == (generations - 1, generations)
    np.testing.assert_allclose(keep @ keep.T, np.eye(generations - 1), atol=1e-12)
    np.testing.assert_allclose(keep @ np.ones(generations), 0, atol=1e-12)
    assert keep[0].tolist() == pytest.approx([2**-0.5, -(2**-0.5), *[0.0] * (generations - 2)])


def test_curves_without_noise_have_a_variance_that_can_be_divided_by() -> None:
    found = noise.estimate(np.zeros((1, G, G)), 4)
    assert found.model.tolist() == [0], "no departure gains anything"
    assert found.variance[0] > 0


def test_a_larger_unit_changes_the_variance_and_no_model() -> None:
    values = np.stack([simulated(q, rho, 6, seed) for seed, (q, rho) in enumerate(PLACES[::4])])
    apart = values - values.mean(axis=1, keepdims=True)
    covariances = np.swapaxes(apart, 1, 2) @ apart / 5
    one, hundred = noise.estimate(covariances, 5), noise.estimate(1e4 * covariances, 5)
    assert one.model.tolist() == hundred.model.tolist()
    np.testing.assert_allclose(hundred.variance, 1e4 * one.variance)
