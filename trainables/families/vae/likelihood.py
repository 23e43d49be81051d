"""p(x|z): what a pixel's logit says of its value, in nats, and how a sampled image is made of it.

Tensors: x and logits […, rows, channels, height, width], x in [0, 1].
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

BIN = 1 / 255
"""Distance of neighbouring byte values."""


def reconstruction(config: VaeConfig, log_scale: Tensor | None, logits: Tensor, x: Tensor) -> Tensor:
    """−log p(x|z) of each image, in nats, […, rows]; `log_scale` is the network's."""
    if config.observation == "bernoulli":
        nats = binary_cross_entropy_with_logits(logits, x, reduction="none")
    elif config.observation == "gaussian":
        nats = 0.5 * ((x - logits.sigmoid()) / config.noise) ** 2 + math.log(config.noise * math.sqrt(2 * math.pi))
    else:
        nats = -_logistic_log_mass(logits.sigmoid(), _held(log_scale), x)
    return nats.flatten(-3).sum(-1)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) ‖ N(0, I)) of each image, in nats, […, rows] (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(-1)


def pixels(config: VaeConfig, log_scale: Tensor | None, logits: Tensor, generator: torch.Generator) -> Tensor:
    """Sampled images in [0, 1]: the means, or draws from p(x|z) held to [0, 1]."""
    means = logits.sigmoid()
    if config.pixels == "mean":
        return means
    if config.observation == "gaussian":
        noise = torch.randn(means.shape, generator=generator).to(means)
        return (means + config.noise * noise).clamp(0, 1)
    chance = torch.rand(means.shape, generator=generator).to(means)
    if config.observation == "bernoulli":
        return (chance < means).to(means)
    return (means + _held(log_scale).exp() * torch.logit(chance, eps=1e-6)).clamp(0, 1)


def _held(log_scale: Tensor | None) -> Tensor:
    """The learned scale, held where a bin's mass is above 0, […, channels, 1, 1]."""
    assert log_scale is not None  # a logistic observation learns its scale
    return log_scale.clamp(min=-7.0)[..., None, None]


def _logistic_log_mass(means: Tensor, log_scale: Tensor, x: Tensor) -> Tensor:
    """log P of the byte 255·x under a logistic discretised to bytes, its tails in the outermost bins.

    With a, b the bin's ends in units of the scale: log(σ(b) − σ(a)) = log σ(b) + log σ(−a) + log(1 − e^{a−b}).
    """
    inverse = torch.exp(-log_scale)
    below = (x - means - BIN / 2) * inverse
    above = (x - means + BIN / 2) * inverse
    middle = logsigmoid(above) + logsigmoid(-below) + torch.log(-torch.expm1(-BIN * inverse))
    return torch.where(x < BIN / 2, logsigmoid(above), torch.where(x > 1 - BIN / 2, logsigmoid(-below), middle))
