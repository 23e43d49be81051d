"""Doubling a map: the values and gradients of torch's transposed convolution, whatever the route."""

import pytest
import torch
from torch import nn

from trainables.families.vae.config import VaeConfig
from trainables.families.vae.doubling import NARROW, Doubling
from trainables.families.vae.network import Flat, Network, Square

SHAPES = [(6, 1, 5, 4), (6, 3, 4, 4), (3, NARROW, 1, 2), (8, 7, 3, 5), (32, 16, 7, 7)]
"""Input and output channels, height, width: both routes, maps that are not square, the smallest map."""


def both(inputs, outputs, dtype):
    """The product's layer and torch's, with the same weights."""
    torch.manual_seed(0)
    ours = Doubling(inputs, outputs).to(dtype)
    plain = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1).to(dtype)
    plain.load_state_dict(ours.state_dict())
    return ours, plain


def values_and_gradients(layer, x, direction):
    x = x.clone().requires_grad_()
    found = layer(x)
    return [found, *torch.autograd.grad((found * direction).sum(), [x, *layer.parameters()])]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), SHAPES)
def test_doubling_is_the_transposed_convolution(inputs, outputs, height, width, layout):
    ours, plain = both(inputs, outputs, torch.float64)
    x = torch.randn(3, inputs, height, width, dtype=torch.float64).contiguous(memory_format=layout)
    direction = torch.randn(3, outputs, 2 * height, 2 * width, dtype=torch.float64)
    found, expected = (values_and_gradients(layer, x, direction) for layer in (ours, plain))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("inputs", "outputs", "height", "width"), SHAPES)
def test_doubling_under_autocast_errs_as_torch_does(inputs, outputs, height, width):
    ours, plain = both(inputs, outputs, torch.float32)
    x, direction = torch.randn(16, inputs, height, width), torch.randn(16, outputs, 2 * height, 2 * width)
    exact = values_and_gradients(plain, x, direction)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, expected = (values_and_gradients(layer, x, direction) for layer in (ours, plain))
    for truth, one, other in zip(exact, found, expected, strict=True):
        assert (one - truth).norm() <= 1.2 * (other - truth).norm() + 1e-6 * truth.norm()


def test_a_network_of_torchs_own_layers_gives_the_same_images_and_gradients():
    torch.manual_seed(0)
    network = Network(VaeConfig(width=4, latent=3))
    plain = nn.Sequential(*(_plain(layer) for layer in network.decoder))
    z = torch.randn(5, 3)
    found, expected = (values_and_gradients(layer, z, torch.ones(5, 1, 8, 8)) for layer in (network.decoder, plain))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def _plain(layer):
    if not isinstance(layer, Doubling):
        return layer
    twin = nn.ConvTranspose2d(layer.in_channels, layer.out_channels, 4, stride=2, padding=1)
    twin.load_state_dict(layer.state_dict())
    return twin


def test_flat_and_square_are_inverse_and_copy_nothing():
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    again = Square(4)(Flat()(x))
    assert torch.equal(again, x)
    assert again.data_ptr() == x.data_ptr()
    assert again.is_contiguous(memory_format=torch.channels_last)
