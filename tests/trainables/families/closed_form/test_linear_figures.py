"""What `linear` and `random_features` say of coefficients and labels, by hand and beside scipy's densities."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables.families import Diverged
from trainables.families.closed_form import random_matrices
from trainables.families.closed_form.features.config import FeaturesConfig
from trainables.families.closed_form.linear import LinearConfig
from trainables.store import Payload

FAMILIES = ["linear", "random_features"]
WRONG = np.array([[3.0, 4.0], [0.0, 0.0]])


def batch(inputs, labels):
    z, y = np.array(inputs, dtype=float), np.array(labels, dtype=float)
    return Payload({"rows": y.shape[1]}, {"inputs": z, "labels": y})


def two(kind="linear", rows=6, **config):
    return at_work(kind, rows, 2, **{"dim": 2} | ({"width": None} if kind == "random_features" else {}) | config)


def model(*coefficients):
    return Payload(tensors={"coefficients": np.array(coefficients, dtype=float)})


def test_figures_are_distances_from_the_target():
    """White error (3, 4): 25; in own coordinates of Σ = diag(1, ½) it is 9 + 16·2."""
    family = two(covariance="power_law")
    found = evaluated(family, coefficients=family.target + WRONG).replicates
    assert found["test_loss"] == pytest.approx([25.0, 0.0])
    assert found["mean_sq_error"] == pytest.approx([41.0, 0.0])
    assert found["norm_ratio"][1] == pytest.approx(1.0)
    assert evaluated(family, coefficients=family.target * [[2], [-3]]).replicates["norm_ratio"] == pytest.approx([2, 3])


def test_coefficients_of_power_laws_are_of_the_stated_length():
    """‖w*‖ in own coordinates, of eigenvalues 1, 1/4, 1/9."""
    family = at_work("linear", 10, 50, dim=3, covariance="power_law", exponent=2.0, signal=1.5)
    assert family.config.spectrum == pytest.approx([1, 1 / 4, 1 / 9])
    own = family.target * [1, 2, 3]
    assert np.linalg.norm(own, axis=1) == pytest.approx([1.5] * 50)
    assert LinearConfig(dim=3, exponent=2.0).spectrum.tolist() == [1.0, 1.0, 1.0]
    assert abs(own.mean(axis=0)).max() < 4 * 1.5 / math.sqrt(150)


@pytest.mark.parametrize("kind", FAMILIES)
def test_scores_are_densities_of_labels(kind):
    family = two(kind, noise=0.7)
    rng = np.random.default_rng(0)
    z, y = rng.standard_normal((2, 5, 2)), rng.standard_normal((2, 5))
    made = batch(z, y)
    truth = family.judge("reference", made, None, STREAM)
    assert np.array_equal(truth.tensors["coefficients"], family.target)
    for judge, told in ((truth, family.target), (model([1, 2], [0, -1]), np.array([[1, 2], [0, -1]]))):
        expected = stats.norm(np.einsum("rnd,rd->rn", z, told), 0.7).logpdf(y)
        assert judged(family, "first", judge, made) == pytest.approx(expected)
    pair = Payload(tensors={"real": family.target, "synthetic": np.array([[1.0, 2], [0, -1]])})
    scores = [stats.norm(np.einsum("rnd,rd->rn", z, told), 0.7).logpdf(y) for told in pair.tensors.values()]
    odds = np.exp(scores[0] - scores[1])
    assert judged(family, "detector", pair, made) == pytest.approx(odds / (1 + odds))


def test_a_detector_is_fitted_to_both():
    family = two(rows=6)
    real, fake = (batch(*(np.random.default_rng(k).standard_normal(s) for s in ((2, 6, 2), (2, 6)))) for k in (0, 1))
    judge = family.judge("detector", real, fake, STREAM).tensors
    for name, made in (("real", real), ("synthetic", fake)):
        for r in range(2):
            expected = np.linalg.lstsq(made.tensors["inputs"][r], made.tensors["labels"][r])[0]
            assert judge[name][r] == pytest.approx(expected)


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_validation_loss_is_the_error_plus_the_noise(kind):
    """Of labels on 4,000 rows: ‖error‖² + σ² = 5 + 0.25, a mean over replicates, within four standard errors."""
    family = two(kind, rows=4000, noise=0.5)
    wrong = model(*(family.target + np.array([[3, 0], [0, 1]])))
    spread = math.sqrt(2 * (9.25**2 + 1.25**2) / 4 / 4000)
    assert family.validate(wrong) == pytest.approx(5.25, abs=4 * spread)
    assert family.validate(wrong) == family.validate(wrong)
    assert family.validate(model(*family.target)) == pytest.approx(0.25, abs=4 * 0.25 * math.sqrt(1 / 4000))


def test_disagreement_is_the_squared_distance_of_coefficients():
    models = [model([0, 0], [1, 1]), model([3, 4], [1, 1])]
    assert two().disagree(models, STREAM)["disagreement"].tolist() == [25.0, 0.0]


def test_labels_near_what_the_model_tells_are_drawn_again():
    """threshold = exp(−½·1.5²): labels within 1.5 standard deviations, 1.4 but not 1.6."""
    family = two(rows=4, noise=2.0)
    z = np.tile(np.eye(2), (2, 2, 1))
    offsets = np.array([[2.8, -3.2, -2.8, 3.2], [0.0, 9.0, -9.0, 0.1]])
    told = np.array([[1, 2, 1, 2], [0, -1, 0, -1]])
    edited = family.edit(model([1, 2], [0, -1]), batch(z, told + offsets), math.exp(-0.5 * 1.5**2), STREAM)
    same = edited.tensors["labels"] == told + offsets
    assert same.tolist() == [[False, True, False, True], [False, True, True, False]]
    assert edited.meta["edited"] == 0.5
    assert np.array_equal(edited.tensors["inputs"], z)


@pytest.mark.parametrize(
    ("estimator", "rows", "flagged"),
    [
        ("minimum_norm", 4, True),
        ("minimum_norm", 5, False),
        ("minimum_norm", 2, True),
        ("minimum_norm", 1, False),
        ("ridge", 3, False),
    ],
)
def test_a_mean_is_infinite_within_a_row_of_the_dimension(estimator, rows, flagged):
    family = at_work("linear", rows, 1, dim=3, estimator=estimator)
    assert ("infinite_mean" in evaluated(family, coefficients=family.target).metrics) == flagged


@pytest.mark.parametrize("design", ["fixed", "fresh"])
def test_blocks_of_replicates_are_fitted_and_taken_like_all_at_once(monkeypatch, design):
    """Every row once is the whole batch, 2 of 5 replicates at a time; so is a replicate's own choice of rows."""
    family = at_work("linear", 6, 5, dim=2, design=design)
    monkeypatch.setattr(random_matrices, "BLOCK", 2 * 6 * 2)
    made = family.real(0, 6)
    whole = fitted(family, part(made)).tensors["coefficients"]
    assert fitted(family, part(made, index=np.arange(6))).tensors["coefficients"] == pytest.approx(whole)
    taken = family.take(made, np.arange(6))
    index = np.random.default_rng(0).permuted(np.tile(np.arange(6), (5, 1)), axis=1)[:, :5]
    found = fitted(family, part(made, index=index)).tensors["coefficients"]
    for r in range(5):
        z, y = taken.tensors["inputs"][r, index[r]], taken.tensors["labels"][r, index[r]]
        assert found[r] == pytest.approx(np.linalg.lstsq(z, y)[0])


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_labels_and_coefficients_that_are_no_numbers_diverge(kind):
    family = two(kind)
    with pytest.raises(Diverged, match=r"^a label is not finite$"):
        family.sample(model([math.inf, 0], [0, 0]), 3, STREAM)
    broken = batch(np.random.default_rng(0).standard_normal((2, 6, 2)), np.full((2, 6), np.nan))
    with pytest.raises(Diverged, match=r"^a fitted coefficient is not finite$"):
        fitted(family, part(broken))


def test_rows_are_enough_for_a_finite_mean_or_another_estimator():
    message = (
        r"^rows: ols in dimension 3 needs at least 5 \(dim \+ 2\), not 4; or choose estimator ridge or minimum_norm$"
    )
    LinearConfig(dim=3).check(5, 9)
    LinearConfig(dim=3, estimator="ridge").check(1, 9)
    with pytest.raises(ValueError, match=message):
        LinearConfig(dim=3).check(4, 9)


def test_a_start_is_where_later_fits_begin():
    config = LinearConfig(estimator="ridge", start="previous")
    assert [config.starts_from(n) for n in (1, 2, 9)] == ["fresh", "previous", "previous"]
    assert (config.start_identity(), LinearConfig().start_identity()) == ({"start": "previous"}, {})
    assert LinearConfig(estimator="ridge").starts_from(5) == "fresh"


def test_costs_and_sizes():
    assert (LinearConfig(dim=7).cost(10).parameters, LinearConfig(dim=7).size_label()) == (7, "dim 7")
    assert 10 * LinearConfig(dim=7).cost(10).row_bytes == 56
    wide, none = FeaturesConfig(dim=8, width=20), FeaturesConfig(dim=8, width=None)
    assert (wide.cost(10).parameters, none.cost(10).parameters) == (20, 8)
    assert (wide.size_label(), none.size_label()) == ("width 20 of dim 8", "dim 8")
    assert wide.cost(10).fit_flops == none.cost(10).fit_flops, "more features than inputs have no more ranks"
    assert FeaturesConfig(dim=8, width=2).cost(10).fit_flops == none.cost(10).fit_flops / 4


def test_ridge_on_features_is_ridge_on_projected_rows():
    """Of S only F = Σ^½S matters; F of 3 columns is applied to the rows and ridge solved there."""
    family = at_work("random_features", 9, 2, dim=5, width=3, penalty=0.2)
    made = family.real(0, 9)
    taken = family.take(made, np.arange(9)).tensors
    factor = family._factor(STREAM.child("fit"))
    assert factor.shape == (2, 5, 3)
    found = fitted(family, part(made)).tensors["coefficients"]
    for r in range(2):
        features = taken["inputs"][r] @ factor[r]
        weights = np.linalg.solve(features.T @ features / 9 + 0.2 * np.eye(3), features.T @ taken["labels"][r] / 9)
        assert found[r] == pytest.approx(factor[r] @ weights)


def test_features_are_those_of_the_input_s_spectrum():
    """E FFᵀ = Σ: 2,000 factors of more features than inputs, and of fewer."""
    for width in (2, 9):
        family = at_work("random_features", 9, 2000, dim=3, width=width)
        squares = (family._factor(STREAM) @ family._factor(STREAM).swapaxes(1, 2)).mean(axis=0)
        expected = np.diag([1, 1 / 2, 1 / 3])
        assert np.abs(squares - expected).max() < 5 * math.sqrt(2 / width / 2000)
    none = at_work("random_features", dim=3, width=None)._factor(STREAM)
    assert none[0] @ none[0].T == pytest.approx(expected)


def test_figures_of_features_are_distances_over_the_signal():
    family = at_work("random_features", 9, 2, dim=2, signal=2.0)
    found = evaluated(family, coefficients=family.target + WRONG).replicates
    assert found["test_loss"] == pytest.approx([25.0, 0.0])
    assert found["norm_ratio"][1] == pytest.approx(1.0)
    assert (family.target**2).sum(axis=1) == pytest.approx([4.0, 4.0])


def test_energies_fall_as_stated():
    """λ_k w_k² ∝ k^−(1 + 2rα): 1, 2⁻⁴, 3⁻⁴ for α = 2, r = ¾."""
    config = FeaturesConfig(dim=3, capacity=2.0, smoothness=0.75, signal=3.0)
    weights = np.array([1, 1 / 16, 1 / 81])
    assert config.energy == pytest.approx(9 * weights / weights.sum())
    assert config.spectrum == pytest.approx([1, 1 / 4, 1 / 9])


def test_synthetic_labels_are_those_of_a_distorted_model():
    """E‖δ‖² = 0.3 over 4,000 batches' teachers, seen through labels next to no noise blurs."""
    family = at_work("random_features", 4, 4000, dim=2, width=None, distortion=0.3, noise=1e-6, penalty=1e-8)
    teacher = Payload(tensors={"coefficients": np.ones((4000, 2))})
    told = fitted(family, part(family.sample(teacher, 4, STREAM))).tensors["coefficients"]
    gap = ((told - 1) ** 2).sum(axis=1)
    assert np.median(gap) == pytest.approx(0.3 / 2 * stats.chi2(2).median(), rel=0.08)
