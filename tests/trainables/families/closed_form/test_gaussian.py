"""`gaussian`: exact by statistics and by rows, sound where a covariance collapses."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from trainables import Cell, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import Diverged
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore


def cell(**changes):
    fields = {
        "family": {"kind": "gaussian", "dim": 3},
        "policy": {"kind": "accumulate"},
        "rows": 10,
        "generations": 5,
        "replicates": 60,
    }
    family = fields["family"] | changes.pop("family", {})
    return Cell.model_validate(fields | changes | {"family": family})


def part(batches, index=None, weight=1.0):
    keys = [make_key("batch", sums=[float(x.sum()) for x in b.tensors.values()]) for b in batches]
    handles = [Batch(n, key, b.rows, lambda b=b: b) for n, (key, b) in enumerate(zip(keys, batches, strict=True))]
    return RealisedDraw(tuple(handles), index, weight)


def pool(asked):
    """The family, and batches 0 to 2 of a recursion."""
    recursion = Recursion(asked, MemoryStore())
    return recursion.family, [recursion.batch(recursion.steps.batch(n)) for n in range(3)]


def fit(family, *parts):
    """Mean and covariance."""
    tensors = family.fit(Corpus(parts), Stream("0" * 32)).tensors
    return tensors["mean"], tensors["root"] @ tensors["root"].swapaxes(1, 2)


def rows_of(family, batch):
    """All rows of a batch, [replicates, rows, dim]."""
    taken = family.take(batch, np.arange(batch.rows)).tensors
    return taken["mean"][:, None] + taken["deviations"]


def assert_same(one, other):
    for left, right in zip(one, other, strict=True):
        assert np.allclose(left, right, atol=1e-12)


@pytest.mark.parametrize("dim", [1, 3, 8])
@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_statistics_rows_and_numpy_agree(dim, estimator):
    """Whole batches, every row drawn once, and numpy on the rows themselves give the same fit."""
    family, batches = pool(cell(family={"dim": dim, "estimator": estimator}))
    x = np.concatenate([rows_of(family, batch) for batch in batches], axis=1)
    whole = fit(family, part(batches))
    assert_same(whole, fit(family, part(batches, np.arange(x.shape[1]))))
    covariances = [np.atleast_2d(np.cov(rows.T, bias=estimator == "biased")) for rows in x]
    assert_same(whole, (x.mean(axis=1), np.array(covariances)))


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_weighted_moments_are_numpys(estimator):
    family, batches = pool(cell(family={"estimator": estimator}))
    x = np.concatenate([rows_of(family, batch) for batch in batches[:2]], axis=1)
    weights = np.repeat([1.0, 0.3], 10)
    expected = [np.cov(rows.T, aweights=weights, bias=estimator == "biased") for rows in x]
    mean = np.average(x, axis=1, weights=weights)
    by_statistics = fit(family, part(batches[:1]), part(batches[1:2], None, 0.3))
    assert_same(by_statistics, (mean, np.array(expected)))
    by_rows = fit(family, part(batches[:1], np.arange(10)), part(batches[1:2], np.arange(10), 0.3))
    assert_same(by_statistics, by_rows)


def test_repeated_rows_count_repeatedly():
    family, batches = pool(cell())
    index = np.random.default_rng(0).integers(0, 20, (60, 15))
    x = np.concatenate([rows_of(family, batch) for batch in batches[:2]], axis=1)
    drawn = np.take_along_axis(x, index[..., None], axis=1)
    expected = drawn.mean(axis=1), np.array([np.cov(rows.T, bias=True) for rows in drawn])
    assert_same(fit(family, part(batches[:2], index)), expected)


@pytest.mark.parametrize("rows", [2, 3, 4, 50])
def test_rows_are_independent_draws_of_the_model(rows):
    """Given only statistics, single rows have the model's law and are uncorrelated, down to two rows."""
    asked = cell(rows=50, replicates=4000)
    recursion = Recursion(asked, MemoryStore())
    model = recursion.model(1)
    batch = recursion.family.sample(model, rows, Stream("1" * 32))
    white = np.linalg.solve(
        model.tensors["root"], (rows_of(recursion.family, batch) - model.tensors["mean"][:, None]).swapaxes(1, 2)
    )
    assert stats.kstest(white[:, 0, 0], "norm").pvalue > 1e-4
    assert stats.kstest(white[:, 2, -1], "norm").pvalue > 1e-4
    assert stats.kstest((white[:, :, 0] ** 2).sum(axis=1), stats.chi2(3).cdf).pvalue > 1e-4
    assert abs((white[:, :, 0] * white[:, :, 1]).mean()) < 4 / np.sqrt(12_000)
    assert abs((white[:, 0] * white[:, 1]).mean()) < 4 / np.sqrt(4000 * rows)


def test_a_subsample_has_the_law_of_fewer_rows():
    """The first k rows of a batch: mean and covariance as k independent rows have them."""
    asked = cell(family={"dim": 1}, rows=30, replicates=4000)
    family, batches = pool(asked)
    mean, cov = fit(family, part(batches[:1], np.arange(5)))
    assert stats.kstest(mean[:, 0] * np.sqrt(5), "norm").pvalue > 1e-4
    assert stats.kstest(cov[:, 0, 0] * 5, stats.chi2(4).cdf).pvalue > 1e-4


def test_losses_are_those_of_held_out_rows():
    """`nll` is the mean negative log-density of new real rows, and `test_loss` what the truth's own leaves of it."""
    asked = cell(replicates=1, rows=20)
    record = Recursion(asked, MemoryStore()).record(2)
    model = Recursion(asked, MemoryStore()).model(2)
    mean, root = model.tensors["mean"][0], model.tensors["root"][0]
    x = np.random.default_rng(0).standard_normal((200_000, 3))
    found = -stats.multivariate_normal(mean, root @ root.T).logpdf(x)
    own = -stats.multivariate_normal(np.zeros(3)).logpdf(x)
    assert record.metrics["nll"] == pytest.approx(found.mean(), abs=4 * found.std() / np.sqrt(len(x)))
    assert record.test_loss == pytest.approx((found - own).mean(), abs=4 * (found - own).std() / np.sqrt(len(x)))
    assert "test_loss_se" not in record.metrics


def test_a_collapsing_covariance_stays_exact():
    """Ten rows, 100 generations: variance falls by orders of magnitude and keeps its relative precision."""
    asked = cell(family={"dim": 1}, policy={"kind": "replace"}, generations=100, replicates=1000)
    last = list(run(asked))[-1]
    expected, spread = last.metrics["theory_log_det_ratio"], last.metrics["log_det_ratio_se"]
    assert expected < -20
    assert last.metrics["log_det_ratio"] == pytest.approx(expected, abs=4 * spread)
    assert last.metrics["mean_sq_error"] == pytest.approx(1 - 0.9**100, abs=4 * last.metrics["mean_sq_error_se"])


def test_directions_collapse_apart():
    """Seven rows in five dimensions: the covariance's condition outgrows double precision, its factor does not."""
    asked = cell(family={"dim": 5}, policy={"kind": "replace"}, rows=7, generations=60, replicates=200)
    last = list(run(asked))[-1]
    expected, spread = last.metrics["theory_log_det_ratio"], last.metrics["log_det_ratio_se"]
    assert expected < -250
    assert last.metrics["log_det_ratio"] == pytest.approx(expected, abs=4 * spread)


def test_a_singular_covariance_diverges():
    family, batches = pool(cell())
    model = family.fit(Corpus((part(batches[:1], np.array([0, 0, 0, 0])),)), Stream("0" * 32))
    with pytest.raises(Diverged):
        family.evaluate(model, Stream("0" * 32))


def test_bias_scales_the_covariance():
    asked = cell(replicates=2000)
    recursion = Recursion(asked, MemoryStore())
    model = recursion.model(1)
    batch = recursion.family.sample(model, 40, Stream("1" * 32), 0.25)
    _, cov = fit(recursion.family, part([batch]))
    root = model.tensors["root"]
    ratio = np.trace(cov, axis1=1, axis2=2) / (root**2).sum(axis=(1, 2))
    assert ratio.mean() == pytest.approx(0.25 * 39 / 40, rel=0.02)


def test_a_detector_knows_real_rows():
    """Fitted on real rows against shifted ones, it tells new ones apart."""
    asked = cell(rows=50)
    recursion = Recursion(asked, MemoryStore())
    family, real = recursion.family, recursion.batch(recursion.steps.batch(0))
    model = recursion.model(1)
    moved = type(model)(model.meta, {**model.tensors, "mean": model.tensors["mean"] + 2})
    fake = family.sample(moved, 50, Stream("1" * 32))
    judge = family.judge("detector", real, fake, Stream("2" * 32))
    scores = [family.score("detector", judge, batch, Stream("3" * 32)).mean() for batch in (family.real(50, 50), fake)]
    assert scores[0] > 0.8 > 0.2 > scores[1]


def test_too_few_rows_are_refused():
    with pytest.raises(ValidationError, match=r"rows: gaussian in dimension 3 needs at least 4 \(dim \+ 1\), not 3"):
        cell(rows=3)


@pytest.mark.parametrize("rows", [10, 32, 100])
def test_it_is_the_standard_process(rows):
    """Maximum likelihood on N samples, again and again, as a plain loop runs it: the same law of the last variance."""
    asked = cell(family={"dim": 1}, policy={"kind": "accumulate"}, rows=rows, generations=12, replicates=2000)
    store = MemoryStore()
    recursion = Recursion(asked, store)
    list(run(asked, store))
    ours = store.get("record", recursion.steps.step(12).record).tensors
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2000, rows))
    for _ in range(11):
        mean, deviation = x.mean(axis=1), x.std(axis=1)
        x = np.concatenate([x, mean[:, None] + deviation[:, None] * rng.standard_normal((2000, rows))], axis=1)
    assert stats.ks_2samp(ours["trace_ratio"], x.var(axis=1)).pvalue > 1e-3
    assert stats.ks_2samp(ours["mean_sq_error"], x.mean(axis=1) ** 2).pvalue > 1e-3
