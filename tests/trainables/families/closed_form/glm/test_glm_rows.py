"""Rows of regressions beyond their inputs, rows of tables, and the lines by which fits and labels end."""

import math

import numpy as np
import pytest
from scipy.special import expit, ndtr

from tests.support.closed_forms import STREAM, at_work, fitted, judged, part
from trainables.families import Diverged
from trainables.families.closed_form.glm.labels import LARGEST
from trainables.store import Payload


def glm(rows=6, replicates=2, **config):
    return at_work("glm", rows, replicates, **{"source": {"kind": "simulated", "dim": 1}} | config)


def model(*coefficients):
    return Payload(tensors={"coefficients": np.array(coefficients, dtype=float)})


@pytest.mark.parametrize("rows", [4, 6, 15])
def test_a_fixed_design_is_labelled_from_its_first_row_again_and_again(rows):
    """Steep models tell labels by their input alone: row i has that of input i mod 6."""
    family = glm()
    x = family._named(["base"]).x[:, 1]
    made = family.sample(model([0, 1e6], [0, -1e6]), rows, STREAM)
    expected = np.stack([x[0] > 0, x[1] < 0])[:, np.arange(rows) % 6]
    assert made.tensors["labels"].tolist() == expected.astype(int).tolist()
    assert made.rows == rows
    flat = model([0.3, 0.5], [0.0, -1.0])
    chance = expit(flat.tensors["coefficients"][:, :1] + flat.tensors["coefficients"][:, 1:] * x)[
        :, np.arange(rows) % 6
    ]
    scores = judged(family, "first", flat, made)
    assert scores == pytest.approx(np.log(np.where(expected, chance, 1 - chance)))


def test_repeated_inputs_are_fitted_as_so_many_rows():
    """Labels of 15 rows on 6 inputs: the score Σ(y − p)x is 0 at the fit, each row counted."""
    family = glm(penalty=0.0)
    x = family._named(["base"]).x
    drawn = np.random.default_rng(0).integers(0, 2, (2, 15))
    drawn[:, :6] = [0, 1, 0, 1, 1, 0]
    drawn[:, 6:12] = 1 - drawn[:, :6]
    made = Payload({"rows": 15, "inputs": ["base"]}, {"labels": drawn})
    found = fitted(family, part(made)).tensors["coefficients"]
    for r in range(2):
        rows = x[r][:, np.arange(15) % 6]
        assert rows @ (drawn[r] - expit(found[r] @ rows)) == pytest.approx([0, 0], abs=1e-9)


def test_a_corrected_label_is_the_truths_or_stays():
    """γ = 1, a truth that says 1 and labels that are 0: the share of ones is the share drawn again, a half."""
    family = glm(rows=4000, source={"kind": "simulated", "dim": 1, "intercept": 40.0})
    zeros = Payload({"rows": 4000, "inputs": ["base"]}, {"labels": np.zeros((2, 4000), dtype=np.int8)})
    corrector = family.judge("corrector", zeros, None, STREAM)
    moved = family.correct(corrector, corrector, zeros, 1.0, STREAM)
    assert moved.meta["moved"] == moved.tensors["labels"].mean()
    assert moved.meta["moved"] == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(8000))


def test_rows_of_a_table_follow_each_replicate_s_order_to_its_end():
    family = at_work("glm", 40, 2, source={"kind": "wine"}, penalty=1.0)
    rows = family.config.available_rows()
    whole = family.real(0, rows).tensors["numbers"]
    assert (np.sort(whole, axis=1) == np.arange(rows)).all()
    later = family.real(30, rows - 30)
    assert np.array_equal(later.tensors["numbers"], whole[:, 30:])
    assert np.array_equal(family._of(later).x[1, :, 0], family._ground._data.train.x[whole[1, 30]])
    assert later.tensors["labels"][1, 0] == family._ground._data.train.labels[whole[1, 30]]
    with pytest.raises(ValueError, match=rf"^rows: the table's training rows end before row {rows + 1}$"):
        family.real(30, rows - 29)


@pytest.mark.parametrize(("link", "mean"), [("logistic", expit), ("probit", ndtr)])
def test_a_table_is_judged_by_the_labels_it_holds_out(link, mean):
    """Cross-entropy, accuracy and calibration by hand; validation rows are neither test nor training rows."""
    family = at_work("glm", 40, 2, source={"kind": "wine"}, penalty=1.0, link=link)
    found = fitted(family, part(family.real(0, 40)))
    record = family.evaluate(found, STREAM)
    split = family._ground._data
    for r in range(2):
        chance = mean(split.test.x @ found.tensors["coefficients"][r])
        lost = -np.log(np.where(split.test.labels > 0, chance, 1 - chance))
        assert record.replicates["test_loss"][r] == pytest.approx(lost.mean())
        assert record.replicates["accuracy"][r] == ((chance > 0.5) == split.test.labels).mean()
    chances = mean(found.tensors["coefficients"] @ split.validation.x.T)
    expected = -np.log(np.where(split.validation.labels > 0, chances, 1 - chances)).mean()
    assert family.validate(found) == pytest.approx(expected)
    assert "fisher_error" not in record.metrics
    parts = [{row.tobytes() for row in part.x} for part in (split.train, split.test, split.validation)]
    assert sum(map(len, parts)) == len(set.union(*parts))


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_labels_and_predictors_that_are_no_numbers_diverge():
    family, line = glm(link="poisson"), r"^a label's mean is beyond what can be drawn$"
    edge = math.log(LARGEST)
    assert family.sample(model([edge - 1e-9, 0], [0, 0]), 3, STREAM).rows == 3
    for constant in (edge + 1e-9, math.inf, math.nan):
        with pytest.raises(Diverged, match=line):
            family.sample(model([constant, 0], [0, 0]), 3, STREAM)
    logistic = glm()
    assert logistic.sample(model([1e6, 0], [0, 0]), 3, STREAM).tensors["labels"][0].tolist() == [1, 1, 1]
    with pytest.raises(Diverged, match=line):
        logistic.sample(model([math.nan, 0], [0, 0]), 3, STREAM)
    with pytest.raises(Diverged, match=r"^a linear predictor is not finite$"):
        logistic.validate(model([math.inf, 0], [0, 0]))


def test_a_fit_on_too_few_inputs_says_what_would_help():
    """One input again and again has no slope; a second replicate's choice does."""
    family = glm()
    made = family.real(0, 6)
    line = (
        r"^maximum likelihood has no single solution in 1 of 2 replicates: the corpus has too few different inputs for "
        r"2 coefficients; use more rows, or a penalty$"
    )
    with pytest.raises(Diverged, match=line):
        fitted(family, part(made, index=[[0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5]]))
