"""Nats and draws of p(x|z), against scipy's laws, sums over single pixels, and limits."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit

from trainables.families.vae.config import VaeConfig
from trainables.families.vae.likelihood import divergence, pixels, reconstruction

OBSERVATIONS = ("bernoulli", "gaussian", "logistic")
BYTES = torch.arange(256, dtype=torch.float64).view(-1, 1, 1, 1) / 255


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("logit", "log_scale"), [(0.4, -2.5), (-3.0, -4.0), (2.0, 0.3)])
def test_the_nats_of_each_byte_are_those_of_scipys_logistic_over_its_bin(logit, log_scale):
    """P(byte k) = F((k + ½)/255) − F((k − ½)/255), the outermost bins reaching to ±∞."""
    law, k = stats.logistic(expit(logit), np.exp(log_scale)), np.arange(256)
    upper, lower = law.cdf((k + 0.5) / 255), law.cdf((k - 0.5) / 255)
    upper[-1], lower[0] = 1, 0
    found = reconstruction(
        VaeConfig(observation="logistic"), double(log_scale), torch.full_like(BYTES, logit), BYTES
    ).numpy()
    seen = upper - lower > 1e-9  # further out the difference of two doubles has no digits left
    np.testing.assert_allclose(found[seen], -np.log((upper - lower)[seen]), rtol=1e-6)
    assert seen.sum() > 100


def test_far_from_its_mean_a_logistic_bin_falls_by_its_distance_in_scales():
    """In the tail log P is linear: −|x − μ|/s + log(e^{h/s} − e^{−h/s}), h half a bin, so neighbours differ by 2h/s."""
    found = reconstruction(VaeConfig(observation="logistic"), double(-6.0), torch.full_like(BYTES, -12.0), BYTES)
    steps = found.diff()[100:250]
    assert torch.isfinite(found).all()
    torch.testing.assert_close(steps, torch.full_like(steps, np.exp(6.0) / 255), rtol=1e-9, atol=0)


def test_a_learned_scale_is_held_at_exp_of_minus_seven():
    config, logits = VaeConfig(observation="logistic"), torch.full_like(BYTES, 0.3)
    held = reconstruction(config, double(-7.0), logits, BYTES)
    assert torch.equal(reconstruction(config, double(-30.0), logits, BYTES), held)
    assert not torch.allclose(reconstruction(config, double(-6.9), logits, BYTES), held)


def test_a_held_scale_is_what_draws_have_too():
    config, logits = VaeConfig(observation="logistic", pixels="draw"), torch.zeros(4000, 1, 1, 1)
    one, other = (pixels(config, torch.tensor([s]), logits, torch.Generator().manual_seed(0)) for s in (-7.0, -30.0))
    assert torch.equal(one, other)
    assert float(one.std()) == pytest.approx(np.exp(-7) * np.pi / 3**0.5, rel=0.05)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_nats_of_an_image_are_the_sum_over_its_pixels_one_by_one(observation):
    """Any number of leading axes; each channel by its own scale."""
    config, rng = VaeConfig(observation=observation, noise=0.3), np.random.default_rng(0)
    logits, x = (torch.from_numpy(rng.normal(size=(2, 3, 2, 2, 3))) for _ in range(2))
    x, scales = x.sigmoid(), double(-1.0, -3.0)
    found = reconstruction(config, scales, logits, x)
    assert found.shape == (2, 3)
    for place in np.ndindex(2, 3):
        total = 0.0
        for channel, row, column in np.ndindex(2, 2, 3):
            one = (*place, channel, row, column)
            alone = (t[one].view(1, 1, 1, 1) for t in (logits, x))
            total += float(reconstruction(config, scales[channel : channel + 1], *alone))
        assert float(found[place]) == pytest.approx(total, rel=1e-12)


def test_gaussian_nats_are_zero_and_below_where_the_density_is_one_and_above():
    """At the mean the density is 1/(σ√2π): 1 at σ = 1/√2π."""
    logits = double(0.0, 1.5).view(1, 1, 1, 2)
    for noise, nats in ((1 / np.sqrt(2 * np.pi), 0.0), (0.1, 2 * np.log(0.1 * np.sqrt(2 * np.pi)))):
        found = reconstruction(VaeConfig(noise=noise), None, logits, logits.sigmoid())
        assert float(found) == pytest.approx(nats, abs=1e-12)
    assert nats < 0


def test_bernoulli_nats_of_even_odds_are_log_2_a_pixel_and_least_at_the_grey_itself():
    config, x = VaeConfig(observation="bernoulli"), double(0.0, 0.2, 1.0).view(1, 1, 1, 3)
    assert float(reconstruction(config, None, torch.zeros_like(x), x)) == pytest.approx(3 * np.log(2))
    grey = double(0.2).view(1, 1, 1, 1)
    nats = [float(reconstruction(config, None, torch.logit(double(p)).view(1, 1, 1, 1), grey)) for p in (0.1, 0.2, 0.3)]
    assert nats[1] == min(nats) == pytest.approx(-0.2 * np.log(0.2) - 0.8 * np.log(0.8))


@pytest.mark.parametrize(
    ("mean", "variance", "nats"),
    [(0.0, 1.0, 0.0), (2.0, 1.0, 2.0), (0.0, 4.0, 1.5 - np.log(2)), (1.0, 0.25, 0.125 + np.log(2))],
)
def test_divergence_by_hand(mean, variance, nats):
    """½(μ² + σ² − 1 − log σ²) a latent, summed over three."""
    found = divergence(torch.full((2, 5, 3), mean).double(), torch.full((2, 5, 3), np.log(variance)).double())
    assert found.shape == (2, 5)
    torch.testing.assert_close(found, torch.full((2, 5), 3 * nats, dtype=torch.float64), rtol=0, atol=1e-7)


def test_divergence_is_the_mean_log_ratio_of_scipys_densities_over_draws():
    q, p = stats.norm(0.7, 0.5), stats.norm()
    z = q.ppf((np.arange(200_000) + 0.5) / 200_000)
    found = divergence(double(0.7)[None], double(2 * np.log(0.5))[None])
    assert float(found) == pytest.approx((q.logpdf(z) - p.logpdf(z)).mean(), rel=1e-4)


def test_means_draw_nothing():
    generator = torch.Generator().manual_seed(0)
    before, logits = generator.get_state(), torch.randn(3, 1, 2, 2)
    assert torch.equal(pixels(VaeConfig(), None, logits, generator), logits.sigmoid())
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("observation", OBSERVATIONS)
def test_draws_of_wide_laws_pile_up_at_black_and_white_and_never_leave_the_range(observation):
    config = VaeConfig(observation=observation, pixels="draw", noise=2.0)
    generator = torch.Generator().manual_seed(0)
    drawn = pixels(config, torch.tensor([0.7]), torch.full((2000, 1, 1, 1), 0.3), generator)
    assert (float(drawn.min()), float(drawn.max())) == (0, 1)
    assert ((drawn == 0) | (drawn == 1)).float().mean() > (0.99 if observation == "bernoulli" else 0.6)


def test_bernoulli_pixels_are_on_as_often_as_their_mean_says():
    config = VaeConfig(observation="bernoulli", pixels="draw")
    logits = torch.logit(torch.tensor([0.0, 0.25, 1.0])).repeat(8000, 1, 1, 1)
    shares = pixels(config, None, logits, torch.Generator().manual_seed(0)).mean((0, 1, 2))
    assert (float(shares[0]), float(shares[2])) == (0, 1)
    assert float(shares[1]) == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 8000) ** 0.5)


@pytest.mark.parametrize(("observation", "law"), [("gaussian", stats.norm), ("logistic", stats.logistic)])
def test_draws_have_the_law_that_nats_are_taken_of(observation, law):
    config = VaeConfig(observation=observation, pixels="draw", noise=0.02)
    logits = torch.zeros(5000, 1, 1, 1)
    drawn = pixels(config, torch.tensor([np.log(0.02)]), logits, torch.Generator().manual_seed(1))
    assert stats.kstest(drawn.numpy().ravel(), law(0.5, 0.02).cdf).pvalue > 0.01


@pytest.mark.parametrize("observation", ["gaussian", "logistic"])
def test_a_draw_rises_with_the_number_that_it_is_drawn_from(observation):
    """Models of one seed are compared on common numbers: a brighter draw of one is a brighter draw of the other."""
    config, logits = VaeConfig(observation=observation, pixels="draw", noise=0.02), torch.zeros(50, 1, 1, 1)
    number = torch.randn if observation == "gaussian" else torch.rand
    drawn_from = number(logits.shape, generator=torch.Generator().manual_seed(4)).ravel()
    drawn = pixels(config, torch.tensor([-4.0]), logits, torch.Generator().manual_seed(4)).ravel()
    assert torch.equal(drawn.argsort(), drawn_from.argsort())
