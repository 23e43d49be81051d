"""Inputs, what a corpus comes to on them, and where real rows come from: by loops over single rows."""

import numpy as np
import pytest
from scipy.special import expit, ndtr

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables.families.closed_form.glm.config import GlmConfig
from trainables.families.closed_form.glm.inputs import Inputs, added, draw, stacked, tally
from trainables.sources.tables import Simulated
from trainables.store import Payload

MEANS = {"logistic": expit, "probit": ndtr, "poisson": np.exp}


def test_predictors_are_products_of_each_row():
    x, coefficients = np.arange(12.0).reshape(2, 2, 3), np.array([[1.0, -1.0], [2.0, 0.5]])
    assert Inputs("own", x).predict(coefficients).tolist() == [[-3.0, -3.0, -3.0], [16.5, 19.0, 21.5]]
    assert Inputs("one", x[:1]).predict(coefficients).tolist() == [[-3.0, -3.0, -3.0], [1.5, 4.0, 6.5]]
    assert Inputs("own", x).rows == 3


@pytest.mark.parametrize("inputs", ["gaussian", "signs"])
@pytest.mark.parametrize("correlation", [0.0, -0.6])
def test_simulated_inputs_have_unit_variance_and_the_stated_correlations(inputs, correlation):
    """ρ^|i − j|, of signs none; a constant goes before them."""
    source = Simulated(dim=3, inputs=inputs, correlation=correlation)
    x = draw(np.random.default_rng(0), source, 2, 10_000)
    assert (x[:, 0] == 1).all()
    flat = x[:, 1:].swapaxes(0, 1).reshape(3, -1)
    rho = correlation if inputs == "gaussian" else 0.0
    expected = rho ** np.abs(np.subtract.outer(range(3), range(3))) if rho else np.eye(3)
    assert np.abs(np.cov(flat) - expected).max() < 5 * np.sqrt(2 / 20_000)
    assert np.abs(flat.mean(axis=1)).max() < 4.5 / np.sqrt(20_000)
    assert set(np.unique(np.abs(flat))) == {1.0} if inputs == "signs" else len(np.unique(flat)) == 60_000


@pytest.mark.parametrize("rows", [2, 3, 7, 9])
def test_labels_beyond_the_inputs_count_from_the_first_again(rows):
    """3 inputs: row i has input i mod 3; an index says otherwise."""
    inputs = Inputs("a", np.ones((1, 1, 3)))
    rng = np.random.default_rng(rows)
    drawn, weights = rng.integers(0, 5, (2, rows)), rng.random((1, rows))
    index = rng.integers(0, 3, (2, rows))
    for given, owner in ((None, np.tile(np.arange(rows) % 3, (2, 1))), (index, index), (index[:1], index[[0, 0]])):
        found = tally(inputs, given, weights, drawn)
        for r in range(2):
            counted = [weights[0][owner[r] == k].sum() for k in range(3)]
            summed = [(weights[0] * drawn[r])[owner[r] == k].sum() for k in range(3)]
            assert np.broadcast_to(found.weights, (2, 3))[r] == pytest.approx(counted)
            assert found.sums[r] == pytest.approx(summed)


def test_sums_at_the_same_inputs_are_added_and_others_stand_beside():
    a, b = Inputs("a", np.ones((1, 2, 2))), Inputs("b", np.full((2, 2, 1), 5.0))
    one = {"a": tally(a, None, np.ones((1, 2)), np.array([[1, 0], [1, 1]]))}
    two = {
        "a": tally(a, None, np.full((1, 2), 2.0), np.array([[1, 1], [0, 1]])),
        "b": tally(b, None, np.ones((1, 1)), np.array([[4], [6]])),
    }
    total = added(one, two)
    assert total["a"].sums.tolist() == [[3.0, 2.0], [1.0, 3.0]]
    assert one["a"].sums.tolist() == [[1.0, 0.0], [1.0, 1.0]], "what is added to stays"
    x, weights, sums = stacked(total)
    assert x[1].tolist() == [[1.0, 1.0, 5.0]] * 2
    assert weights.tolist() == [[3.0, 3.0, 1.0]]
    assert sums.tolist() == [[3.0, 2.0, 4.0], [1.0, 3.0, 6.0]]
    assert stacked(one)[0] is a.x


def glm(rows=40, replicates=2, dim=2, **config):
    source = config.pop("source", {"kind": "simulated", "dim": dim, "signal": 1.5, "intercept": 0.3})
    return at_work("glm", rows, replicates, source=source, **config)


def test_a_target_has_the_stated_length_and_constant():
    target = glm(replicates=3)._ground.target
    assert target[:, 0].tolist() == [0.3] * 3
    assert np.linalg.norm(target[:, 1:], axis=1) == pytest.approx([1.5] * 3)
    assert len(np.unique(target[:, 1])) == 3


@pytest.mark.parametrize("link", MEANS)
def test_errors_are_in_the_metric_of_a_numerical_fisher_information(link):
    """J/N = Σ x xᵀ·(dμ/dη)²/Var y over batch 0's inputs, dμ/dη by differences."""
    family = glm(link=link)
    gap = np.array([[0.1, -0.2, 0.3], [0.0, 0.5, 0.0]])
    target = family._ground.target
    zeros = np.zeros(2, dtype=np.int8)
    found = evaluated(family, coefficients=target + gap, ended=zeros, steps=zeros).replicates
    assert found["coefficient_error"] == pytest.approx((gap**2).sum(axis=1))
    for r in range(2):
        x = family._named(["base"]).x[r]
        eta, mean = target[r] @ x, MEANS[link]
        slope = (mean(eta + 1e-6) - mean(eta - 1e-6)) / 2e-6
        variance = mean(eta) if link == "poisson" else mean(eta) * (1 - mean(eta))
        fisher = (x * slope**2 / variance) @ x.T / 40
        assert found["fisher_error"][r] == pytest.approx(gap[r] @ fisher @ gap[r], rel=1e-6)


def test_ends_and_steps_are_shares_and_means():
    family = glm(replicates=4)
    found = evaluated(family, coefficients=family._ground.target, ended=[0, 1, 1, 2], steps=[3, 4, 5, 8]).metrics
    assert (found["separated"], found["out_of_steps"], found["newton_steps"]) == (0.5, 0.25, 5.0)


@pytest.mark.parametrize("link", MEANS)
def test_the_truth_has_no_excess_loss_and_any_other_model_some(link):
    """At held-out inputs and at those of validation, which are others."""
    family = glm(link=link)
    target = family._ground.target
    zeros = np.zeros(2, dtype=np.int8)
    assert evaluated(family, coefficients=target, ended=zeros, steps=zeros).test_loss == pytest.approx(0, abs=1e-15)
    assert family.validate(Payload(tensors={"coefficients": target})) == pytest.approx(0, abs=1e-15)
    held, other = family._held_out.inputs.x, family._validation.inputs.x
    assert held.shape == other.shape == (1, 3, 200)
    assert not np.array_equal(held, other)
    wrong = target + np.array([0.0, 0.5, 0.0])
    away = Payload(tensors={"coefficients": wrong, "ended": zeros, "steps": zeros})
    losses = family.evaluate(away, STREAM).test_loss, family.validate(away)
    assert min(losses) > 0.01
    assert losses[0] != losses[1]
    mean = MEANS[link]
    for x, loss in ((held, losses[0]), (other, losses[1])):
        p, q = mean(target @ x[0]), mean(wrong @ x[0])
        if link == "poisson":
            expected = (p * np.log(p / q) - p + q).mean()
        else:
            expected = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean()
        assert loss == pytest.approx(expected)


def test_scores_are_log_likelihoods_of_labels_at_their_inputs():
    family = glm(rows=5, link="probit", design="fresh")
    batch = family.real(0, 8)
    judge = family.judge("reference", batch, None, STREAM)
    assert np.array_equal(judge.tensors["coefficients"], family._ground.target)
    x = family._of(batch).x
    chance = ndtr((family._ground.target[:, None] @ x)[:, 0])
    drawn = batch.tensors["labels"]
    expected = np.log(np.where(drawn == 1, chance, 1 - chance))
    assert judged(family, "reference", judge, batch) == pytest.approx(expected)
    index = np.array([[7, 0, 7], [1, 2, 3]])
    taken = family.take(family.take(batch, index), np.array([2, 0]))
    assert taken.tensors["index"].tolist() == [[7, 7], [3, 1]]
    assert taken.tensors["labels"].tolist() == [[drawn[0, 7]] * 2, [drawn[1, 3], drawn[1, 1]]]
    assert judged(family, "reference", judge, taken) == pytest.approx(
        np.take_along_axis(expected, np.array([[7, 7], [3, 1]]), axis=1)
    )


def test_a_detector_has_the_odds_of_two_fits():
    family = glm(rows=60, penalty=0.5)
    real, fake = family.real(0, 60), family.real(60, 60)
    judge = family.judge("detector", real, fake, STREAM)
    ones = [fitted(family, part(batch)).tensors["coefficients"] for batch in (real, fake)]
    assert judge.tensors["real"] == pytest.approx(ones[0])
    assert judge.tensors["synthetic"] == pytest.approx(ones[1])
    first = [judged(family, "first", Payload(tensors={"coefficients": coefficients}), real) for coefficients in ones]
    odds = np.exp(first[0] - first[1])
    assert judged(family, "detector", judge, real) == pytest.approx(odds / (1 + odds))


def test_weights_count_beside_a_penalty_as_if_their_mean_were_one():
    """Halved or doubled they are the same; a weight on one part only is not."""
    family = glm(penalty=2.0)
    one, two = family.real(0, 40), family.real(40, 40)
    plain = fitted(family, part(one), part(two)).tensors["coefficients"]
    for weight in (0.01, 7.0):
        found = fitted(family, part(one, weight=weight), part(two, weight=weight)).tensors["coefficients"]
        assert found == pytest.approx(plain, abs=1e-9)
    other = fitted(family, part(one, weight=3.0), part(two)).tensors["coefficients"]
    assert np.abs(other - plain).max() > 1e-2


@pytest.mark.parametrize(("penalty", "least"), [(0.0, 5), (0.1, 1)])
def test_rows_are_enough_from_two_more_than_coefficients_or_with_a_penalty(penalty, least):
    config = GlmConfig(source=Simulated(dim=2), penalty=penalty)
    config.check(least, 10)
    if not penalty:
        with pytest.raises(ValueError, match=r"^rows: 3 coefficients need at least 5 rows, not 4; or a penalty$"):
            config.check(4, 10)


def test_a_config_says_what_it_is():
    config = GlmConfig(source=Simulated(dim=4), link="probit")
    assert config.columns == 5
    assert config.size_label() == "probit, 5 coefficients"
    assert config.cost(10).parameters == 5
    assert (config.conditioned, config.available_rows()) == (False, None)
    assert config.data_identity()["source"]["dim"] == 4
    assert config.evaluation_identity() == {"held_out": 200, "least": 2}
    assert GlmConfig().evaluation_identity() == {"held_out": 200}
    table = GlmConfig(source={"kind": "wine"})
    assert table.conditioned
    assert table.size_label() == "logistic, 14 coefficients"
    assert "least" not in GlmConfig(source={"kind": "wine"}, link="probit").evaluation_identity()
