"""`bernoulli` and `poisson`: laws of rows, fits and figures by hand, and scores of scipy's likelihoods."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables import Cell
from trainables.families import Diverged
from trainables.store import Payload


def batch(*rows):
    """Rows of two replicates."""
    return Payload({"rows": len(rows[0])}, {"values": np.array(rows)})


FEW, MORE = batch([1, 0, 1], [0, 0, 0]), batch([1, 1], [0, 1])


@pytest.mark.parametrize("kind", ["bernoulli", "poisson"])
def test_a_fit_is_the_weighted_mean_of_rows(kind):
    """2 of weight 1 and 2 of weight ½ over 3 + 1: 3/4; 0 and ½·1 over 4: 1/8."""
    family = at_work(kind, 3)
    weighted = fitted(family, part(FEW), part(MORE, weight=0.5)).tensors["mean"]
    assert weighted.tolist() == [0.75, 0.125]
    drawn = fitted(family, part(FEW, index=[0, 1, 2]), part(MORE, index=[1, 0], weight=0.5)).tensors["mean"]
    assert drawn.tolist() == [0.75, 0.125]
    own = fitted(family, part(FEW, MORE, index=[[0, 0, 3], [1, 4, 4]])).tensors["mean"]
    assert own == pytest.approx([1.0, 2 / 3])


@pytest.mark.parametrize("weight", [1e-3, 1e3])
def test_a_fit_does_not_depend_on_the_scale_of_weights(weight):
    family = at_work("bernoulli", 3)
    found = fitted(family, part(FEW, weight=weight), part(MORE, weight=2 * weight)).tensors["mean"]
    assert found == pytest.approx([6 / 7, 2 / 7])


def test_figures_of_coins():
    """Truth ¼: errors 1/16, 1/16, 9/16; p(1 − p) over 3/16; means of 0 or 1 never change again."""
    found = evaluated(at_work("bernoulli", replicates=3, mean=0.25), mean=[0.0, 0.5, 1.0])
    assert found.replicates["test_loss"] == pytest.approx([1 / 16, 1 / 16, 9 / 16])
    assert found.replicates["variance_ratio"] == pytest.approx([0.0, 4 / 3, 0.0])
    assert found.replicates["absorbed"].tolist() == [1.0, 0.0, 1.0]
    assert found.test_loss == pytest.approx(11 / 48)
    assert found.metrics["absorbed"] == pytest.approx(2 / 3)
    assert {"test_loss_median", "variance_ratio_median"} <= found.metrics.keys()
    assert "absorbed_median" not in found.metrics


def test_figures_of_counts():
    found = evaluated(at_work("poisson", replicates=3, mean=2.0), mean=[0.0, 1.0, 5.0])
    assert found.replicates["test_loss"].tolist() == [4.0, 1.0, 9.0]
    assert found.replicates["variance_ratio"].tolist() == [0.0, 0.5, 2.5]
    assert found.replicates["absorbed"].tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("kind", "law"), [("bernoulli", stats.bernoulli(0.4)), ("poisson", stats.poisson(0.4))])
def test_rows_have_their_law(kind, law):
    family = at_work(kind, replicates=2, mean=0.4)
    for made in (family.real(0, 20_000), family.sample(Payload(tensors={"mean": np.full(2, 0.4)}), 20_000, STREAM)):
        values = made.tensors["values"]
        assert values.shape == (2, 20_000)
        assert values.dtype == np.int64
        seen = np.bincount(np.minimum(values.ravel(), 2), minlength=3)
        expected = 40_000 * np.array([law.pmf(0), law.pmf(1), law.sf(1)])
        assert (seen[expected == 0] == 0).all()
        assert stats.chisquare(seen[expected > 0], expected[expected > 0]).pvalue > 1e-4
        assert not np.array_equal(values[0], values[1])


@pytest.mark.parametrize("bias", [0.5, 2.0])
def test_a_bias_of_coins_is_a_power_of_both_chances(bias):
    """p^(1/λ)/(p^(1/λ) + q^(1/λ)); certain coins stay certain."""
    model = Payload(tensors={"mean": np.array([0.2, 0.9, 0.0, 1.0])})
    values = at_work("bernoulli", replicates=4).sample(model, 40_000, STREAM, bias).tensors["values"]
    one, none = np.array([0.2, 0.9]) ** (1 / bias), np.array([0.8, 0.1]) ** (1 / bias)
    expected = one / (one + none)
    assert np.abs(values[:2].mean(axis=1) - expected).max() < 4 * 0.5 / 200
    assert values[2:].mean(axis=1).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["bernoulli", "poisson"])
def test_scores_are_scipy_s_log_likelihoods(kind):
    """Of the truth, or of model 1, each replicate its own."""
    family, law = at_work(kind, 3, mean=0.3), getattr(stats, kind)
    truth = family.judge("reference", FEW, None, STREAM)
    assert truth.tensors["mean"].tolist() == [0.3, 0.3]
    assert judged(family, "reference", truth, FEW) == pytest.approx(law(0.3).logpmf(FEW.tensors["values"]))
    first = Payload(tensors={"mean": np.array([0.6, 0.1])})
    expected = [law(p).logpmf(rows) for p, rows in zip((0.6, 0.1), FEW.tensors["values"], strict=True)]
    assert judged(family, "first", first, FEW) == pytest.approx(np.array(expected))


def test_counts_above_one_are_scored_whole():
    family, many = at_work("poisson", 3, mean=2.5), batch([7, 0, 2], [3, 1, 9])
    found = judged(family, "reference", family.judge("reference", many, None, STREAM), many)
    assert found == pytest.approx(stats.poisson(2.5).logpmf(many.tensors["values"]))


@pytest.mark.parametrize(
    ("kind", "certain", "possible"),
    [("bernoulli", [0.0, 1.0], [[1, 0], [1, 0]]), ("poisson", [0.0, 0.0], [[1, 0], [0, 1]])],
)
def test_what_cannot_happen_scores_low_and_finite(kind, certain, possible):
    first = Payload(tensors={"mean": np.array(certain)})
    found = judged(at_work(kind, 2), "first", first, batch([0, 1], [1, 0]))
    assert found == pytest.approx(np.where(possible, 0.0, np.log(1e-12)), abs=1e-4)


@pytest.mark.parametrize("kind", ["bernoulli", "poisson"])
def test_a_detector_compares_means_that_lean_towards_the_truth_by_a_row(kind):
    """Real (2 + 0.3)/4 and 0.3/4, synthetic (2 + 0.3)/3 and 1.3/3; odds of likelihoods, as a probability."""
    family, law = at_work(kind, 3, mean=0.3), getattr(stats, kind)
    judge = family.judge("detector", FEW, MORE, STREAM)
    real, fake = np.array([2.3, 0.3]) / 4, np.array([2.3, 1.3]) / 3
    assert judge.tensors["real"] == pytest.approx(real)
    assert judge.tensors["synthetic"] == pytest.approx(fake)
    odds = law(real[:, None]).pmf(FEW.tensors["values"]) / law(fake[:, None]).pmf(FEW.tensors["values"])
    assert judged(family, "detector", judge, FEW) == pytest.approx(odds / (1 + odds))


def test_rows_are_taken_as_they_are():
    family = at_work("poisson", 3)
    taken = family.take(batch([5, 6, 7], [8, 9, 1]), np.array([[2, 0], [1, 1]]))
    assert (taken.rows, taken.tensors["values"].tolist()) == (2, [[7, 5], [9, 9]])


def test_disagreement_is_a_squared_difference_of_means():
    """Means 1, 2 and 4: 1, 9 and 4 by pairs."""
    models = [Payload(tensors={"mean": np.array([mean, 0.5])}) for mean in (1.0, 2.0, 4.0)]
    assert at_work("poisson").disagree(models, STREAM)["disagreement"] == pytest.approx([14 / 3, 0.0])


@pytest.mark.parametrize(("kind", "again"), [("bernoulli", 0.4), ("poisson", 0.4)])
def test_a_corrected_row_is_drawn_from_the_truth_or_kept(kind, again):
    """γ = 2: two of three are drawn again; what is kept stays where it is."""
    family = at_work(kind, replicates=1, mean=again)
    corrector = family.judge("corrector", FEW, None, STREAM)
    marked = Payload({"rows": 30_000}, {"values": np.full((1, 30_000), 9)})
    moved = family.correct(corrector, corrector, marked, 2.0, STREAM)
    kept = moved.tensors["values"] == 9
    assert moved.meta["moved"] == pytest.approx(1 - kept.mean(), abs=1e-9)
    assert kept.mean() == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / 30_000))
    assert moved.tensors["values"][~kept].mean() == pytest.approx(again, abs=4 * 0.64 / np.sqrt(20_000))


def test_what_is_not_a_number_diverges():
    family = at_work("poisson", 3)
    with pytest.raises(Diverged, match=r"^a mean is beyond what can be drawn$"):
        family.sample(Payload(tensors={"mean": np.array([2.0**53, 1.0])}), 3, STREAM)
    assert family.sample(Payload(tensors={"mean": np.full(2, 2.0**53 - 1)}), 1, STREAM).rows == 1
    with pytest.raises(Diverged, match=r"^a mean is beyond what can be drawn$"):
        family.sample(Payload(tensors={"mean": np.array([np.nan, 1.0])}), 3, STREAM)
    endless = Payload({"rows": 1}, {"values": np.array([[np.inf], [1.0]])})
    with pytest.raises(Diverged, match=r"^a fitted mean is not finite$"):
        fitted(family, part(endless))
    with pytest.raises(Diverged, match=r"^the held-out loss is not finite in 1 of 2 replicates$"):
        evaluated(family, mean=[np.nan, 1.0])


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ({"kind": "bernoulli", "mean": 0}, "greater than 0"),
        ({"kind": "bernoulli", "mean": 1}, "less than 1"),
        ({"kind": "poisson", "mean": 0}, "greater than 0"),
        ({"kind": "poisson", "mean": 1.1e9}, "less than or equal to 1000000000"),
    ],
)
def test_means_without_a_law_are_refused(family, message):
    with pytest.raises(ValidationError, match=message):
        Cell.model_validate({"family": family, "policy": {"kind": "replace"}})


def test_counts_have_no_temperature():
    policy = {"kind": "replace", "bias": 0.5}
    with pytest.raises(ValidationError, match="policy: replace needs a family with bias; poisson has correct, score"):
        Cell.model_validate({"family": {"kind": "poisson"}, "policy": policy})
    Cell.model_validate({"family": {"kind": "bernoulli"}, "policy": policy})


def test_a_size_is_a_mean():
    config = at_work("poisson", mean=2.5).config
    assert config.size_label() == "mean 2.5"
    assert (config.cost(10).parameters, config.cost(10).row_bytes) == (1, 8.0)
