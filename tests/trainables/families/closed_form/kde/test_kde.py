"""`kde`: densities as scikit-learn has them, on shapes whose own density is known."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from trainables import Cell, run
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families.closed_form.kernel_sums import log_sums, sliced_wasserstein
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload

SHAPES = ["moons", "circles", "blobs", "swiss_roll"]


def cell(**changes):
    fields = {
        "family": {"kind": "kde", "held_out": 60, "directions": 4},
        "policy": {"kind": "accumulate"},
        "rows": 25,
        "generations": 4,
        "replicates": 6,
    }
    family = fields["family"] | changes.pop("family", {})
    return Cell.model_validate(fields | changes | {"family": family})


def part(batches, index=None, weight=1.0):
    keys = [make_key("batch", sums=[float(x.sum()) for x in b.tensors.values()]) for b in batches]
    handles = [Batch(n, key, b.rows, lambda b=b: b) for n, (key, b) in enumerate(zip(keys, batches, strict=True))]
    return RealisedDraw(tuple(handles), index, weight)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_have_mean_zero_unit_variance_and_the_stated_density(shape):
    """Rows are centred with unit variance, and the density that scores them integrates to 1."""
    family = Recursion(cell(family={"data": shape, "blur": 0.2}, replicates=1), MemoryStore()).family
    judge = family.judge("reference", family.real(0, 5), None, Stream("1" * 32))
    x = family.real(0, 40_000).tensors["x"][0]
    assert abs(x.mean(axis=0)).max() < 0.03
    assert x.var(axis=0).mean() == pytest.approx(1, abs=0.02)
    uniform = np.random.default_rng(0).uniform(-3.2, 3.2, (1, 20_000, x.shape[1])).astype(np.float32)
    box = Payload({"rows": 20_000}, {"x": uniform})
    density = np.exp(family.score("reference", judge, box, Stream("1" * 32)))
    assert density.mean() * 6.4 ** x.shape[1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("bandwidth", [0.3, "scott", "silverman"])
@pytest.mark.parametrize("index", [None, np.arange(40)])
def test_losses_are_scikit_learns(bandwidth, index):
    """The same corpus, weights and bandwidth in `KernelDensity` and scipy's rules give the same figures."""
    from sklearn.neighbors import KernelDensity

    asked = cell(family={"bandwidth": bandwidth})
    recursion = Recursion(asked, MemoryStore())
    family = recursion.family
    batches = [recursion.batch(recursion.steps.batch(n)) for n in range(3)]
    model = family.fit(Corpus((part(batches[:2], index), part(batches[2:], None, 0.4))), Stream("0" * 32))
    found = family.evaluate(model, Stream("1" * 32))
    held = family.held_out().tensors["x"][0]
    for replicate in range(6):
        first = np.concatenate([b.tensors["x"][replicate] for b in batches[:2]])
        rows = np.concatenate([first if index is None else first[index], batches[2].tensors["x"][replicate]])
        weights = np.r_[np.ones(len(rows) - 25), np.full(25, 0.4)]
        width = model.tensors["bandwidth"][replicate]
        peer = KernelDensity(bandwidth=width).fit(rows, sample_weight=weights)
        assert found.replicates["test_loss"][replicate] == pytest.approx(-peer.score(held) / len(held), abs=1e-4)
        cov = np.cov(rows.T, aweights=weights, bias=True)
        if isinstance(bandwidth, str):
            rule = stats.gaussian_kde(rows.T, bandwidth, weights).factor
            assert width == pytest.approx(rule * np.sqrt(np.trace(cov) / 2), rel=1e-6)
        assert np.allclose(model.tensors["cov"][replicate], cov + width**2 * np.eye(2), atol=1e-6)


def test_samples_are_rows_of_the_corpus_plus_noise():
    """By loads of the pieces, with the kernel's spread, which bias scales."""
    family = Recursion(cell(family={"bandwidth": 0.01}, replicates=1), MemoryStore()).family
    batches = [family.real(0, 25), family.real(25, 25)]
    model = family.fit(Corpus((part(batches[:1]), part(batches[1:], None, 3.0))), Stream("0" * 32))
    for bias in (1.0, 0.25):
        x = family.sample(model, 20_000, Stream("1" * 32), bias).tensors["x"][0]
        rows = np.concatenate([batch.tensors["x"][0] for batch in batches])
        nearest = ((x[:, None] - rows) ** 2).sum(axis=2)
        assert nearest.min(axis=1).mean() == pytest.approx(2 * 0.01**2 * bias, rel=0.15)
        assert (nearest.argmin(axis=1) >= 25).mean() == pytest.approx(0.75, abs=0.02)


def test_a_whole_pool_costs_no_copy_in_memory():
    """A model under `accumulate` holds the batches' own arrays."""
    recursion = Recursion(cell(), MemoryStore())
    model = recursion.model(3)
    batch = recursion.batch(recursion.steps.batch(1))
    held = [x for name, x in model.tensors.items() if name.startswith("rows_")]
    assert len(held) == 3
    assert any(np.shares_memory(x, batch.tensors["x"]) for x in held)


def test_what_is_remembered_never_shows():
    """A family that evaluates only the last model gives the same digits as one that went all the way."""
    store = MemoryStore()
    records = list(run(cell(), store))
    recursion = Recursion(cell(), store)
    last = recursion.family.evaluate(recursion.model(4), Stream(recursion.steps.step(4).record).child("evaluate"))
    assert last.test_loss == records[-1].test_loss


def test_sharp_kernels_are_exact():
    """A bandwidth of a thousandth: squared distances of millions, no overflow, no lost digit."""
    rng = np.random.default_rng(0)
    queries, centres = rng.standard_normal((1, 5, 2)), rng.standard_normal((3, 7, 2))
    found = log_sums(queries, centres, np.full(3, 1e-3))
    squares = ((queries[:, :, None] - centres[:, None]) ** 2).sum(axis=3)
    expected = np.logaddexp.reduce(-squares / 2e-6, axis=2) - 2 * np.log(1e-3) - np.log(2 * np.pi)
    assert np.allclose(found, expected, rtol=1e-9)


def test_sliced_wasserstein_of_a_shift_is_its_length():
    x = np.random.default_rng(0).standard_normal((2, 50, 2))
    angles = np.linspace(0, np.pi, 400, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = sliced_wasserstein(x + np.array([3.0, 4.0]), x, directions)
    assert np.allclose(found, 5 / np.sqrt(2))
    assert np.allclose(sliced_wasserstein(x[:, ::-1], x, directions), 0)


def test_replacing_forgets_the_shape():
    """Under `replace` the estimate spreads and the loss rises; beside real rows it rises less."""
    losses = {}
    for policy in ("replace", "accumulate"):
        asked = cell(policy={"kind": policy}, rows=100, generations=10, replicates=20, family={"bandwidth": 0.2})
        records = list(run(asked))
        losses[policy] = [record.metrics["excess_nll"] for record in (records[0], records[-1])]
    assert losses["replace"][0] == losses["accumulate"][0]
    assert losses["replace"][1] > losses["accumulate"][1] > 0
    assert losses["replace"][1] > losses["replace"][0] + 0.1


@pytest.mark.parametrize("shape", ["moons", "circles", "blobs"])
def test_modes_become_entangled_when_the_kernel_adds_noise_and_only_then(shape):
    """Under replacement every generation adds the kernel's variance; a narrow kernel keeps modes apart."""

    def overlap(bandwidth):
        family = {"data": shape, "bandwidth": bandwidth, "held_out": 400}
        study = cell(family=family, policy={"kind": "replace"}, rows=200, generations=6, replicates=5)
        return [record.metrics["mode_overlap"] for record in run(study)]

    wide, narrow = overlap(0.4), overlap(0.01)
    assert wide[-1] > wide[0] + 0.03
    assert max(narrow) < 0.03


def test_a_shape_of_one_piece_has_no_modes():
    records = run(cell(family={"data": "swiss_roll"}, generations=1))
    assert all("mode_overlap" not in record.metrics for record in records)


def test_a_bandwidth_is_positive():
    with pytest.raises(ValidationError, match="bandwidth: must be more than 0, not -1"):
        cell(family={"bandwidth": -1.0})
