"""Labels by linear predictor against scipy's laws, numerical derivatives and sums over all outcomes."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from trainables.families.closed_form.glm import labels
from trainables.families.closed_form.glm.judging import logistic
from trainables.families.closed_form.glm.normal_equations import information

LINKS = ("logistic", "probit", "poisson")
ETA = np.array([[-30.0, -2.0, -0.3, 0.0], [0.4, 1.0, 3.0, 8.0]])
MEANS = {"logistic": expit, "probit": stats.norm.cdf, "poisson": np.exp}


def law(link, eta):
    mean = MEANS[link](eta)
    return stats.poisson(mean) if link == "poisson" else stats.bernoulli(mean)


def support(link):
    return range(400 if link == "poisson" else 2)


@pytest.mark.parametrize("link", LINKS)
def test_means_are_those_of_the_link(link):
    assert labels.means(link, ETA) == pytest.approx(MEANS[link](ETA), rel=1e-14)


def test_chances_far_out_do_not_overflow():
    assert labels.means("logistic", np.array([[-1000.0, 1000.0]])).tolist() == [[0.0, 1.0]]
    one, none = labels.log_probabilities("logistic", np.array([-1000.0, 1000.0]))
    assert (one.tolist(), none.tolist()) == ([-1000.0, 0.0], [0.0, -1000.0])
    one, none = labels.log_probabilities("probit", np.array([-40.0]))
    assert one[0] == pytest.approx(stats.norm.logcdf(-40.0))
    assert none[0] == pytest.approx(0.0, abs=1e-300)


@pytest.mark.parametrize("link", LINKS)
def test_log_likelihoods_are_scipys(link):
    eta = ETA[:, 1:]
    for label in (0, 1) if link != "poisson" else (0, 1, 5):
        drawn = np.full(eta.shape, label)
        found = labels.log_likelihood(link, eta, drawn)
        tail = stats.norm.logcdf(eta if label else -eta)  # scipy's chances of 0 are 1 − Φ, which cancels
        expected = tail if link == "probit" else law(link, eta).logpmf(label)
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("link", LINKS)
def test_cross_entropy_is_an_expectation_over_all_labels(link):
    """−Σ_y p(y) log q(y), less what does not depend on q: for counts Σ p(y) log y!."""
    truth, eta = np.array([[-1.0, 0.5, 1.2]]), np.array([[0.3, -0.4, 1.5]])
    every = np.arange(len(support(link)))[:, None, None]
    weights = law(link, truth).pmf(every)
    expected = -(weights * law(link, eta).logpmf(every)).sum(axis=0)
    if link == "poisson":
        expected -= (weights * np.array([math.lgamma(y + 1) for y in range(400)])[:, None, None]).sum(axis=0)
    assert labels.cross_entropy(link, labels.means(link, truth), eta) == pytest.approx(expected)


@pytest.mark.parametrize("link", LINKS)
def test_information_is_the_variance_of_the_score(link):
    """The slope of log p by differences, squared, over all labels."""
    eta, step = np.array([-1.5, 0.0, 1.0]), 1e-6
    total = np.zeros(3)
    for y in range(60 if link == "poisson" else 2):
        drawn = np.full(3, y)
        up, down = (labels.log_likelihood(link, eta + move, drawn) for move in (step, -step))
        total += law(link, eta).pmf(y) * ((up - down) / (2 * step)) ** 2
    assert labels.information(link, eta) == pytest.approx(total, rel=1e-6)


@pytest.mark.parametrize("bias", [1.0, 0.4, 2.5])
@pytest.mark.parametrize("link", LINKS)
def test_labels_are_drawn_by_a_power_of_their_law(link, bias):
    """Each column its own predictor: chances ∝ p^(1/λ), of counts the Conway–Maxwell–Poisson law."""
    eta = np.array([-0.7, 1.1, 2.0])
    drawn = labels.draw(link, np.tile(eta, (4000, 1)), np.random.default_rng(0), bias)
    every = np.arange(60 if link == "poisson" else 2)
    for column in range(3):
        weights = law(link, eta[column]).pmf(every) ** (1 / bias)
        weights /= weights.sum()
        seen = np.bincount(drawn[:, column], minlength=len(every))
        error = np.sqrt(weights * (1 - weights) / 4000)
        assert (np.abs(seen / 4000 - weights) < 4.5 * error + 1e-3).all()


def test_sharp_and_large_counts_stay_at_their_mode():
    """λ = 0.01 of means 0.2 to 10⁴: within some tenths of the standard deviation √(λ·mean)."""
    eta = np.log([[0.2, 100.5, 10_000.5]])
    drawn = labels.draw("poisson", np.tile(eta, (500, 1)), np.random.default_rng(0), 0.01)
    assert (drawn[:, 0] == 0).all()
    assert drawn[:, 1:].mean(axis=0) == pytest.approx([100, 10_000], abs=3)
    assert drawn[:, 1:].std(axis=0) == pytest.approx([1, 10], rel=0.2)


def test_draws_of_many_replicates_do_not_depend_on_stretches(monkeypatch):
    eta = np.random.default_rng(0).standard_normal((9, 5))
    whole = labels.draw("logistic", eta, np.random.default_rng(1), 1.0)
    monkeypatch.setattr(labels, "CACHED", 10)
    assert np.array_equal(labels.draw("logistic", eta, np.random.default_rng(1), 1.0), whole)
    assert [(part.start, part.stop) for part in labels._stretches((3, 5))] == [(0, 2), (2, 4)]
    assert [part.start for part in labels._stretches((2, 50))] == [0, 1]


def test_an_even_chance_is_taken_for_a_zero():
    """Accuracy of p = ½ is the share of zeros; expected, where labels are chances."""
    predicted, observed = np.array([[0.5, 0.51], [0.49, 0.5]]), np.array([[1.0, 0.8], [0.25, 0.0]])
    assert labels.accuracy(predicted, observed) == pytest.approx([0.4, 0.875])
    eta = np.array([[0.0, 1.0]])
    assert logistic(eta, np.array([[0.25, 0.9]]))[1] == pytest.approx([(0.75 + 0.9) / 2])


def test_calibration_is_by_tenths_of_the_predicted_chance():
    """0.1 opens the second bin, 1 belongs to the last; gaps of one bin cancel, of two they do not."""
    predicted = np.array([[0.05, 0.09, 0.1, 0.95, 1.0]])
    observed = np.array([[1.0, 0.0, 0.0, 1.0, 0.0]])
    first, second, last = abs(0.95 - 0.09), abs(-0.1), abs(0.05 - 1.0)
    assert labels.calibration_error(predicted, observed) == pytest.approx([(first + second + last) / 5])
    both = labels.calibration_error(np.vstack([predicted, predicted]), np.vstack([observed, 1 - observed]))
    assert both[0] == pytest.approx((first + second + last) / 5)
    assert both[1] == pytest.approx((abs(-0.05 + 0.91) + 0.9 + abs(-0.95)) / 5)


@pytest.mark.parametrize("columns", range(1, 11))
def test_information_of_columns_is_numpys(columns):
    """Two columns at a time, four at a time, and what is left over; inputs shared or each replicate's own."""
    rng = np.random.default_rng(columns)
    weights = rng.random((3, 17))
    for own in (1, 3):
        x = rng.standard_normal((own, columns, 17))
        expected = (x * weights[:, None]) @ np.broadcast_to(x, (3, columns, 17)).swapaxes(1, 2)
        assert information(x, weights) == pytest.approx(expected, rel=1e-12)
