"""The network against convolutions by hand, where it starts, and what of it is kept."""

import math

import numpy as np
import pytest
import torch

from trainables.families.checkpoint_files import write
from trainables.families.vae import network
from trainables.families.vae.config import VaeConfig

CONFIG = VaeConfig.model_validate({"width": 3, "depth": 2, "latent": 2, "source": {"kind": "digits", "channels": 3}})
GREY = np.array([0.5])


def made(config=CONFIG, seed=0, mean=(0.1, 0.5, 0.9)):
    return network.create(config, seed, np.array(mean))


def numbers(module):
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


def halved(x, kernel, bias):
    """Each place of the half map sees 4 × 4 pixels from (2i − 1, 2j − 1) on, zeros around: x [channels, side, side]."""
    side = x.shape[1] // 2
    held = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    found = np.zeros((len(kernel), side, side))
    for out, i, j in np.ndindex(found.shape):
        found[out, i, j] = (kernel[out] * held[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4]).sum() + bias[out]
    return found


def doubled(x, kernel, bias):
    """Each place adds its kernel to 4 × 4 pixels from (2i − 1, 2j − 1) on; what falls outside is lost."""
    channels, side, _ = x.shape
    held = np.zeros((kernel.shape[1], 2 * side + 2, 2 * side + 2))
    for channel, i, j in np.ndindex(channels, side, side):
        held[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += x[channel, i, j] * kernel[channel]
    return held[:, 1:-1, 1:-1] + bias[:, None, None]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_encoder_by_loops(depth):
    """Convolutions and leaky activations; rows are read place by place, channels last."""
    net = made(CONFIG.model_copy(update={"depth": depth}))
    held, x = numbers(net), np.random.default_rng(0).random((3, 8, 8))
    mean, log_variance = net.encode(torch.from_numpy(x).float()[None])
    for level in range(depth):
        name = f"encoder.{2 * level}"
        x = leaky(halved(x, held[f"{name}.weight"], held[f"{name}.bias"]))
    last = f"encoder.{2 * depth + 1}"
    found = held[f"{last}.weight"] @ x.transpose(1, 2, 0).ravel() + held[f"{last}.bias"]
    np.testing.assert_allclose(mean.detach().numpy()[0], found[:2], atol=1e-5)
    np.testing.assert_allclose(log_variance.detach().numpy()[0], found[2:], atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_decoder_by_loops(depth):
    net = made(CONFIG.model_copy(update={"depth": depth}))
    held, z = numbers(net), np.array([0.7, -1.3])
    logits = net.decode(torch.from_numpy(z).float()[None])
    side = 8 // 2**depth
    x = (held["decoder.0.weight"] @ z + held["decoder.0.bias"]).reshape(side, side, -1).transpose(2, 0, 1)
    for level in range(depth):
        name = f"decoder.{3 + 2 * level}"
        x = doubled(leaky(x), held[f"{name}.weight"], held[f"{name}.bias"])
    np.testing.assert_allclose(logits.detach().numpy()[0], x, atol=1e-5)


def test_a_log_variance_is_held_at_ten_and_a_mean_is_not():
    net = made()
    net.encoder[-1].weight.data.zero_()
    net.encoder[-1].bias.data = torch.tensor([50.0, -50.0, 50.0, -50.0])
    mean, log_variance = net.encode(torch.rand(4, 3, 8, 8))
    assert mean.tolist() == [[50.0, -50.0]] * 4
    assert log_variance.tolist() == [[10.0, -50.0]] * 4


def test_a_decoder_starts_from_the_mean_pixel_of_each_channel_held_a_thousandth_off_the_ends():
    """Black and white have no logits: logit(0.001) = −log 999."""
    for mean in ((0.25, 0.5, 0.75), (0.0, 1.0, 0.3)):
        bias = made(mean=mean).decoder[-1].bias.tolist()
        held = [min(max(value, 1e-3), 1 - 1e-3) for value in mean]
        assert bias == pytest.approx([math.log(p / (1 - p)) for p in held], rel=1e-4)


def test_weights_come_from_the_seed_alone_and_leave_the_global_generator_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (numbers(made(seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["encoder.0.weight"], other["encoder.0.weight"])


def test_seeds_that_differ_above_32_bits_start_elsewhere():
    one, other = (numbers(made(seed=seed)) for seed in (3, 3 + 2**40))
    assert not np.array_equal(one["decoder.0.weight"], other["decoder.0.weight"])


def test_a_scale_is_learned_by_a_logistic_observation_alone_one_a_channel_from_exp_of_minus_two():
    learned = made(CONFIG.model_copy(update={"observation": "logistic"}))
    assert learned.log_scale.tolist() == [-2.0] * 3
    assert made().log_scale is None
    assert "log_scale" in network.weights(learned)
    assert "log_scale" not in network.weights(made())


def test_weights_loaded_again_give_the_same_numbers_and_are_only_read():
    net = made()
    kept = network.weights(net)
    again = network.load(CONFIG, kept)
    z, x = torch.randn(3, 2), torch.rand(3, 3, 8, 8)
    assert torch.equal(again.decode(z), net.decode(z))
    assert all(torch.equal(a, b) for a, b in zip(again.encode(x), net.encode(x), strict=True))
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert {value.dtype for value in kept.values()} == {np.dtype(np.float32)}
    assert all(value.flags.c_contiguous for value in kept.values())


def test_what_is_loaded_is_a_copy():
    kept = network.weights(made())
    again = network.load(CONFIG, kept)
    kept["decoder.0.bias"][:] = 99
    assert float(again.decoder[0].bias.abs().max()) < 2


def test_a_checkpoint_of_another_shape_is_refused_in_a_line(tmp_path):
    write(network.weights(made()), CONFIG.canonical(), tmp_path)
    network.check_weights(CONFIG, tmp_path)
    start = f"checkpoint: {str(tmp_path)!r} is of another model: "
    for fields, message in (
        ({"latent": 4}, "'encoder.5.weight' has shape [4, 24], and this config's [8, 24]"),
        ({"observation": "logistic"}, "it has no 'log_scale'"),
    ):
        with pytest.raises(ValueError, match=r"^checkpoint: ") as problem:
            network.check_weights(CONFIG.model_copy(update=fields), tmp_path)
        assert str(problem.value) == start + message
    extra = {**network.weights(made()), "log_scale": np.zeros(3, np.float32)}
    write(extra, CONFIG.canonical(), tmp_path)
    with pytest.raises(ValueError, match=r"this config's has no 'log_scale'$"):
        network.check_weights(CONFIG, tmp_path)


@pytest.mark.parametrize("precision", ["float32", "auto", "bfloat16"])
def test_products_on_a_cpu_are_in_bfloat16_only_where_that_is_asked_for(precision):
    linear = torch.nn.Linear(2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16), network.arithmetic(precision):
        found = linear(torch.ones(1, 2)).dtype
    assert found == (torch.bfloat16 if precision == "bfloat16" else torch.float32)


def test_means_and_logits_are_single_precision_whatever_the_products():
    net = made()
    with network.arithmetic("bfloat16"):
        found = [*net.encode(torch.rand(2, 3, 8, 8)), net.decode(torch.randn(2, 2))]
    assert {part.dtype for part in found} == {torch.float32}
