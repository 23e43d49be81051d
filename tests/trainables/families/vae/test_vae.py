"""The autoencoder: what its nats mean, that it learns, and that weights, seeds and failures are honoured."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import Diverged, World
from trainables.families.vae import network, objective
from trainables.families.vae.baseline import constant_loss
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.likelihood import divergence, pixels, reconstruction
from trainables.families.vae.rows import Feed, pixels_of
from trainables.lineage import Stream
from trainables.sources.images import Pixels, load
from trainables.store import MemoryStore

SMALL = {"width": 4, "latent": 2, "epochs": 3, "judged": 64, "feature_steps": 20}
OBSERVATIONS = ("bernoulli", "gaussian", "logistic")


def family(rows=100, seed=0, **fields):
    config = VaeConfig.model_validate(SMALL | fields)
    return config.build(World(rows=rows, replicates=1, seed=seed, store=MemoryStore()))


def corpus(*parts):
    """A corpus of (batch, index, weight)."""
    made = [
        RealisedDraw((Batch(number, str(number), batch.rows, lambda batch=batch: batch),), index, weight)
        for number, (batch, index, weight) in enumerate(parts)
    ]
    return Corpus(tuple(made))


def byte_images():
    """All 256 bytes as images of one grey pixel in [0, 1], [256, 1, 1, 1]."""
    return (torch.arange(256, dtype=torch.float64) / 255).view(-1, 1, 1, 1)


@pytest.mark.parametrize("scale", [-7.5, -5.0, -2.0, 0.5])
@pytest.mark.parametrize("logit", [-6.0, 0.0, 0.7, 5.0])
def test_logistic_masses_of_all_bytes_sum_to_one(scale, logit):
    config = VaeConfig(observation="logistic")
    x = byte_images()
    nats = reconstruction(config, torch.tensor([scale], dtype=torch.float64), torch.full_like(x, logit), x)
    assert float(torch.exp(-nats).sum()) == pytest.approx(1.0, rel=1e-6)


def test_gaussian_nats_are_the_log_density():
    config = VaeConfig(observation="gaussian", noise=0.2)
    rng = np.random.default_rng(0)
    x, logits = rng.random((3, 1, 4, 4)), rng.standard_normal((3, 1, 4, 4))
    found = reconstruction(config, None, torch.from_numpy(logits), torch.from_numpy(x))
    expected = -stats.norm(1 / (1 + np.exp(-logits)), 0.2).logpdf(x).sum(axis=(1, 2, 3))
    assert found.numpy() == pytest.approx(expected)


def test_bernoulli_nats_are_the_mean_over_random_binarisations():
    config = VaeConfig(observation="bernoulli")
    x = torch.tensor([[[[0.2, 0.9]]]], dtype=torch.float64)
    logits = torch.tensor([[[[0.5, -1.0]]]], dtype=torch.float64)
    p = logits.sigmoid().ravel()
    expected = 0.0
    for bits in ((0, 0), (0, 1), (1, 0), (1, 1)):
        chance = np.prod([float(v if b else 1 - v) for v, b in zip(x.ravel(), bits, strict=True)])
        expected -= chance * sum(float(torch.log(q if b else 1 - q)) for q, b in zip(p, bits, strict=True))
    assert float(reconstruction(config, None, logits, x)) == pytest.approx(expected)


def test_kl_is_that_of_two_gaussians():
    mean, log_variance = torch.tensor([[0.7, -0.3]]), torch.tensor([[0.4, -1.1]])
    q = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
    assert float(divergence(mean, log_variance)) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_draws_scatter_around_the_means_as_the_observation_says(observation):
    mean, scale = VaeConfig(observation=observation), torch.tensor([-3.0])
    draw = VaeConfig(observation=observation, pixels="draw", noise=0.05)
    logits = torch.full((20_000, 1, 1, 1), 0.2)
    generator = torch.Generator().manual_seed(0)
    centre = float(pixels(mean, scale, logits, generator)[0])
    drawn = pixels(draw, scale, logits, generator)
    sd = {"bernoulli": (centre * (1 - centre)) ** 0.5, "gaussian": 0.05, "logistic": np.exp(-3) * np.pi / 3**0.5}
    assert float(drawn.mean()) == pytest.approx(centre, abs=4 * sd[observation] / 20_000**0.5)
    assert float(drawn.std()) == pytest.approx(sd[observation], rel=0.03)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_parameters_are_counted_without_building(observation):
    for fields in ({}, {"width": 5, "depth": 3, "latent": 7, "source": {"kind": "digits", "size": 16, "channels": 3}}):
        config = VaeConfig.model_validate({"observation": observation, **fields})
        with torch.device("meta"):
            assert sum(p.numel() for p in network.Network(config).parameters()) == config.parameters


def test_forward_operations_are_counted_layer_by_layer():
    from torch.utils.flop_counter import FlopCounterMode

    config = VaeConfig(width=6, latent=3)
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network.Network(config).decode(torch.zeros(1, 3))
    assert counter.get_total_flops() == config.cost(100).sample_flops


def test_a_side_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"depth: a side of 8 pixels can't be halved 4 times"):
        VaeConfig(depth=4)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_fitting_beats_a_fresh_network_and_the_constant_model(observation):
    config = VaeConfig(observation=observation, epochs=20, latent=4)
    images = load(config.source)
    fitted, _ = objective.fit(config, images.train.pixels.take(np.arange(800)), None, Stream("fit"))
    fresh = network.create(config, 0, np.array([0.5]))
    loss, untrained = (
        sum(float(part.mean()) for part in objective.judge(config, model, images.test.pixels, Stream("judge")))
        for model in (fitted, fresh)
    )
    assert loss < constant_loss(config, images.train.pixels, images.test.pixels) < untrained


def test_a_rows_weight_is_its_share_of_the_loss():
    """All weight on one of two constant batches: samples look like that batch alone."""
    made = family(epochs=60)
    dark, light = (
        made.sample(made.fit(corpus((made.real(0, 50), None, 1.0)), Stream("x")), 50, Stream("y")) for _ in range(2)
    )
    dark = _constant(dark, 20)
    light = _constant(light, 220)
    for weights, expected in (((1.0, 1e-4), 20), ((1e-4, 1.0), 220)):
        model = made.fit(corpus((dark, None, weights[0]), (light, None, weights[1])), Stream("fit"))
        sampled = pixels_of(made.sample(model, 20, Stream("sample"))).array()
        assert sampled.mean() == pytest.approx(expected, abs=15)


def _constant(batch, value):
    from trainables.families.vae.rows import payload

    return payload(Pixels.of(np.full((batch.rows, 8, 8, 1), value, np.uint8)))


def test_an_index_picks_rows_of_all_its_batches():
    made = family()
    one, two = made.real(0, 30), made.real(30, 20)
    batches = Batch(0, "0", 30, lambda: one), Batch(1, "1", 20, lambda: two)
    both = RealisedDraw(batches, np.array([0, 29, 30, 49, 49]), 1.0)
    from trainables.families.vae.rows import gather

    images, weight = gather(Corpus((both,)))
    whole = np.concatenate([pixels_of(one).array(), pixels_of(two).array()])
    assert np.array_equal(images.array(), whole[[0, 29, 30, 49, 49]])
    assert weight is None


def test_rows_gathered_from_maps_train_as_rows_in_memory(monkeypatch):
    made = family()
    parts = corpus((made.real(0, 60), None, 1.0))
    resident = made.fit(parts, Stream("fit"))
    of = Feed.of
    monkeypatch.setattr(Feed, "of", lambda images: of(images, limit=0))
    mapped = made.fit(parts, Stream("fit"))
    assert all(np.array_equal(resident.tensors[name], mapped.tensors[name]) for name in resident.tensors)


def test_steps_fix_the_updates_and_epochs_scale_with_the_corpus():
    assert VaeConfig(steps=7).updates(10) == VaeConfig(steps=7).updates(10_000) == 7
    assert VaeConfig(epochs=3, batch=50).updates(1000) == 60
    assert VaeConfig(epochs=3, batch=50).cost(1000).fit_flops == VaeConfig(epochs=3, batch=50).cost(2000).fit_flops


def test_sampling_from_a_narrower_prior_varies_less():
    made = family(epochs=20)
    model = made.fit(corpus((made.real(0, 500), None, 1.0)), Stream("fit"))
    spread = [pixels_of(made.sample(model, 300, Stream("s"), bias)).array().std(axis=0).mean() for bias in (0.1, 1.0)]
    assert spread[0] < 0.8 * spread[1]


@pytest.mark.parametrize("field", [{"learning_rate": 1e30}, {"noise": 1e-30, "observation": "gaussian"}])
def test_divergence_in_training_says_where(field):
    made = family(**field)
    with pytest.raises(Diverged, match=r"(training loss by|weights after) update \d+"):
        made.fit(corpus((made.real(0, 60), None, 1.0)), Stream("fit"))


def test_evaluation_keeps_a_picture_and_finite_metrics():
    made = family()
    found = made.evaluate(made.fit(corpus((made.real(0, 60), None, 1.0)), Stream("fit")), Stream("evaluate"))
    picture = Image.open(io.BytesIO(found.files["samples.png"]))
    assert picture.format == "PNG"
    assert min(picture.size) > 300
    assert found.test_loss == pytest.approx(found.metrics["reconstruction"] + found.metrics["kl"])
    names = ("frechet_distance", "precision", "recall", "variance_ratio", "class_coverage", "class_kl", "constant_loss")
    assert all(np.isfinite(found.metrics[name]) for name in names)


def test_real_rows_run_out_with_the_numbers():
    made = family()
    with pytest.raises(ValueError, match=r"^rows: real rows 1400 to 1500, but the training split holds 1477"):
        made.real(1400, 100)


def test_bfloat16_learns_as_single_precision_does():
    losses = []
    for precision in ("float32", "bfloat16"):
        made = family(rows=600, epochs=10, precision=precision)
        model = made.fit(corpus((made.real(0, 600), None, 1.0)), Stream("fit"))
        losses.append(made.evaluate(model, Stream("evaluate")).test_loss)
    assert losses[1] == pytest.approx(losses[0], abs=3.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_fits_what_a_cpu_fits(monkeypatch):
    losses = []
    for where in ("cpu", "cuda"):
        monkeypatch.setenv("COLLAPSE_SWEEP_DEVICE", where)
        made = family(rows=600, epochs=10, precision="float32")
        model = made.fit(corpus((made.real(0, 600), None, 1.0)), Stream("fit"))
        losses.append(made.evaluate(model, Stream("evaluate")).test_loss)
    assert losses[1] == pytest.approx(losses[0], abs=3.0)
