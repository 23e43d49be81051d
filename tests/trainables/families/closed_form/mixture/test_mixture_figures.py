"""Mixtures of two Gaussians: densities, one pass of EM, figures and labels of components, by hand and by scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables.families import Diverged
from trainables.families.closed_form.mixture import em
from trainables.families.closed_form.mixture.corrector import moved
from trainables.families.closed_form.mixture.density import log_density, log_parts
from trainables.families.closed_form.mixture.family import MixtureConfig
from trainables.store import Payload

RNG = np.random.default_rng(0)
SHARES = np.array([[0.3, 0.7], [0.5, 0.5]])
MEANS = np.array([[[-1.0, 0.5], [2.0, 0.0]], [[0.0, 0.0], [1.0, 3.0]]])
FACTORS = np.array([[[[1.0, 0.0], [0.5, 2.0]], [[0.7, 0.0], [-0.2, 0.4]]], [np.eye(2), 2 * np.eye(2)]])
COVARIANCES = FACTORS @ FACTORS.swapaxes(2, 3)
MODEL = {"shares": SHARES, "means": MEANS, "covariances": COVARIANCES}


def law(r, k):
    return stats.multivariate_normal(MEANS[r, k], COVARIANCES[r, k])


def batch(*rows):
    x = np.array(rows, dtype=float)
    return Payload({"rows": x.shape[1]}, {"rows": x})


def test_densities_are_scipys():
    x = RNG.standard_normal((2, 6, 2))
    parts = log_parts(MODEL, x)
    for r in range(2):
        for k in range(2):
            assert parts[k][r] == pytest.approx(math.log(SHARES[r, k]) + law(r, k).logpdf(x[r]))
        assert log_density(MODEL, x[:1])[r] == pytest.approx(
            np.log(sum(SHARES[r, k] * law(r, k).pdf(x[0]) for k in range(2)))
        )
    broken = MODEL | {"covariances": np.full((2, 2, 2, 2), np.inf)}
    with pytest.raises(Diverged, match=r"^the model's covariance is not finite$"):
        log_parts(broken, x)


def test_a_first_pass_parts_rows_at_their_mean_along_the_longest_axis():
    """0, 1, 5, 6 of weights 1, 1, 2, 2: mean 23/6; halves {0, 1} and {5, 6} of variance ¼ and the floor."""
    x, weights = np.array([[[0.0], [1.0], [5.0], [6.0]]]), np.array([[1.0, 1.0, 2.0, 2.0]])
    shares, means, spreads, passes = em.fit(x, weights, 1e-6, 1)
    assert shares == pytest.approx(np.array([[1 / 3, 2 / 3]]))
    assert means[0, :, 0] == pytest.approx([0.5, 5.5])
    assert spreads[0, :, 0, 0] == pytest.approx([0.25 + em.FLOOR] * 2, rel=1e-12)
    assert passes.tolist() == [1]


def test_a_second_pass_weighs_rows_by_their_chances():
    """Responsibilities by scipy of what the first pass left, weighted shares, means and covariances by numpy."""
    x, weights = RNG.standard_normal((2, 40, 3)) + np.where(RNG.random((2, 40, 1)) < 0.5, 2.0, 0.0), RNG.random((2, 40))
    shares, means, spreads, _ = em.fit(x, weights, 1e-300, 1)
    found = em.fit(x, weights, 1e-300, 2)
    for r in range(2):
        dense = [shares[r, k] * stats.multivariate_normal(means[r, k], spreads[r, k]).pdf(x[r]) for k in range(2)]
        owned = np.array(dense) / np.sum(dense, axis=0) * weights[r]
        assert found[0][r] == pytest.approx(owned.sum(axis=1) / weights[r].sum())
        for k in range(2):
            assert found[1][r, k] == pytest.approx(np.average(x[r], axis=0, weights=owned[k]))
            expected = np.cov(x[r].T, aweights=owned[k], bias=True) + em.FLOOR * np.eye(3)
            assert found[2][r, k] == pytest.approx(expected, rel=1e-9)
    assert found[3].tolist() == [2, 2]


def test_em_ends_where_the_mean_likelihood_of_a_row_rises_no_more_than_stated():
    """The number of passes is that of the first rise at or below the tolerance, whatever the weights' scale."""
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((1, 60, 1)) + 3.0 * (rng.random((1, 60, 1)) < 0.4), rng.random((1, 60))

    def likelihood(passes):
        shares, means, spreads, _ = em.fit(x, weights, 1e-300, passes)
        dense = log_density({"shares": shares, "means": means, "covariances": spreads}, x)
        return np.average(dense[0], weights=weights[0])

    values = [likelihood(n) for n in range(1, 40)]
    rises = np.diff(values)
    assert (rises > -1e-12).all()
    tolerance = 1e-4
    expected = 2 + int(np.argmax(rises <= tolerance))
    assert 3 < expected < 35
    for scale in (1.0, 1e-3):
        assert em.fit(x, scale * weights, tolerance, 500)[3].tolist() == [expected]
    assert em.fit(x, weights, tolerance, expected - 1)[3].tolist() == [expected - 1]


def test_rows_without_spread_keep_the_floor():
    shares, means, spreads, _ = em.fit(np.ones((1, 5, 2)), np.ones((1, 5)), 1e-6, 3)
    assert spreads[0, np.argmax(shares[0])] == pytest.approx(em.FLOOR * np.eye(2))
    assert means[0, np.argmax(shares[0])] == pytest.approx([1.0, 1.0])


def mixture(rows=40, replicates=2, **config):
    return at_work("mixture", rows, replicates, **{"held_out": 4000} | config)


def test_figures_by_hand():
    """Shares ¼, ¾, traces 2.5 and 4, means (3, 4) apart: 3.625 and 3/16·25 more, over 2 + ¼·16 in truth."""
    found = evaluated(
        mixture(held_out=50, limit=7),
        shares=[[0.25, 0.75]] * 2,
        means=[[[0, 0], [3, 4]], [[0, 0], [0, 0]]],
        covariances=[[np.diag([2.0, 0.5]), np.diag([1.0, 3.0])]] * 2,
        passes=[7, 6],
    ).replicates
    assert found["component_variance"] == pytest.approx([3.625 / 2] * 2)
    assert found["trace_ratio"] == pytest.approx([(3.625 + 3 / 16 * 25) / 6, 3.625 / 6])
    assert found["distance"] == pytest.approx([5.0, 0.0])
    assert found["least_share"].tolist() == [0.25, 0.25]
    assert found["out_of_steps"].tolist() == [1.0, 0.0]


def truth(family, replicates=2):
    return {name: np.repeat(value, replicates, axis=0) for name, value in family._truth.items()}


def test_the_truth_has_no_loss_and_a_model_its_divergence():
    """At held-out rows and at those of validation; KL of one dimension by quadrature within four standard errors."""
    family = mixture(dim=1, distance=3.0, share=0.3)
    true = truth(family)
    assert true["means"][0, :, 0].tolist() == [-1.5, 1.5]
    assert true["shares"][0].tolist() == [0.3, 0.7]
    assert evaluated(family, passes=[1, 1], **true).test_loss == pytest.approx(0, abs=1e-15)
    wrong = true | {"shares": np.array([[0.5, 0.5]] * 2), "covariances": 2 * true["covariances"]}
    x = np.linspace(-12, 12, 20_001)[None, :, None]
    p, q = (log_density(model, x)[0] for model in (true, wrong))
    mass = np.exp(p) * (x[0, 1, 0] - x[0, 0, 0])
    expected, spread = (mass * (p - q)).sum(), math.sqrt((mass * (p - q) ** 2).sum() / 4000)
    payload = Payload(tensors=wrong | {"passes": np.ones(2)})
    found = family.evaluate(payload, STREAM).test_loss, family.validate(payload)
    assert found == (pytest.approx(expected, abs=4 * spread), pytest.approx(expected, abs=4 * spread))
    assert found[0] != found[1]


def test_components_are_told_by_their_place_on_the_first_axis():
    x = RNG.standard_normal((2, 40, 2)) * 0.2
    x[:, 10:] += [-4.0, 9.0]
    model = fitted(mixture(), part(batch(*x))).tensors
    assert (np.diff(model["means"][:, :, 0]) > 3).all()
    assert model["shares"] == pytest.approx(np.array([[0.75, 0.25]] * 2))
    assert model["means"][:, 0, 1] == pytest.approx([9.0, 9.0], abs=0.2)
    assert model["covariances"].shape == (2, 2, 2, 2)


def test_a_corpus_is_its_rows_by_weight_and_times_drawn():
    one, two = batch(*RNG.standard_normal((2, 20, 2))), batch(*(RNG.standard_normal((2, 20, 2)) + 3))
    index = np.array([[0, 0, 5, 7], [1, 2, 2, 2]])
    found = fitted(mixture(), part(one), part(two, weight=0.5), part(one, two, index=index + 15, weight=2.0)).tensors
    for r in range(2):
        drawn = np.concatenate([one.tensors["rows"][r], two.tensors["rows"][r]])[index[r] + 15]
        rows = np.concatenate([one.tensors["rows"][r], two.tensors["rows"][r], drawn])
        weights = np.repeat([1.0, 0.5, 2.0], [20, 20, 4])
        shares, means, _, _ = em.fit(rows[None], weights[None], 1e-6, 500)
        order = np.argsort(means[0, :, 0])
        assert found["shares"][r] == pytest.approx(shares[0, order], abs=1e-6)
        assert found["means"][r] == pytest.approx(means[0, order], abs=1e-6)


@pytest.mark.parametrize("bias", [1.0, 0.25])
def test_samples_are_of_the_model_s_components(bias):
    """λ scales covariances; shares and means stay."""
    x = mixture().sample(Payload(tensors=MODEL), 20_000, STREAM, bias).tensors["rows"]
    for r in range(2):
        mean = SHARES[r] @ MEANS[r]
        gap = MEANS[r] - mean
        expected = bias * np.einsum("k,kij->ij", SHARES[r], COVARIANCES[r]) + np.einsum(
            "k,ki,kj->ij", SHARES[r], gap, gap
        )
        assert np.abs(x[r].mean(axis=0) - mean).max() < 5 * math.sqrt(np.trace(expected) / 20_000)
        assert np.cov(x[r].T) == pytest.approx(expected, abs=0.2, rel=0.1)
    if bias == 1.0:
        found = (x[0, :, 0] < 0.5).mean()
        chance = sum(
            SHARES[0, k] * stats.norm.cdf(0.5, MEANS[0, k, 0], math.sqrt(COVARIANCES[0, k, 0, 0])) for k in (0, 1)
        )
        assert found == pytest.approx(chance, abs=4 * 0.5 / math.sqrt(20_000))


def test_scores_are_densities_and_odds():
    family = mixture()
    x, fake = batch(*RNG.standard_normal((2, 20, 2))), batch(*(RNG.standard_normal((2, 20, 2)) + 2))
    true = truth(family)
    assert judged(family, "reference", family.judge("reference", x, None, STREAM), x) == pytest.approx(
        log_density(true, x.tensors["rows"])
    )
    first = Payload(tensors=MODEL | {"passes": np.ones(2)})
    assert judged(family, "first", first, x) == pytest.approx(log_density(MODEL, x.tensors["rows"]))
    models = [fitted(family, part(rows)).tensors for rows in (x, fake)]
    odds = np.exp(np.subtract(*(log_density(model, x.tensors["rows"]) for model in models)))
    judge = family.judge("detector", x, fake, STREAM)
    assert judged(family, "detector", judge, x) == pytest.approx(odds / (1 + odds), rel=1e-6, abs=1e-12)


def test_a_row_keeps_its_place_in_a_component_on_its_way():
    """Far components: x = m + Lz goes to m′ + L′z, with m′ and L′ at a quarter of the way to the truth."""
    model = {"shares": np.full((1, 2), 0.5), "means": np.array([[[-50.0, 0], [50, 4]]]), "covariances": COVARIANCES[:1]}
    true = model | {"means": np.array([[[-10.0, 2], [10, 0]]]), "covariances": np.stack([np.eye(2)] * 2)[None]}
    z = RNG.standard_normal((30, 2))
    for k, goal in ((0, [-40, 0.5]), (1, [40, 3])):
        rows = model["means"][:, k] + z @ FACTORS[0, k].T
        found = moved(model, true, rows[None], 0.25, STREAM)
        assert found[0] == pytest.approx(goal + z @ (0.75 * FACTORS[0, k] + 0.25 * np.eye(2)).T, abs=1e-6)
        assert moved(model, true, rows[None], 0.0, STREAM)[0] == pytest.approx(rows)


def test_rows_of_a_component_with_too_large_a_share_change_over():
    """0.8 in the model, 0.5 in truth: half-way 0.15 of all rows, 3/16 of that component's, and none of the other's."""
    model = {
        "shares": np.array([[0.8, 0.2]]),
        "means": np.array([[[-50.0], [50.0]]]),
        "covariances": np.ones((1, 2, 1, 1)),
    }
    true = model | {"shares": np.array([[0.5, 0.5]])}
    rows = np.where(np.arange(10_000) < 8000, -50.0, 50.0)[None, :, None]
    found = moved(model, true, rows, 0.5, STREAM)[0, :, 0] > 0
    assert found[8000:].all()
    assert found[:8000].mean() == pytest.approx(3 / 16, abs=4 * math.sqrt(3 * 13 / 256 / 8000))


@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_not_a_law_diverges():
    family = mixture()
    for name in ("shares", "means", "covariances"):
        broken = Payload(tensors=MODEL | {name: MODEL[name] * np.nan})
        with pytest.raises(Diverged, match=r"^the model's covariance is not finite$"):
            family.sample(broken, 3, STREAM)


def test_rows_are_enough_for_two_covariances():
    MixtureConfig(dim=3).check(16, 5)
    with pytest.raises(ValueError, match=r"^rows: two Gaussians of dimension 3 need at least 16 rows, not 15$"):
        MixtureConfig(dim=3).check(15, 5)
    config = MixtureConfig(dim=3)
    assert config.cost(10).parameters == 1 + 2 * (3 + 6)
    assert config.size_label() == "2 components, dim 3"
