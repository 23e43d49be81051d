"""What a record declares as worse is where the figure goes as a model gets worse."""

import numpy as np
import pytest

from tests.support.closed_forms import STREAM, at_work, fitted, part
from trainables.families import FAMILIES
from trainables.store import Payload


def payload(**tensors):
    return Payload(tensors={name: np.asarray(value, dtype=float) for name, value in tensors.items()})


def gaussian():
    family = at_work("gaussian", rows=20, dim=2)
    return (
        family,
        payload(mean=np.zeros((2, 2)), root=[np.eye(2)] * 2),
        payload(mean=np.ones((2, 2)), root=[0.1 * np.eye(2)] * 2),
    )


def discrete():
    family = at_work("discrete", rows=20, categories=4)
    one = np.eye(4)[[3, 3]]
    return family, payload(frequencies=[family.config.probabilities] * 2), payload(frequencies=one)


def bernoulli():
    return at_work("bernoulli"), payload(mean=[0.3, 0.3]), payload(mean=[0.0, 1.0])


def poisson():
    return at_work("poisson"), payload(mean=[1.0, 1.0]), payload(mean=[0.0, 0.0])


def linear():
    family = at_work("linear", rows=20, dim=3)
    return family, payload(coefficients=family.target), payload(coefficients=family.target + 1)


def random_features():
    family = at_work("random_features", rows=20)
    return family, payload(coefficients=family.target), payload(coefficients=family.target + 1)


def kde():
    family = at_work("kde", rows=200, bandwidth=0.2)
    narrow = family.real(0, 200)
    pulled = Payload(narrow.meta, {"x": narrow.tensors["x"] * np.float32(0.1) + np.float32(0.15)})
    return family, fitted(family, part(narrow)), fitted(family, part(pulled))


def mixture():
    family = at_work("mixture", rows=20, limit=9)
    truth = {name: np.repeat(value, 2, axis=0) for name, value in family._truth.items()}
    narrow = {"shares": [[0.9, 0.1]] * 2, "covariances": 0.1 * truth["covariances"], "passes": [9, 9]}
    return family, payload(**truth, passes=[1, 1]), payload(**truth | narrow)


def glm():
    family = at_work("glm", rows=40, source={"kind": "simulated", "dim": 2, "signal": 2.0})
    target = family._ground.target
    ends = {"steps": [3, 3]}
    return (
        family,
        payload(coefficients=target, ended=[0, 0], **ends),
        payload(coefficients=-3 * target, ended=[1, 2], **ends),
    )


CLOSED = (gaussian, discrete, bernoulli, poisson, linear, random_features, kde, mixture, glm)


def test_every_closed_form_is_among_them():
    assert {make.__name__ for make in CLOSED} == set(FAMILIES) - {"language", "vae", "diffusion"}


@pytest.mark.parametrize("make", CLOSED, ids=lambda make: make.__name__)
def test_figures_move_as_declared_where_a_model_is_worse(make):
    family, good, bad = make()
    one, other = (family.evaluate(model, STREAM) for model in (good, bad))
    before, after = ({"test_loss": found.test_loss} | found.metrics for found in (one, other))
    declared = {metric.name: metric.worse for metric in family.config.recorded() if metric.worse}
    if make is discrete:
        declared.pop("forgotten")  # of a record's replicates, not of a model
        record = family.config.derived
        assert record(one.replicates)["forgotten"] == 0.0
        assert record(other.replicates)["forgotten"] == 1.0
    assert declared
    for name, worse in declared.items():
        assert np.sign(after[name] - before[name]) == worse, name
