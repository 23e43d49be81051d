"""Autoencoders side by side: each is what it is alone, and records say what every one of them came to."""

import numpy as np
import pytest
import torch

from tests.support.replicates import same_gradients, sums_up, three_replicates, times_as_long, went_on
from trainables import Cell, CellFailed, run
from trainables.families.lanes import lane
from trainables.families.vae import network, objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.replicates import Replicate, Together, batched
from trainables.lineage import Stream
from trainables.sources.images import load

SMALL = {"width": 4, "latent": 2, "judged": 64, "feature_steps": 20}


def config(**fields):
    return VaeConfig.model_validate(SMALL | fields)


def replicates(shape, count=3, rows=60, *, weighted=False):
    """Each its own images, weights and stream."""
    images = load(shape.source).train.pixels
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        weight = rng.uniform(0.5, 1.5, rows).astype(np.float32) if weighted else None
        some = images.take(rng.permutation(images.rows)[:rows])
        found.append(Replicate(some, weight, Stream("replicates").child(str(number))))
    return found


@pytest.mark.parametrize("observation", ["bernoulli", "gaussian", "logistic"])
@pytest.mark.parametrize(("depth", "channels"), [(1, 1), (2, 3), (3, 1)])
def test_nats_and_gradients_are_those_of_the_networks(observation, depth, channels):
    source = {"kind": "digits", "channels": channels}
    shape = config(observation=observation, depth=depth, source=source)
    nets = [network.create(shape, seed, np.full(channels, 0.3)) for seed in range(3)]
    together = Together(shape, nets)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((3, 5, 8, 8, channels), generator=generator)
    eps = torch.randn((3, 5, 2), generator=generator)
    both = together.elbo_parts(x, eps)
    (both[0] + 0.5 * both[1]).sum().backward()
    for p in together.parameters.values():
        p.data = p.grad
    for number, (net, gradients) in enumerate(zip(nets, together.weights(), strict=True)):
        alone = objective.elbo_parts(shape, net, x[number].permute(0, 3, 1, 2), eps[number])
        (alone[0] + 0.5 * alone[1]).sum().backward()
        for ours, its in zip(both, alone, strict=True):
            torch.testing.assert_close(ours[number], its, rtol=1e-4, atol=1e-4)
        same_gradients(gradients, net, 1e-4)


@pytest.mark.parametrize("fields", [{}, {"clip": 20.0, "beta": 0.5}, {"observation": "logistic"}])
def test_losses_are_those_of_separate_fits_of_the_same_streams(fields):
    """But for rounding, which Adam's early steps magnify."""
    shape = config(steps=40, **fields)
    given = replicates(shape, weighted="clip" in fields)
    models, losses = batched.fit(shape, given)
    for one, weights, loss in zip(given, models, losses, strict=True):
        fitted, alone = objective.fit(shape, one.images, one.weight, one.stream)
        assert loss == pytest.approx(alone, rel=5e-3)
        assert {name: value.shape for name, value in weights.items()} == {
            name: value.shape for name, value in network.weights(fitted).items()
        }
    assert len(set(losses.tolist())) == len(losses)


def test_a_fit_goes_on_from_given_weights():
    shape = config(steps=3, learning_rate=1e-6)
    first = [network.weights(network.create(shape, seed, np.array([0.3]))) for seed in range(2)]
    given = [Replicate(r.images, None, r.stream, start) for r, start in zip(replicates(shape, 2), first, strict=True)]
    models, _ = batched.fit(shape, given)
    went_on(first, models)


def test_in_bfloat16_replicates_learn_too():
    shape = config(steps=120, precision="bfloat16")
    _, losses = batched.fit(shape, replicates(shape))
    _, exact = batched.fit(config(steps=120), replicates(shape))
    np.testing.assert_allclose(losses, exact, rtol=0.2, atol=5)


def test_large_images_are_fitted_one_after_another_on_a_cpu(monkeypatch):
    monkeypatch.setattr(batched, "Together", None)
    shape = config(source={"kind": "digits", "size": 32}, steps=2)
    given = replicates(shape, 2, rows=8)
    models, losses = batched.fit(shape, given)
    fitted, alone = objective.fit(shape, given[1].images, None, given[1].stream)
    assert losses[1] == alone
    for name, value in network.weights(fitted).items():
        np.testing.assert_array_equal(models[1][name], value)


@pytest.fixture(scope="module")
def recursion():
    return three_replicates(config(steps=20).canonical(), 60)


def test_records_have_means_errors_and_every_replicates_values(recursion):
    held = sums_up(recursion, ("kl", "frechet_distance", "validation_loss", "pixel_variance"), "constant_loss")
    assert held.files["samples.png"].startswith(b"\x89PNG")


def test_a_replicate_is_judged_and_sampled_as_it_is_alone(recursion):
    recursion.record(1)
    held = recursion.store.get("record", recursion.steps.step(1).record)
    model = recursion.model(1)
    batch = recursion.batch(recursion.steps.batch(1))
    for number, one in enumerate(recursion.family.replicates):
        its = lane(model, number)
        measured, _ = one.measure(its)
        assert measured["kl"] == held.tensors["kl"][number]
        stream = Stream(recursion.steps.batch(1).key).child("sample", "replicate", str(number))
        made = one.sample(its, 60, stream).table
        assert made["pixels"] == lane(batch, number).table["pixels"]


def test_replicates_have_real_rows_of_their_own_and_share_those_held_out(recursion):
    real = recursion.batch(recursion.steps.batch(0))
    rows = [{tuple(pixels) for pixels in lane(real, number).table["pixels"]} for number in range(3)]
    assert all(len(some) == 60 for some in rows)
    assert rows[0] != rows[1] != rows[2] != rows[0]
    assert recursion.family.held_out().rows == len(recursion.family.held_out().table)


def test_a_replicate_that_diverges_fails_the_cell_at_its_generation():
    family = config(steps=20, learning_rate=1e30).canonical()
    cell = Cell.model_validate(
        {"family": family, "policy": {"kind": "replace"}, "generations": 1, "rows": 60, "replicates": 2}
    )
    with pytest.raises(CellFailed, match=r"generation 1: (training losses|weights)"):
        list(run(cell))


@pytest.mark.slow
def test_eight_replicates_cost_less_than_two_thirds_of_eight_fits():
    """In processor time, of this process on one thread, side by side; the best of three rounds of each."""
    torch.set_num_threads(1)
    shape = VaeConfig(steps=30)
    given = replicates(shape, 8, 490)
    apart = [lambda one=one: objective.fit(shape, one.images, one.weight, one.stream) for one in given]
    assert times_as_long(lambda: batched.fit(shape, given), apart) >= 1.5
