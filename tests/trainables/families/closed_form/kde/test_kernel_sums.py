"""Kernel sums, their pieces and distances of samples, against double loops and scipy."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from tests.support.closed_forms import STREAM, at_work, fitted, judged, part
from trainables.families import Diverged
from trainables.families.closed_form import kernel_sums
from trainables.families.closed_form.kde.config import KdeConfig
from trainables.families.closed_form.kde.pieces import batch_of, load, log_mixture, sums_of
from trainables.families.closed_form.kernel_sums import log_sums, sliced_wasserstein
from trainables.families.closed_form.mixtures import POINTS, dimension, modes, nearest, points
from trainables.store import Payload

RNG = np.random.default_rng(0)


def direct(queries, centres, width):
    """log Σ N(q; c, h²I) of one replicate, by the squared distances themselves."""
    squares = ((queries[:, None] - centres) ** 2).sum(axis=2)
    return logsumexp(-squares / (2 * width**2), axis=1) - queries.shape[1] * math.log(width * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize(("width", "digits"), [(0.3, 1e-5), (0.019, 1e-9), (5.0, 1e-5)])
def test_sums_are_those_of_all_pairs(dim, width, digits):
    """In single precision, and below 0.02 in double; queries of one replicate serve all."""
    queries, centres = RNG.standard_normal((1, 5, dim)), RNG.standard_normal((3, 7, dim))
    found = log_sums(queries, centres, np.array([width]))
    expected = np.array([direct(queries[0], own, width) for own in centres])
    assert found == pytest.approx(expected, rel=digits, abs=digits)
    own = log_sums(np.repeat(queries, 3, axis=0), centres, np.array([width, width * 2, width]))
    assert own[1] == pytest.approx(direct(queries[0], centres[1], 2 * width), rel=digits, abs=digits)


def test_pairs_in_parts_are_all_pairs(monkeypatch):
    queries, centres, widths = RNG.standard_normal((5, 4, 2)), RNG.standard_normal((5, 3, 2)), RNG.random(5) + 0.1
    whole = log_sums(queries, centres, widths)
    monkeypatch.setattr(kernel_sums, "PAIRS", 2 * 12)
    assert log_sums(queries, centres, widths) == pytest.approx(whole, rel=1e-12)
    assert log_sums(queries[:1], centres, widths)[3] == pytest.approx(
        direct(queries[0], centres[3], widths[3]), rel=1e-5
    )


def test_distances_are_wasserstein_s_along_each_direction():
    """W₂² in one dimension is the mean squared gap of quantiles, here over 3 directions; equal samples are 0 apart."""
    one, other = RNG.standard_normal((2, 6, 2)), RNG.standard_normal((1, 6, 2))
    directions = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]])
    found = sliced_wasserstein(one, other, directions)
    for r in range(2):
        squares = [((np.sort(one[r] @ d) - np.sort(other[0] @ d)) ** 2).mean() for d in directions]
        assert found[r] == pytest.approx(math.sqrt(np.mean(squares)))
    assert sliced_wasserstein(one, one[:, ::-1], directions) == pytest.approx([0, 0], abs=1e-12)


def test_power_sums_add_up():
    x = RNG.standard_normal((2, 5, 3)).astype(np.float32)
    both, whole = sums_of(x[:, :2], 0.5) + sums_of(x[:, 2:], 2.0), np.array([0.5] * 2 + [2.0] * 3)
    assert (both.weight, both.squares) == (7.0, 12.5)
    assert both.first == pytest.approx(np.einsum("n,rnd->rd", whole, x.astype(float)))
    assert both.second == pytest.approx(np.einsum("n,rnd,rne->rde", whole, x.astype(float), x.astype(float)))


def test_a_mixture_is_weighted_by_rows_and_weights():
    """Pieces of 2 rows of weight 3 and of 4 of weight ½: loads 6 and 2 of 8."""
    pieces = [{"name": "a", "rows": 2, "weight": 3.0}, {"name": "b", "rows": 4, "weight": 0.5}]
    a, b, queries = RNG.standard_normal((1, 2, 2)), RNG.standard_normal((1, 4, 2)), RNG.standard_normal((6, 2))
    model = Payload({"pieces": pieces}, {"rows_a": a, "rows_b": b})
    assert load(model) == 8.0
    expected = np.logaddexp(direct(queries, a[0], 0.4) + math.log(3), direct(queries, b[0], 0.4) + math.log(0.5))
    for given in (queries, queries[None]):
        assert log_mixture(model, given, np.array([0.4]))[0] == pytest.approx(expected - math.log(8), rel=1e-5)


def kde(rows=6, replicates=2, **config):
    return at_work("kde", rows, replicates, **{"held_out": 30, "directions": 4} | config)


def a_batch(rows, seed=0):
    return batch_of(np.random.default_rng(seed).standard_normal((2, rows, 2)))


@pytest.mark.parametrize("bandwidth", [0.25, "scott", "silverman"])
def test_figures_are_those_of_the_density(bandwidth):
    """Mean and covariance of the mixture, whose kernel adds h²; of the true shape, whose blur does."""
    family = kde(bandwidth=bandwidth, data="circles", blur=0.2)
    one, two = a_batch(4, 1), a_batch(3, 2)
    model = fitted(family, part(one), part(two, weight=2.0))
    found = family.evaluate(model, STREAM).replicates
    for r in range(2):
        rows = np.concatenate([one.tensors["x"][r], two.tensors["x"][r]]).astype(float)
        weights = np.array([1.0] * 4 + [2.0] * 3)
        cov = np.cov(rows.T, aweights=weights, bias=True)
        width = bandwidth
        if isinstance(bandwidth, str):
            peer = stats.gaussian_kde(rows.T, bandwidth, weights)
            width = math.sqrt(np.trace(cov) / 2) * peer.factor
        mean, whole = np.average(rows, axis=0, weights=weights), cov + width**2 * np.eye(2)
        assert found["bandwidth"][r] == pytest.approx(width)
        assert found["mean_sq_error"][r] == pytest.approx((mean**2).sum(), abs=1e-6)
        assert found["trace_ratio"][r] == pytest.approx(np.trace(whole) / 2, rel=1e-6)
        shape = points("circles", 0.2)
        truth = shape.T @ shape / POINTS + 0.04 * np.eye(2)
        assert found["det_ratio"][r] == pytest.approx(np.linalg.det(whole) / np.linalg.det(truth), rel=1e-6)
        held = family.held_out().tensors["x"][0].astype(float)
        dense = logsumexp([direct(held, row[None], width) for row in rows], axis=0, b=weights[:, None]) - math.log(10)
        assert found["test_loss"][r] == pytest.approx(-dense.mean(), rel=1e-5)
        own = direct(held, shape, 0.2).mean() - math.log(POINTS)
        assert found["excess_nll"][r] == pytest.approx(own - dense.mean(), rel=1e-4)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_validation_rows_are_others_of_the_same_law():
    family = kde(held_out=2000, bandwidth=0.3)
    model = fitted(family, part(family.real(0, 200)))
    tested, validated = family.evaluate(model, STREAM).test_loss, family.validate(model)
    assert tested != validated
    assert tested == pytest.approx(validated, abs=0.1)
    broken = Payload(model.meta, model.tensors | {"bandwidth": np.full(2, np.nan)})
    with pytest.raises(Diverged, match=r"^the loss on validation rows is not finite$"):
        family.validate(broken)


@pytest.mark.parametrize("bandwidth", [0.3, "scott"])
def test_drawn_rows_count_as_often_as_they_are_drawn(bandwidth):
    """And what is known of whole batches is not taken for what is drawn of them, nor the other way."""
    family, batch = kde(bandwidth=bandwidth), a_batch(4)
    whole = fitted(family, part(batch))
    losses = [family.evaluate(whole, STREAM).replicates["test_loss"]]
    twice = fitted(family, part(batch, index=np.arange(4)))
    losses.append(family.evaluate(twice, STREAM).replicates["test_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    mixed = fitted(family, part(batch), part(batch, index=[0, 0, 3], weight=0.5))
    rows = batch.tensors["x"][:, [0, 1, 2, 3, 0, 0, 3]]
    weights = np.array([1, 1, 1, 1, 0.5, 0.5, 0.5])
    expected = np.average(rows.astype(float), axis=1, weights=weights)
    assert mixed.tensors["mean"] == pytest.approx(expected)
    held = family.held_out().tensors["x"][0].astype(float)
    for r in range(2):
        width = mixed.tensors["bandwidth"][r]
        peers = [direct(held, rows[r, [k]].astype(float), width) + math.log(weights[k] / 5.5) for k in range(7)]
        found = family.evaluate(mixed, STREAM).replicates["test_loss"][r]
        assert found == pytest.approx(-np.logaddexp.reduce(peers).mean(), rel=1e-5)


def test_a_detector_compares_estimates_of_one_bandwidth():
    """Scott's of the real rows, for both; a density is a sum over its rows divided by how many there are."""
    family = kde()
    real, fake, asked = a_batch(8, 1), a_batch(5, 2), a_batch(3, 3)
    judge = family.judge("detector", real, fake, STREAM)
    for r in range(2):
        rows = real.tensors["x"][r].astype(float)
        width = math.sqrt(np.trace(np.cov(rows.T, bias=True)) / 2) * 8 ** (-1 / 6)
        assert judge.tensors["bandwidth"][r] == pytest.approx(width)
        queries = asked.tensors["x"][r].astype(float)
        odds = (
            direct(queries, rows, width) - direct(queries, fake.tensors["x"][r].astype(float), width) - math.log(8 / 5)
        )
        assert judged(family, "detector", judge, asked)[r] == pytest.approx(1 / (1 + np.exp(-odds)), rel=1e-4)


def test_rows_go_to_the_nearest_point():
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]])
    x = np.array([[[0.9, 0.0], [1.1, 0.0]], [[0.0, 2.4], [9.0, 9.0]]])
    assert nearest(x, centres).tolist() == [[[0, 0], [2, 0]], [[0, 0], [0, 5]]]


def test_disagreement_is_a_mean_squared_gap_of_log_densities():
    family = kde(bandwidth=0.3)
    models = [fitted(family, part(a_batch(4, seed))) for seed in (1, 2)]
    dense = [log_mixture(m, family.held_out().tensors["x"][:1], np.array([0.3])) for m in models]
    found = family.disagree(models, STREAM)["disagreement"]
    assert found == pytest.approx(((dense[0] - dense[1]) ** 2).mean(axis=1), rel=1e-4)


@pytest.mark.parametrize("shape", ["moons", "circles", "blobs", "swiss_roll"])
def test_modes_lie_apart_in_the_shapes_that_have_some(shape):
    """Two rows of one moon are nearer than the moons' ends are to one another; no point is in two modes."""
    centres = points(shape, 0.1)
    assert dimension(shape) == centres.shape[1]
    found = modes(shape, centres)
    if shape == "swiss_roll":
        assert found is None
        return
    assert sum(map(len, found)) == POINTS
    assert {len(mode) for mode in found} == ({409, 410} if shape == "blobs" else {POINTS // 2})
    gaps = [np.diff(np.sort(mode[:, 0])).max() for mode in found]
    assert max(gaps) < 0.5


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")
def test_what_has_no_density_diverges():
    family = kde(bandwidth="scott")
    alike = batch_of(np.ones((2, 4, 2)))
    message = r"^the bandwidth is not a positive number: the corpus has no spread$"
    with pytest.raises(Diverged, match=message):
        fitted(family, part(alike))
    with pytest.raises(Diverged, match=message):
        fitted(family, part(batch_of(np.full((2, 4, 2), np.nan))))
    model = fitted(kde(), part(a_batch(4)))
    for name in ("mean", "cov", "bandwidth"):
        broken = Payload(model.meta, model.tensors | {name: model.tensors[name] * np.inf})
        with pytest.raises(Diverged, match=r"^the fitted mean, covariance or bandwidth is not finite$"):
            kde().evaluate(broken, STREAM)
    far = Payload(model.meta, model.tensors | {"bandwidth": np.array([1e39, 1.0])})
    with pytest.raises(Diverged, match=r"^a sampled row is not finite$"):
        kde().sample(far, 50, STREAM)


def test_a_rule_needs_two_rows_and_a_length_one():
    KdeConfig().check(1, 5)
    KdeConfig(bandwidth="scott").check(2, 5)
    with pytest.raises(ValueError, match=r"^rows: the scott bandwidth needs at least 2, not 1$"):
        KdeConfig(bandwidth="scott").check(1, 5)
    with pytest.raises(ValueError, match=r"^bandwidth: must be more than 0, not 0.0$"):
        KdeConfig(bandwidth=0.0).check(5, 5)


def test_a_model_is_as_large_as_its_corpus():
    config = KdeConfig(data="swiss_roll")
    assert (config.dim, config.cost(10).parameters, config.size_label()) == (3, 30, "swiss_roll")


def test_pieces_of_whole_batches_are_named_by_key():
    family, batch = kde(), a_batch(4)
    drawn = part(batch, index=[1, 1])
    model = fitted(family, part(batch), drawn)
    assert [piece["name"] for piece in model.meta["pieces"]] == [drawn.batches[0].key, "drawn0"]
    assert model.tensors["rows_drawn0"].shape == (2, 2, 2)


@pytest.mark.parametrize("index", [None, [[0, 1, 3, 3], [2, 2, 2, 0]]])
def test_each_row_is_sampled_by_its_weight_and_from_its_own_replicate(index):
    """4 rows of weight 1 (or those drawn) beside 3 of weight 2: shares of tenths, seen through next to no noise."""
    family, one, two = kde(bandwidth=1e-4), a_batch(4, 1), a_batch(3, 2)
    model = fitted(family, part(one, index=index), part(two, weight=2.0))
    x = family.sample(model, 5000, STREAM).tensors["x"]
    chosen = np.arange(4)[None].repeat(2, axis=0) if index is None else np.array(index)
    for r in range(2):
        rows = np.concatenate([one.tensors["x"][r], two.tensors["x"][r]])
        expected = np.concatenate([np.bincount(chosen[r], minlength=4), [2, 2, 2]]) / 10
        distance = ((x[r][:, None] - rows) ** 2).sum(axis=2)
        assert distance.min(axis=1).max() < 1e-5
        seen = np.bincount(distance.argmin(axis=1), minlength=7) / 5000
        assert np.abs(seen - expected).max() < 4.5 * 0.5 / math.sqrt(5000)
        assert (seen[expected == 0] == 0).all()


@pytest.mark.parametrize(("rule", "factor"), [("scott", 20 ** (-1 / 7)), ("silverman", (20 * 5 / 4) ** (-1 / 7))])
def test_rules_of_bandwidths_differ_in_three_dimensions(rule, factor):
    """n^(−1/(d + 4)) and (n(d + 2)/4)^(−1/(d + 4)), which in two dimensions are one number."""
    family = kde(data="swiss_roll", bandwidth=rule)
    x = np.random.default_rng(0).standard_normal((2, 20, 3))
    model = fitted(family, part(batch_of(x)))
    for r in range(2):
        spread = math.sqrt(np.trace(np.cov(x[r].T, bias=True)) / 3)
        assert model.tensors["bandwidth"][r] == pytest.approx(factor * spread, rel=1e-6)


def test_a_reference_is_the_true_density():
    family, asked = kde(blur=0.3), a_batch(5)
    judge = family.judge("reference", asked, None, STREAM)
    shape = points("moons", 0.3)
    for r, found in enumerate(judged(family, "reference", judge, asked)):
        expected = direct(asked.tensors["x"][r].astype(float), shape, 0.3) - math.log(POINTS)
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
