"""`mixture`: scikit-learn's maximum from the same start, weights as copies, and the collapse that was published."""

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.mixture import GaussianMixture

from trainables import Cell, run
from trainables.families.closed_form.mixture import em
from trainables.recursion import Recursion
from trainables.store import MemoryStore


def rows(replicates=3, count=150, dim=2, seed=0):
    rng = np.random.default_rng(seed)
    shift = (rng.random((replicates, count)) < 0.6)[..., None] * np.array([3.0] + [1.0] * (dim - 1))
    return rng.standard_normal((replicates, count, dim)) + shift


@pytest.mark.parametrize("dim", [1, 3])
def test_fits_are_those_of_scikit_learn(dim):
    x = rows(dim=dim)
    shares, means, covariances, _ = em.fit(x, np.ones((1, 150)), 1e-13, 20_000)
    for r, one in enumerate(x):
        start = em.fit(one[None], np.ones((1, 150)), 1e-13, 1)
        precisions = np.linalg.inv(start[2][0])
        peer = GaussianMixture(
            2, tol=1e-13, max_iter=20_000, weights_init=start[0][0], means_init=start[1][0], precisions_init=precisions
        ).fit(one)
        assert shares[r] == pytest.approx(peer.weights_, abs=1e-5)
        assert means[r] == pytest.approx(peer.means_, abs=1e-5)
        assert covariances[r] == pytest.approx(peer.covariances_, abs=1e-5)


def test_weights_are_numbers_of_copies():
    x, counts = rows(1), np.random.default_rng(1).integers(0, 3, (1, 150))
    weighted = em.fit(x, counts, 1e-12, 5000)
    copied = em.fit(np.repeat(x, counts[0], axis=1), np.ones((1, counts.sum())), 1e-12, 5000)
    for one, other in zip(weighted[:3], copied[:3], strict=True):
        assert np.allclose(one, other, atol=1e-8)


def cell(policy, **changes):
    fields = {"family": {"kind": "mixture"}, "rows": 100, "generations": 15, "replicates": 60}
    return Cell.model_validate(fields | {"policy": {"kind": policy}} | changes)


def test_samples_are_of_the_mixture():
    recursion = Recursion(cell("replace", replicates=200), MemoryStore())
    x = recursion.batch(recursion.steps.batch(0)).tensors["rows"].reshape(-1, 2)
    assert abs(x.mean(axis=0)[0]) < 4 * np.sqrt(5 / len(x))
    assert x.var(axis=0) == pytest.approx([5, 1], rel=0.05)
    low = x[x[:, 0] < 0, 0]
    assert low.mean() == pytest.approx(-2, abs=0.06)


def test_replacing_collapses_and_accumulating_does_not():
    """Variance within components is lost and the loss grows, as in the figure of Shumailov et al."""
    replace, accumulate = (list(run(cell(policy))) for policy in ("replace", "accumulate"))
    assert replace[-1].test_loss > 5 * replace[0].test_loss
    assert replace[-1].metrics["component_variance"] < 0.95
    assert accumulate[-1].test_loss < 3 * accumulate[0].test_loss
    assert accumulate[-1].metrics["component_variance"] > 0.96
    assert replace[0].metrics["out_of_steps"] == 0


def test_few_rows_are_refused():
    with pytest.raises(ValidationError, match="rows: two Gaussians of dimension 2 need at least 12 rows, not 11"):
        cell("replace", rows=11)
