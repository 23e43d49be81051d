"""The negative ELBO and its parts: closed forms, what draws and weights do to them, and samples of a known decoder."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from trainables.families.base import Diverged
from trainables.families.vae import network, objective
from trainables.families.vae.config import VaeConfig
from trainables.families.vae.likelihood import divergence, reconstruction
from trainables.lineage import Stream
from trainables.runtime import seeded
from trainables.sources.images import Pixels

CONFIG = VaeConfig(width=2, latent=3, batch=64, steps=1, learning_rate=1e-9)
RNG = np.random.default_rng(0)


def images(rows=20):
    return Pixels.of(RNG.integers(0, 256, (rows, 8, 8, 1), dtype=np.uint8))


def fresh(config=CONFIG, seed=0):
    return network.create(config, seed, np.array([0.4]))


def blind(shade=0.3):
    """A network whose decoder says one grey whatever the latent, and whose posterior is N(1, e)."""
    net = fresh()
    for layer in (net.decoder[-1], net.encoder[-1]):
        layer.weight.data.zero_()
    net.decoder[-1].bias.data.fill_(math.log(shade / (1 - shade)))
    net.encoder[-1].bias.data = torch.tensor([1.0] * 3 + [1.0] * 3)
    return net


class Echo(nn.Module):
    """In place of a network: keeps the latents it is given, and decodes all to one logit."""

    log_scale = None

    def __init__(self, logit=0.0):
        super().__init__()
        self.logit, self.seen = logit, []

    def decode(self, z):
        self.seen.append(z)
        return torch.full((len(z), 1, 8, 8), self.logit)

    @property
    def latents(self):
        return torch.cat(self.seen)


def test_parts_of_a_network_that_sees_nothing_are_closed_forms():
    """KL of N(1, e) from N(0, 1) is ½(1 + e − 1 − 1) a latent; the pixels are N(0.3, 0.1²) around one grey."""
    pixels = images()
    parts = objective.judge(CONFIG, blind(), pixels, Stream("judge"))
    x = pixels.array().reshape(20, -1) / 255
    nats = (0.5 * ((x - 0.3) / 0.1) ** 2 + math.log(0.1 * math.sqrt(2 * math.pi))).sum(axis=1)
    np.testing.assert_allclose(parts[0], nats, rtol=1e-5)
    np.testing.assert_allclose(parts[1], [1.5 * (math.e - 1)] * 20, rtol=1e-6)


def test_one_latent_an_image_is_the_mean_moved_by_eps_deviations():
    net, x, eps = fresh(), torch.rand(4, 1, 8, 8), torch.randn(4, 3)
    with torch.no_grad():
        found = objective.elbo_parts(CONFIG, net, x, eps)
        mean, log_variance = net.encode(x)
        z = mean + eps * log_variance.exp().sqrt()
        torch.testing.assert_close(found[0], reconstruction(CONFIG, None, net.decode(z), x))
        torch.testing.assert_close(found[1], divergence(mean, log_variance))


def test_judging_is_the_mean_of_parts_at_latents_from_its_stream():
    """Wide posteriors, so that every latent counts: two draws an image, one behind the other from one generator."""
    net, pixels, config = fresh(), images(5), CONFIG.model_copy(update={"elbo_draws": 2})
    net.encoder[-1].bias.data[3:] = 2.0
    x = torch.from_numpy(pixels.array()).permute(0, 3, 1, 2) / 255
    generator = seeded(Stream("j").integer("elbo"))
    with torch.no_grad():
        each = [objective.elbo_parts(CONFIG, net, x, torch.randn(5, 3, generator=generator)) for _ in range(2)]
    found = objective.judge(config, net, pixels, Stream("j"))
    np.testing.assert_allclose(found[0], (each[0][0] + each[1][0]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found[1], each[0][1], rtol=1e-5)
    assert not torch.allclose(each[0][0], each[1][0], rtol=1e-3)


def test_judging_takes_the_mean_over_draws_which_scatters_less_the_more_there_are():
    net, pixels = fresh(), images(4)
    net.encoder[-1].bias.data[3:] = 3.0  # wide posteriors

    def scatter(draws):
        config = CONFIG.model_copy(update={"elbo_draws": draws})
        found = [objective.judge(config, net, pixels, Stream(f"{n}"))[0] for n in range(30)]
        return np.mean(found), np.std(found, axis=0).mean()

    (one, wide), (many, narrow) = scatter(1), scatter(16)
    assert narrow == pytest.approx(wide / 4, rel=0.35)
    assert one == pytest.approx(many, abs=4 * wide / 30**0.5)


def test_a_stream_names_its_draws_and_the_kl_has_none():
    net, pixels = fresh(), images(5)
    one, same, other = (objective.judge(CONFIG, net, pixels, Stream(key)) for key in ("a", "a", "b"))
    assert np.array_equal(one[0], same[0])
    assert not np.allclose(one[0], other[0], rtol=1e-6)
    assert np.array_equal(one[1], other[1])


def test_rows_beyond_a_chunk_are_judged_as_those_in_it():
    """260 rows are two chunks and a bit; each row's KL is its own."""
    net, pixels = fresh(), images(260)
    reconstruction_, kl = objective.judge(CONFIG, net, pixels, Stream("j"))
    assert reconstruction_.shape == kl.shape == (260,)
    alone = objective.judge(CONFIG, net, pixels.take(np.array([0, 127, 128, 259])), Stream("j"))[1]
    np.testing.assert_allclose(kl[[0, 127, 128, 259]], alone, rtol=1e-4)


def test_a_fit_reports_reconstruction_and_beta_times_kl():
    """One update too small to change anything, on all rows at once: the loss is linear in β, and its slope the KL."""
    pixels, stream = images(), Stream("fit")
    losses = {
        beta: objective.fit(CONFIG.model_copy(update={"beta": beta}), pixels, None, stream)[1]
        for beta in (0.0, 1.0, 3.0)
    }
    start = network.create(CONFIG, stream.integer("init"), objective.mean_pixel(pixels))
    kl = objective.judge(CONFIG, start, pixels, stream)[1].mean()
    assert losses[1.0] - losses[0.0] == pytest.approx(kl, rel=1e-3, abs=1e-4 * losses[0.0])
    assert losses[3.0] - losses[0.0] == pytest.approx(3 * kl, rel=1e-3, abs=1e-4 * losses[0.0])


def test_a_rows_weight_multiplies_its_loss():
    """Weight n on one of n rows and 0 on the others leaves that row's loss; weights of 1 are none."""
    pixels, stream = images(8), Stream("fit")
    start = network.weights(blind())

    def loss(weight):
        return objective.fit(CONFIG, pixels, weight, stream, start)[1]

    each = objective.judge(CONFIG, blind(), pixels, stream)
    alone = np.zeros(8, np.float32)
    alone[5] = 8
    assert loss(alone) == pytest.approx(each[0][5] + each[1][5], rel=1e-4)
    assert loss(np.ones(8, np.float32)) == loss(None) == pytest.approx((each[0] + each[1]).mean(), rel=1e-4)


def test_a_fit_that_starts_from_weights_does_not_draw_its_own():
    start = network.weights(fresh(seed=9))
    fitted, _ = objective.fit(CONFIG, images(), None, Stream("fit"), start)
    for name, value in network.weights(fitted).items():
        np.testing.assert_allclose(value, start[name], atol=1e-6)


def test_the_schedule_of_a_fit_is_the_configs():
    config = VaeConfig(epochs=3, batch=50, learning_rate=0.3, final_learning_rate=0.2, warmup=0.1, clip=7)
    plan = objective.schedule(config.model_copy(update={"weight_decay": 0.4}), 1000)
    assert (plan.updates, plan.batch, plan.learning_rate, plan.clip) == (60, 50, 0.3, 7)
    assert (plan.final_learning_rate, plan.warmup, plan.weight_decay) == (0.2, 0.1, 0.4)


def test_the_mean_pixel_is_each_channels_over_rows_from_all_over_the_corpus():
    colours = np.zeros((1000, 2, 2, 3), np.uint8)
    colours[:, :, :, 1], colours[500:, :, :, 2] = 51, 255
    assert objective.mean_pixel(Pixels.of(colours)) == pytest.approx([0.0, 0.2, 0.5], abs=1e-3)
    few = images(3)
    assert objective.mean_pixel(few) == pytest.approx([few.array().mean() / 255])


def test_latents_of_samples_have_the_variance_asked_for():
    plain, narrow, none = Echo(), Echo(), Echo()
    for echo, bias in ((plain, 1.0), (narrow, 0.25), (none, 0.0)):
        assert objective.sample(CONFIG, echo, 300, Stream("s"), bias).rows == 300
    torch.testing.assert_close(narrow.latents, 0.5 * plain.latents)
    assert not none.latents.any()
    assert [len(part) for part in plain.seen] == [128, 128, 44]
    assert float(plain.latents.var()) == pytest.approx(1, abs=0.15)
    assert float(plain.latents.mean()) == pytest.approx(0, abs=0.15)


def test_sampled_pixels_are_the_nearest_bytes_of_the_decoders_means():
    shade = 0.3
    made = objective.sample(CONFIG, Echo(math.log(shade / (1 - shade))), 3, Stream("s"))
    assert made.shape == (8, 8, 1)
    assert set(made.array().ravel().tolist()) == {round(255 * shade)}


def test_a_decoder_that_gives_no_number_samples_nothing():
    with pytest.raises(Diverged, match=r"^a sampled pixel: nan$"):
        objective.sample(CONFIG, Echo(math.nan), 3, Stream("s"))
