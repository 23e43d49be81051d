"""Newton's method by replicate: the maximum that other packages find, and how it ends where there is none."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import linprog
from scipy.special import expit, ndtr
from sklearn.linear_model import LogisticRegression

from trainables.families.closed_form.glm.likelihoods import LOGISTIC, POISSON, PROBIT
from trainables.families.closed_form.glm.newton import CONVERGED, LIMIT, SEPARATED, SINGULAR, maximise

MEANS = {LOGISTIC: expit, PROBIT: ndtr, POISSON: np.exp}
PEERS = {
    LOGISTIC: sm.families.Binomial(),
    PROBIT: sm.families.Binomial(sm.families.links.Probit()),
    POISSON: sm.families.Poisson(),
}


def drawn(link, rows=120, columns=5, times=1, seed=0, scale=0.6):
    """Inputs with a constant, and sums of `times` labels each, for three replicates."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.ones((3, 1, rows)), rng.standard_normal((3, columns - 1, rows))], axis=1)
    mean = MEANS[link](scale * (rng.standard_normal((3, 1, columns)) @ x)[:, 0])
    labels = rng.poisson(times * mean) if link == POISSON else rng.binomial(times, mean)
    return x, np.full((1, rows), float(times)), labels.astype(float)


@pytest.mark.parametrize("link", MEANS, ids=["logistic", "probit", "poisson"])
@pytest.mark.parametrize(("times", "scale"), [(1, 0.6), (25, 1.5)])
def test_coefficients_are_those_of_statsmodels(link, times, scale):
    x, weights, sums = drawn(link, times=times, scale=scale)
    found, ended, _ = maximise(x, weights, sums, link, 0.0, 40)
    assert (ended == CONVERGED).all()
    for inputs, labels, coefficients in zip(x, sums, found, strict=True):
        shape = {} if link != POISSON else {"exposure": np.full(len(labels), times)}
        target = labels if link == POISSON else np.stack([labels, times - labels], axis=1)
        peer = sm.GLM(target, inputs.T, family=PEERS[link], **shape).fit(tol=1e-14, maxiter=200)
        assert np.abs(peer.params - coefficients).max() < 1e-6


@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_logistic_coefficients_are_those_of_scikit_learn(penalty):
    x, weights, sums = drawn(LOGISTIC)
    found, _, _ = maximise(x, weights, sums, LOGISTIC, penalty, 40)
    for inputs, labels, coefficients in zip(x, sums, found, strict=True):
        peer = LogisticRegression(C=1 / penalty if penalty else np.inf, tol=1e-12, max_iter=1000, solver="newton-cg")
        peer.fit(inputs[1:].T, labels)
        assert np.abs(np.append(peer.intercept_, peer.coef_) - coefficients).max() < 1e-6


def test_weights_are_numbers_of_copies():
    x, _, sums = drawn(LOGISTIC)
    weights = np.random.default_rng(1).integers(0, 4, (1, 120)).astype(float)
    found, _, _ = maximise(x, weights, weights * sums, LOGISTIC, 0.0, 40)
    copies = np.repeat(np.arange(120), weights[0].astype(int))
    again, _, _ = maximise(x[:, :, copies], np.ones((1, len(copies))), sums[:, copies], LOGISTIC, 0.0, 40)
    assert np.allclose(found, again, atol=1e-9)


@pytest.mark.parametrize("link", [LOGISTIC, PROBIT])
def test_separated_labels_are_known(link):
    """All labels by the sign of one input: the loss vanishes, coefficients stay finite."""
    x, weights, _ = drawn(link)
    labels = (x[:, 1] > 0.1).astype(float)
    found, ended, steps = maximise(x, weights, labels, link, 0.0, 40)
    assert (ended == SEPARATED).all()
    assert np.isfinite(found).all()
    assert (steps < 40).all()
    predicted = MEANS[link]((found[:, None] @ x)[:, 0])
    assert np.abs(predicted - labels).mean() < 1e-5
    _, ended, _ = maximise(x, weights, labels, link, 1.0, 40)
    assert (ended == CONVERGED).all(), "a penalty has a maximum always"


@pytest.mark.parametrize("link", MEANS, ids=["logistic", "probit", "poisson"])
def test_quasi_separated_labels_are_known(link):
    """No label 1 where a binary input is 1: its coefficient runs off, all others have a maximum."""
    x, weights, sums = drawn(link)
    x[:, 1] = np.random.default_rng(3).random((3, 120)) < 0.3
    sums[x[:, 1] == 1] = 0
    found, ended, _ = maximise(x, weights, sums, link, 0.0, 40)
    assert (ended == SEPARATED).all()
    assert np.isfinite(found).all()
    other = np.delete(x, 1, axis=1)
    for inputs, kept, labels, coefficients in zip(other, x[:, 1] == 0, sums, found, strict=True):
        alone = maximise(inputs[None, :, kept], weights[:, kept], labels[None, kept], link, 0.0, 40)[0][0]
        assert np.abs(np.delete(coefficients, 1) - alone).max() < 1e-4


def test_out_of_steps_and_too_few_inputs():
    x, weights, sums = drawn(POISSON, scale=1.5)
    _, ended, steps = maximise(x, weights, sums, POISSON, 0.0, 2)
    assert (ended == LIMIT).all()
    assert (steps == 2).all()
    x[1, 2] = x[1, 1]
    _, ended, _ = maximise(x, weights, sums, POISSON, 0.0, 40)
    assert ended.tolist() == [CONVERGED, SINGULAR, CONVERGED]


def test_far_counts_and_tails_are_found():
    """Starting values that are far off: means from e⁻⁸ to e⁸, probabilities below 10⁻⁴."""
    rng = np.random.default_rng(5)
    x = np.stack([np.ones(400), np.linspace(-4, 4, 400)])[None]
    counts = rng.poisson(np.exp(2 * x[:, 1])).astype(float)
    found, ended, _ = maximise(x, np.ones((1, 400)), counts, POISSON, 0.0, 40)
    assert ended[0] == CONVERGED
    assert found[0] == pytest.approx([0, 2], abs=0.05)
    rare = rng.binomial(10**6, ndtr(x[:, 1] - 2)).astype(float)
    found, ended, _ = maximise(x, np.full((1, 400), 1e6), rare, PROBIT, 0.0, 40)
    assert ended[0] == CONVERGED
    assert found[0] == pytest.approx([-2, 1], abs=0.01)


@pytest.mark.parametrize("limit", [40, 1000])
def test_counts_without_a_maximum_are_known_however_many_steps_there_are(limit):
    """The one count above 0 lies outermost: the predictor of all others runs off, a step about 1 further each."""
    x, weights, _ = drawn(POISSON, rows=12)
    counts = np.where(x[:, 1] == x[:, 1].max(axis=1, keepdims=True), 5.0, 0.0)
    found, ended, steps = maximise(x, weights, counts, POISSON, 0.0, limit)
    assert (ended == SEPARATED).all()
    assert (steps <= 40).all()
    assert np.exp((found[:, None] @ x)[:, 0]) == pytest.approx(counts, abs=1e-4)


@pytest.mark.parametrize(("link", "limit"), [(LOGISTIC, 40), (LOGISTIC, 1000), (PROBIT, 40), (PROBIT, 1000)])
def test_a_constant_that_a_penalty_leaves_free_has_no_maximum(link, limit):
    x, weights, _ = drawn(link)
    found, ended, _ = maximise(x, weights, np.ones((3, 120)), link, 1.0, limit)
    assert (ended == LIMIT).all()
    assert (found[:, 0] > 5).all()


def test_labels_that_are_all_but_told_apart_have_a_maximum():
    """One label of seven on the other side, near the border: coefficients of 20, reached slowly."""
    x = np.stack([np.ones(8), np.array([-3.0, -2.0, -1.0, 0.49, 0.5, 1.0, 2.0, 3.0])])[None]
    labels = np.array([[0.0, 0, 0, 1, 0, 1, 1, 1]])
    found, ended, _ = maximise(x, np.ones((1, 8)), labels, LOGISTIC, 0.0, 40)
    assert ended[0] == CONVERGED
    gap = labels - expit((found[:, None] @ x)[:, 0])
    assert np.abs(x[0] @ gap[0]).max() < 1e-9


@pytest.mark.parametrize("times", [1, 5, 50])
def test_a_maximum_is_found_in_five_steps(times):
    x, weights, sums = drawn(LOGISTIC, rows=300, columns=11, times=times, scale=0.3)
    _, ended, steps = maximise(x, weights, sums, LOGISTIC, 0.0, 40)
    assert (ended == CONVERGED).all()
    assert (steps <= 5).all()


def has_maximum(x, sums, weights, link):
    """Whether no direction tells the labels apart, by a linear programme."""
    none, every = sums <= 0, (sums >= weights) & (link != POISSON)
    against = np.concatenate([x[:, none].T, -x[:, every].T])
    between = x[:, ~none & ~every].T
    equal = {"A_eq": between, "b_eq": np.zeros(len(between))} if len(between) else {}
    found = linprog(against.sum(axis=0), against, np.zeros(len(against)), **equal, bounds=(-1, 1))
    return found.fun > -1e-7


@pytest.mark.parametrize("link", MEANS, ids=["logistic", "probit", "poisson"])
@pytest.mark.parametrize("limit", [5, 40, 1000])
def test_a_fit_ends_as_a_linear_programme_says(link, limit):
    """Far inputs, few rows, rare labels and categories: converged only where there is a maximum, separated only where
    there is none, and within forty steps one or the other."""
    rng = np.random.default_rng(limit + link)
    for _ in range(60):
        rows, columns = int(rng.choice([8, 12, 40])), int(rng.integers(1, 5))
        kinds = [rng.standard_cauchy((columns, rows)), rng.random((columns, rows)) < 0.2]
        x = np.concatenate([np.ones((1, rows)), kinds[rng.integers(2)]])
        if np.linalg.matrix_rank(x) < len(x):
            continue
        eta = rng.standard_normal(len(x)) @ np.clip(x, -3, 3) + rng.choice([-3.0, 0.0])
        sums = (rng.poisson(np.exp(eta)) if link == POISSON else rng.random(rows) < expit(eta)).astype(float)
        _, ended, _ = maximise(x[None], np.ones((1, rows)), sums[None], link, 0.0, limit)
        true = CONVERGED if has_maximum(x, sums, np.ones(rows), link) else SEPARATED
        assert ended[0] == true or (ended[0] == LIMIT and limit == 5)


@pytest.mark.parametrize("link", [LOGISTIC, PROBIT])
def test_a_rare_category_of_rare_labels_is_fitted(link):
    """Eight rows of 400, all or all but one of the label that 2 % of the others have: least squares, from which fits
    start, would take them to log-odds of 30 and more, where no slope is left."""
    rng = np.random.default_rng(1)
    rare = np.arange(400) < 8
    x = np.stack([np.ones(400), (rare - 0.02) / 0.14, rng.standard_normal(400)])[None]
    labels = (rng.random((1, 400)) < 0.02).astype(float)
    labels[:, rare] = 1.0
    assert maximise(x, np.ones((1, 400)), labels, link, 0.0, 40)[1][0] == SEPARATED
    labels[:, 0] = 0.0
    found, ended, steps = maximise(x, np.ones((1, 400)), labels, link, 0.0, 40)
    target = np.stack([labels[0], 1 - labels[0]], axis=1)
    peer = sm.GLM(target, x[0].T, family=PEERS[link]).fit(tol=1e-14, maxiter=200)
    assert ended[0] == CONVERGED
    assert steps[0] <= 12
    assert np.abs(peer.params - found[0]).max() < 1e-6


def test_a_far_input_that_delays_a_fit_does_not_tell_labels_apart():
    """Each step moves little but the one far row, which has the likelier label."""
    rng = np.random.default_rng(5)
    x = np.concatenate([np.ones((1, 60)), rng.standard_cauchy((3, 60))])[None]
    labels = (rng.random((1, 60)) < 0.88).astype(float)
    assert has_maximum(x[0], labels[0], np.ones(60), PROBIT)
    ends = [maximise(x, np.ones((1, 60)), labels, PROBIT, 0.0, limit)[1][0] for limit in (3, 5, 8, 40)]
    assert ends == [LIMIT, LIMIT, LIMIT, CONVERGED]


def test_one_light_row_against_all_others_gives_a_maximum():
    """Of a millionth of a row's weight: all others are fitted to 1e-6 before it is."""
    x = np.stack([np.ones(40), np.linspace(-2, 2, 40)])[None]
    labels, weights = (x[:, 1] > 0).astype(float), np.ones((1, 40))
    labels[0, 3], weights[0, 3] = 1.0, 1e-6
    found, ended, _ = maximise(x, weights, weights * labels, LOGISTIC, 0.0, 40)
    assert ended[0] == CONVERGED
    gap = weights * (labels - expit((found[:, None] @ x)[:, 0]))
    assert np.abs(x[0] @ gap[0]).max() < 1e-12


@pytest.mark.parametrize(("link", "penalty"), [(LOGISTIC, 1e-7), (PROBIT, 1e-7), (LOGISTIC, 1e6)])
def test_coefficients_that_a_penalty_alone_holds_are_found_to_the_last_digits(link, penalty):
    """4,000 rows but one are alike, so that little but the penalty says how far the slope goes."""
    x, counts = np.array([[[1.0, 1, 1, 1], [1.0, -1, 1, -1]]]), np.array([[0.0, 1, 0, 0]])
    found, ended, _ = maximise(x, np.full((1, 4), 1000.0), counts, link, penalty, 60)
    again, _, _ = maximise(x, np.full((1, 4), 1000.0), counts, link, penalty, 1000)
    assert ended[0] == CONVERGED
    eta = (found[:, None] @ x)[0, 0]
    far, near = (expit(eta), expit(-eta)) if link == LOGISTIC else (ndtr(eta), ndtr(-eta))
    steep = np.ones(4) if link == LOGISTIC else np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi) / far / near
    slope = x[0] @ (steep * (counts[0] * near - (1000 - counts[0]) * far)) - penalty * found[0] * [0, 1]
    assert slope == pytest.approx([0, 0], abs=1e-13)
    assert found == pytest.approx(again, abs=1e-12)


def test_units_of_inputs_do_not_matter():
    """From a millionth to a million, with a maximum and without."""
    x, weights, sums = drawn(LOGISTIC)
    units = np.array([1, 1e-6, 1e6, 1e3, 1e-3])[:, None]
    for labels in (sums, (x[:, 1] + x[:, 2] > 0.1).astype(float)):
        found, ended, steps = maximise(x, weights, labels, LOGISTIC, 0.0, 40)
        others = maximise(x * units, weights, labels, LOGISTIC, 0.0, 40)
        assert others[0] * units[:, 0] == pytest.approx(found, rel=1e-6)
        assert (others[1] == ended).all()
        assert (others[2] == steps).all()
