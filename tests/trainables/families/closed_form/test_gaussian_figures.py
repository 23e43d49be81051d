"""What `gaussian` says of models and rows, by hand and beside scipy's densities."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables.families import Diverged
from trainables.families.closed_form import random_matrices
from trainables.families.closed_form.gaussian import GaussianConfig
from trainables.store import Payload

MEAN = [[1.0, -2.0], [0.0, 0.5]]
ROOT = [[[2.0, 0.0], [1.0, 0.5]], [[0.5, 0.0], [-1.0, 3.0]]]
SINGULAR = "the fitted covariance is singular: too few different rows"
NO_NUMBER = "the fitted mean or covariance is not finite"
LAWS = [stats.multivariate_normal(m, np.array(r) @ np.array(r).T) for m, r in zip(MEAN, ROOT, strict=True)]


def rows_of(*replicates):
    """A batch of these rows, [replicates, rows, dim]."""
    x = np.array(replicates, dtype=float)
    mean = x.mean(axis=1)
    deviations = x - mean[:, None]
    root = np.linalg.cholesky(deviations.swapaxes(1, 2) @ deviations + 1e-300)
    return Payload({"rows": x.shape[1]}, {"mean": mean, "root": root, "deviations": deviations})


X = np.random.default_rng(0).standard_normal((2, 7, 2)) * [1.0, 2.0] + 1
ROWS = rows_of(*X)


def test_figures_of_a_model_by_hand():
    """Σ = [[4, 2], [2, 1.25]] of determinant 1: tr Σ⁻¹ = 5.25, μᵀΣ⁻¹μ = 1.25 + 8 + 16. The other's Σ is
    [[0.25, −0.5], [−0.5, 10]] of determinant 2.25: tr Σ⁻¹ = 10.25/2.25, μᵀΣ⁻¹μ = 0.25·0.25/2.25."""
    found = evaluated(at_work("gaussian", dim=2), mean=MEAN, root=ROOT).replicates
    second = 0.5 * (10.25 / 2.25 + 1 / 36 - 2 + math.log(2.25))
    assert found["test_loss"] == pytest.approx([0.5 * (5.25 + 25.25 - 2), second])
    assert found["nll"] - found["test_loss"] == pytest.approx([1 + math.log(2 * math.pi)] * 2)
    assert found["mean_sq_error"] == pytest.approx([5.0, 0.25])
    assert found["trace_ratio"] == pytest.approx([5.25 / 2, 10.25 / 2])
    assert found["det_ratio"] == pytest.approx([1.0, 2.25])
    assert found["log_det_ratio"] == pytest.approx([0.0, math.log(2.25)], abs=1e-12)


def test_the_loss_is_the_divergence_that_quadrature_gives():
    """KL(N(0, 1) ‖ N(0.3, 0.7²)) in one dimension on a fine grid."""
    x = np.linspace(-12, 12, 200_001)
    truth, model = stats.norm, stats.norm(0.3, 0.7)
    expected = (truth.pdf(x) * (truth.logpdf(x) - model.logpdf(x))).sum() * (x[1] - x[0])
    found = evaluated(at_work("gaussian", replicates=1), mean=[[0.3]], root=[[[0.7]]])
    assert found.test_loss == pytest.approx(expected)
    assert found.metrics["nll"] == pytest.approx(-(truth.pdf(x) * model.logpdf(x)).sum() * (x[1] - x[0]))


def test_the_true_model_has_no_loss_and_signs_of_a_factor_do_not_matter():
    family = at_work("gaussian", dim=2)
    truth = evaluated(family, mean=np.zeros((2, 2)), root=[np.eye(2)] * 2)
    assert truth.test_loss == 0.0
    assert (truth.metrics["trace_ratio"], truth.metrics["det_ratio"]) == (1.0, 1.0)
    one, other = (evaluated(family, mean=MEAN, root=np.array(ROOT) * signs) for signs in ([1, 1], [-1, 1]))
    for name, values in one.replicates.items():
        assert other.replicates[name] == pytest.approx(values), name


@pytest.mark.parametrize(("rows", "dim", "flagged"), [(4, 2, True), (5, 2, False), (3, 1, True), (4, 1, False)])
def test_the_mean_loss_is_infinite_up_to_two_rows_more_than_dimensions(rows, dim, flagged):
    found = evaluated(at_work("gaussian", rows, 1, dim=dim), mean=np.zeros((1, dim)), root=np.eye(dim)[None])
    assert ("infinite_mean" in found.metrics) == flagged
    assert found.metrics.get("infinite_mean", 1.0) == 1.0


def test_which_figures_have_quantiles():
    found = evaluated(at_work("gaussian", dim=2), mean=MEAN, root=ROOT).metrics
    assert {name.removesuffix("_q05") for name in found if name.endswith("_q05")} == {
        "test_loss",
        "mean_sq_error",
        "trace_ratio",
    }


def test_models_are_judged_together_as_each_alone():
    family = at_work("gaussian", dim=2)
    models = [Payload(tensors={"mean": np.array(MEAN) * k, "root": np.array(ROOT) * k}) for k in (1, 2, 3)]
    together = family.evaluate_each(models, [STREAM] * 3)
    for model, found in zip(models, together, strict=True):
        alone = family.evaluate(model, STREAM)
        assert found.metrics == alone.metrics
        assert found.test_loss == alone.test_loss


def test_fits_by_hand_of_both_conventions():
    """Rows 0, 2 of weight 1 and 5 of weight ½: mean 4.5/2.5, Σw(x − 1.8)² = 3.24 + 0.04 + 5.12, W = 2.5, Σw² = 2.25."""
    batches = rows_of([[0.0], [2.0]]), rows_of([[5.0]])
    for estimator, divisor in (("biased", 2.5), ("unbiased", 2.5 - 2.25 / 2.5)):
        family = at_work("gaussian", 3, 1, estimator=estimator)
        model = fitted(family, part(batches[0]), part(batches[1], weight=0.5)).tensors
        assert model["mean"] == pytest.approx(1.8)
        assert model["root"][0] ** 2 == pytest.approx(8.4 / divisor)
        drawn = fitted(family, part(*batches, index=[0, 1]), part(*batches, index=[2], weight=0.5)).tensors
        assert drawn["mean"] == pytest.approx(1.8)
        assert drawn["root"][0] ** 2 == pytest.approx(8.4 / divisor)
        both = fitted(family, part(*batches, index=[2, 0])).tensors
        assert both["mean"] == pytest.approx(2.5)
        assert both["root"][0] ** 2 == pytest.approx(12.5 / (2 if estimator == "biased" else 1))


@pytest.mark.parametrize("kind", ["reference", "first"])
def test_scores_are_log_densities(kind):
    family = at_work("gaussian", 7, dim=2)
    judge = family.judge("reference", ROWS, None, STREAM)
    if kind == "first":
        judge = Payload(tensors={"mean": np.array(MEAN), "root": np.array(ROOT)})
    laws = LAWS if kind == "first" else [stats.multivariate_normal(np.zeros(2))] * 2
    expected = [law.logpdf(x) for law, x in zip(laws, X, strict=True)]
    assert judged(family, kind, judge, ROWS) == pytest.approx(np.array(expected))


def test_a_detector_is_quadratic_discriminant_analysis():
    """Gaussians of maximum likelihood for both, the odds of their densities."""
    family = at_work("gaussian", 7, dim=2)
    fake = rows_of(*(X * [0.5, 1.0] + [1.0, 0.0]))
    judge = family.judge("detector", ROWS, fake, STREAM)
    for r in range(2):
        laws = [
            stats.multivariate_normal(x.mean(axis=0), np.cov(x.T, bias=True)) for x in (X[r], X[r] * [0.5, 1] + [1, 0])
        ]
        odds = np.exp(laws[0].logpdf(X[r]) - laws[1].logpdf(X[r]))
        assert judged(family, "detector", judge, ROWS)[r] == pytest.approx(odds / (1 + odds))


def test_disagreement_is_the_squared_distance_of_means():
    models = [Payload(tensors={"mean": np.array(MEAN) * k}) for k in (0, 1, 3)]
    expected = np.array([5.0, 0.25]) * (1 + 4 + 9) / 3
    assert at_work("gaussian", dim=2).disagree(models, STREAM)["disagreement"] == pytest.approx(expected)


def test_taken_rows_are_those_rows_and_their_moments():
    family, index = at_work("gaussian", 7, dim=2), np.array([[6, 0, 3, 1], [2, 2, 5, 4]])
    taken = family.take(ROWS, index)
    assert taken.rows == 4
    for r in range(2):
        chosen = X[r, index[r]]
        assert taken.tensors["mean"][r] == pytest.approx(chosen.mean(axis=0))
        assert taken.tensors["mean"][r] + taken.tensors["deviations"][r] == pytest.approx(chosen)
        root = taken.tensors["root"][r]
        assert root @ root.T == pytest.approx(4 * np.cov(chosen.T, bias=True))


def test_a_batch_has_the_moments_of_its_rows():
    """x̄ and scatter are drawn without rows; rows that are drawn afterwards have just these."""
    family = at_work("gaussian", 7, 3, dim=2)
    for rows in (7, 2, 1, 40):
        made = family.sample(
            Payload(tensors={"mean": np.zeros((3, 2)), "root": np.stack([np.eye(2)] * 3)}), rows, STREAM
        )
        taken = family.take(made, np.arange(rows))
        assert taken.tensors["mean"] == pytest.approx(made.tensors["mean"])
        scatter = [batch.tensors["root"] @ batch.tensors["root"].swapaxes(1, 2) for batch in (made, taken)]
        assert scatter[0] == pytest.approx(scatter[1], abs=1e-9)
        assert np.linalg.matrix_rank(scatter[0]).tolist() == [min(rows - 1, 2)] * 3


def test_replicates_in_blocks_are_fitted_and_judged_like_all_at_once(monkeypatch):
    """Rows on demand, 2 replicates at a time: the same whatever is asked for, and statistics do not change."""
    family = at_work("gaussian", 7, 5, dim=2)
    whole = family.real(0, 7)
    monkeypatch.setattr(random_matrices, "BLOCK", 2 * 7 * 2)
    every = family.take(whole, np.arange(7))
    x = every.tensors["mean"][:, None] + every.tensors["deviations"]
    index = np.random.default_rng(0).integers(0, 7, (5, 4))
    drawn = np.take_along_axis(x, index[..., None], axis=1)
    model = fitted(family, part(whole, index=index)).tensors
    assert model["mean"] == pytest.approx(drawn.mean(axis=1))
    assert model["root"] @ model["root"].swapaxes(1, 2) == pytest.approx(
        np.array([np.cov(rows.T, bias=True) for rows in drawn])
    )
    alike = fitted(family, part(whole, index=[0, 1, 5])).tensors
    assert alike["mean"] == pytest.approx(x[:, [0, 1, 5]].mean(axis=1))
    judge = family.judge("reference", whole, None, STREAM)
    assert judged(family, "reference", judge, whole) == pytest.approx(stats.norm.logpdf(x).sum(axis=2))


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (lambda family: family.sample(model(math.inf), 5, STREAM), "the model's covariance is not finite"),
        (lambda family: family.evaluate(model(math.nan), STREAM), "the model's covariance is not finite"),
        (
            lambda family: family.evaluate(model(0.0), STREAM),
            SINGULAR,
        ),
        (
            lambda family: fitted(family, part(rows_of([[math.inf], [0.0]]))),
            NO_NUMBER,
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_not_a_law_diverges(problem, message):
    with pytest.raises(Diverged, match=f"^{message}$"):
        problem(at_work("gaussian", 5, 1))


def model(root):
    return Payload(tensors={"mean": np.zeros((1, 1)), "root": np.full((1, 1, 1), root)})


@pytest.mark.parametrize("dim", [1, 3])
def test_rows_are_enough_from_one_more_than_dimensions(dim):
    config = GaussianConfig(dim=dim)
    config.check(dim + 1, 10)
    with pytest.raises(
        ValueError, match=rf"^rows: gaussian in dimension {dim} needs at least {dim + 1} \(dim \+ 1\), not"
    ):
        config.check(dim, 10)


def test_a_cost_is_one_of_statistics():
    """Mean and covariance: d + d(d + 1)/2 numbers; the cost of all rows does not depend on how many there are."""
    config = GaussianConfig(dim=4)
    few, many = config.cost(10), config.cost(1000)
    assert few.parameters == many.parameters == 14
    for name in ("fit_flops", "sample_flops", "row_bytes"):
        assert 10 * getattr(few, name) == pytest.approx(1000 * getattr(many, name))
    assert 10 * few.row_bytes == 8 * (4 + 16)
    assert config.size_label() == "dim 4"
