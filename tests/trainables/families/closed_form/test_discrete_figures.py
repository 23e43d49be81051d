"""What `discrete` says of frequencies and rows, by hand."""

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from tests.support.closed_forms import STREAM, at_work, evaluated, fitted, judged, part
from trainables import Cell
from trainables.families import Diverged
from trainables.families.closed_form import random_matrices
from trainables.families.closed_form.discrete import DiscreteConfig
from trainables.store import Payload

TRUTH = np.array([12, 6, 4, 3]) / 25
"""Zipf's law of four categories: 1, 1/2, 1/3, 1/4 over 25/12."""


def rows_of(*replicates, categories=4):
    rows = np.array(replicates)
    counts = np.array([np.bincount(row, minlength=categories) for row in rows])
    return Payload({"rows": rows.shape[1]}, {"rows": rows, "counts": counts})


def four(replicates=2, rows=10, **config):
    return at_work("discrete", rows, replicates, categories=4, **config)


def test_real_frequencies_are_zipf_s():
    assert DiscreteConfig(categories=4).probabilities == pytest.approx(TRUTH)
    assert DiscreteConfig(categories=2, exponent=3.0).probabilities == pytest.approx([8 / 9, 1 / 9])
    assert DiscreteConfig(categories=4, start="uniform", exponent=3.0).probabilities == pytest.approx([0.25] * 4)


def test_figures_of_frequencies_by_hand():
    """All mass on the first category, and evenly on the first two."""
    found = evaluated(four(), frequencies=[[1, 0, 0, 0], [0.5, 0.5, 0, 0]]).replicates
    p, q, r, s = TRUTH
    assert found["test_loss"] == pytest.approx(
        [(1 - p) ** 2 + q**2 + r**2 + s**2, (0.5 - p) ** 2 + (0.5 - q) ** 2 + r**2 + s**2]
    )
    assert found["gini_simpson"] == pytest.approx([0.0, 0.5])
    assert found["entropy"] == pytest.approx([0.0, math.log(2)], abs=1e-15)
    assert found["surviving_categories"].tolist() == [1.0, 2.0]
    assert found["missing_mass"] == pytest.approx([13 / 25, 7 / 25])
    assert found["total_variation"] == pytest.approx([13 / 25, 0.02 + 0.0 + 0.26])
    one = -(p * math.log(0.9925) + (1 - p) * math.log(0.0025))
    two = -((p + q) * math.log(0.4975) + (r + s) * math.log(0.0025))
    assert found["nll"] == pytest.approx([one, two])


def test_the_truth_has_no_loss_and_the_entropy_of_its_law():
    found = evaluated(four(1), frequencies=[TRUTH])
    assert found.test_loss == pytest.approx(0.0, abs=1e-30)
    assert found.metrics["entropy"] == pytest.approx(stats.entropy(TRUTH))
    assert (found.metrics["missing_mass"], found.metrics["surviving_categories"]) == (0.0, 4.0)


def test_the_tail_is_the_rarest_tenth_of_the_mass():
    """20 even categories: the last two, exactly a tenth. Of four by Zipf's law the rarest alone has 12 %: no tail."""
    family = at_work("discrete", replicates=1, categories=20, start="uniform")
    shares = np.full(20, 0.05)
    shares[-3:] = 0.13, 0.015, 0.005
    assert evaluated(family, frequencies=[shares]).metrics["tail_mass_ratio"] == pytest.approx(0.02 / 0.1)
    assert "tail_mass_ratio" not in evaluated(four(1), frequencies=[TRUTH]).metrics


def test_which_figures_have_quantiles():
    found = evaluated(at_work("discrete", categories=20), frequencies=np.full((2, 20), 0.05)).metrics
    assert {name.removesuffix("_q95") for name in found if name.endswith("_q95")} == {
        "test_loss",
        "gini_simpson",
        "surviving_categories",
        "tail_mass_ratio",
    }


@pytest.mark.parametrize(("left", "share", "error"), [([1, 1, 3], 2 / 3, 1 / 3), ([2, 2], 0.0, 0.0)])
def test_forgotten_are_recursions_of_one_category(left, share, error):
    """Of 0s and 1s the standard error is √(p(1 − p)/(n − 1)): √(2/9/2) = 1/3."""
    found = DiscreteConfig().derived({"surviving_categories": np.array(left, dtype=float)})
    assert found == pytest.approx({"forgotten": share, "forgotten_se": error})
    assert DiscreteConfig().derived({"surviving_categories": np.array([1.0])}) == {"forgotten": 1.0}
    assert DiscreteConfig().derived({"entropy": np.ones(3)}) == {}


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_a_fit_is_the_weighted_share_of_rows_and_smoothing_adds_rows(smoothing):
    """3 rows of weight 1 and 2 of weight ½ weigh 4; α rows of each category beside 5, each of mean weight 4/5."""
    one, two = rows_of([0, 1, 1], [2, 2, 2]), rows_of([1, 3], [0, 0])
    family = four(smoothing=smoothing)
    found = fitted(family, part(one), part(two, weight=0.5)).tensors["frequencies"]
    raw = np.array([[1, 2.5, 0, 0.5], [1, 0, 3, 0]]) / 4
    expected = (raw + smoothing / 5) / (1 + 4 * smoothing / 5)
    assert found == pytest.approx(expected)
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
    drawn = fitted(family, part(one, index=[[2, 0, 1], [0, 1, 2]]), part(two, index=[1, 0], weight=0.5))
    assert drawn.tensors["frequencies"] == pytest.approx(expected)


def test_smoothed_counts_of_equal_weights_are_laplace_s_rule():
    found = fitted(four(1, smoothing=1.0), part(rows_of([0, 0, 1]))).tensors["frequencies"]
    assert found == pytest.approx(np.array([[3, 2, 1, 1]]) / 7)


def test_scores_are_log_frequencies_and_what_is_lost_is_far_off():
    family, batch = four(), rows_of([0, 3], [1, 1])
    truth = family.judge("reference", batch, None, STREAM)
    assert judged(family, "reference", truth, batch) == pytest.approx(np.log([[12, 3], [6, 6]]) - np.log(25))
    first = Payload(tensors={"frequencies": np.array([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0]])})
    found = judged(family, "first", first, batch)
    assert found == pytest.approx(np.array([[0, math.log(np.finfo(float).tiny)], [math.log(0.5)] * 2]))


def test_a_detector_has_the_odds_of_counts_and_half_a_row():
    """(2.5/3)/(0.5/2) for category 0, (0.5/3)/(2.5/2) for 1, and even ones but for the sizes where both have none."""
    family = four(1, rows=3)
    real, fake = rows_of([0, 0, 2]), rows_of([1, 1])
    judge = family.judge("detector", real, fake, STREAM)
    odds = np.array([5 * 2 / 3, 0.2 * 2 / 3, 3 * 2 / 3, 2 / 3])
    found = judged(family, "detector", judge, rows_of([0, 1, 2, 3]))
    assert found == pytest.approx(odds / (1 + odds))


def test_rows_of_a_batch_are_its_counts_in_some_order():
    family = four(3, rows=9)
    made = family.real(0, 9)
    taken = family.take(made, np.arange(9))
    assert np.array_equal(taken.tensors["counts"], made.tensors["counts"])
    assert taken.tensors["rows"].shape == (3, 9)
    assert (np.diff(taken.tensors["rows"], axis=1) < 0).any(), "not sorted"
    chosen = family.take(made, np.array([[0, 0], [8, 1], [4, 5]]))
    expected = np.take_along_axis(taken.tensors["rows"], np.array([[0, 0], [8, 1], [4, 5]]), axis=1)
    assert chosen.tensors["rows"].tolist() == expected.tolist()
    assert chosen.tensors["counts"].sum(axis=1).tolist() == [2, 2, 2]
    again = family.take(chosen, np.array([1]))
    assert again.tensors["rows"].tolist() == expected[:, 1:].tolist()


def test_replicates_in_blocks_are_fitted_and_judged_like_all_at_once(monkeypatch):
    family = four(5, rows=6)
    whole = family.real(0, 6)
    monkeypatch.setattr(random_matrices, "BLOCK", 2 * (6 + 4))
    rows = family.take(whole, np.arange(6)).tensors["rows"]
    index = np.random.default_rng(0).integers(0, 6, (5, 3))
    drawn = np.take_along_axis(rows, index, axis=1)
    expected = np.array([np.bincount(row, minlength=4) / 3 for row in drawn])
    assert fitted(family, part(whole, index=index)).tensors["frequencies"] == pytest.approx(expected)
    judge = family.judge("reference", whole, None, STREAM)
    assert judged(family, "reference", judge, whole) == pytest.approx(np.log(TRUTH)[rows])


@pytest.mark.parametrize("bias", [0.5, 3.0])
def test_a_bias_is_a_temperature_of_the_model(bias):
    model = Payload(tensors={"frequencies": np.array([[0.7, 0.2, 0.1, 0.0]])})
    counts = four(1).sample(model, 50_000, STREAM, bias).tensors["counts"][0]
    expected = np.array([0.7, 0.2, 0.1]) ** (1 / bias)
    assert counts[3] == 0
    assert stats.chisquare(counts[:3], 50_000 * expected / expected.sum()).pvalue > 1e-4


def test_a_correction_draws_the_share_again_that_it_states():
    """Rows are as many as before; γ = 3 leaves a quarter of the model's one category, the rest is the truth's."""
    family = four(1, rows=40_000)
    batch = rows_of(np.full(40_000, 3))
    moved = family.correct(family.judge("corrector", batch, None, STREAM), batch, batch, 3.0, STREAM)
    counts = moved.tensors["counts"][0]
    assert counts.sum() == moved.rows == 40_000
    again = moved.meta["moved"] * 40_000
    assert again == pytest.approx(30_000, abs=4 * math.sqrt(40_000 * 3 / 16))
    assert stats.chisquare(counts[:3], again * TRUTH[:3] * counts[:3].sum() / (again * TRUTH[:3].sum())).pvalue > 1e-4
    assert counts[:3].sum() / again == pytest.approx(22 / 25, abs=4 * 0.35 / math.sqrt(30_000))


def test_disagreement_is_the_squared_distance_of_frequencies():
    models = [Payload(tensors={"frequencies": np.eye(4)[[k, 0]]}) for k in (0, 1)]
    assert four().disagree(models, STREAM)["disagreement"].tolist() == [2.0, 0.0]


def test_frequencies_that_are_no_numbers_diverge():
    broken = Payload({"rows": 1}, {"counts": np.array([[np.nan, 1, 0, 0]])})
    with pytest.raises(Diverged, match=r"^a fitted frequency is not finite$"):
        fitted(four(1), part(broken))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"categories": 1}, "categories"),
        ({"categories": 1_000_001}, "categories"),
        ({"exponent": -0.1}, "exponent"),
        ({"exponent": 20.1}, "exponent"),
        ({"smoothing": -1}, "smoothing"),
    ],
)
def test_settings_out_of_range_are_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        Cell.model_validate({"family": {"kind": "discrete"} | fields, "policy": {"kind": "replace"}})


def test_a_cost_is_one_of_counts():
    config = DiscreteConfig(categories=30)
    assert config.size_label() == "30 categories"
    assert config.cost(10).parameters == 30
    assert 10 * config.cost(10).row_bytes == 1000 * config.cost(1000).row_bytes == 8 * 30
