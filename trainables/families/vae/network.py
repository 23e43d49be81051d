"""The network: strided convolutions to q(z|x), transposed ones back to p(x|z).

Tensors: x [rows, channels, height, width] in [0, 1]; z, mean, log-variance [rows, latent].
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from trainables.families.checkpoint_files import require_shapes
from trainables.families.vae.config import KERNEL, VaeConfig
from trainables.families.vae.doubling import Doubling
from trainables.runtime import isolated, pick_device

LARGEST_LOG_VARIANCE = 10.0

SLOPE = 0.1
"""Of the activation below 0."""

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Flat(nn.Module):
    """Maps [rows, channels, height, width] as rows [rows, height · width · channels]: the order of memory."""

    def forward(self, x: Tensor) -> Tensor:
        """A view of maps that lie channels last."""
        return x.permute(0, 2, 3, 1).flatten(1)


class Square(nn.Module):
    """The inverse of `Flat`: maps of side `side`, channels last in memory."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """A view."""
        return x.view(len(x), self.side, self.side, -1).permute(0, 3, 1, 2)


class Network(nn.Module):
    """Encoder and decoder; `log_scale` is the learned scale of a `logistic` observation, [channels], else None."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        channels = config.channels
        flat = channels[-1] * config.side**2
        down: list[nn.Module] = []
        for a, b in pairwise(channels):
            down += [nn.Conv2d(a, b, KERNEL, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        up: list[nn.Module] = []
        for a, b in pairwise(channels[::-1]):
            up += [nn.LeakyReLU(SLOPE), Doubling(a, b)]
        self.encoder = nn.Sequential(*down, Flat(), nn.Linear(flat, 2 * config.latent))
        self.decoder = nn.Sequential(nn.Linear(config.latent, flat), Square(config.side), *up)
        learned = config.observation == "logistic"
        self.log_scale = nn.Parameter(torch.full((config.source.channels,), -2.0)) if learned else None

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x); the latter is held where its exponential is finite."""
        mean, log_variance = self.encoder(x).float().chunk(2, dim=1)
        return mean, log_variance.clamp(max=LARGEST_LOG_VARIANCE)

    def decode(self, z: Tensor) -> Tensor:
        """Logits of the pixels' means, [rows, channels, height, width]."""
        logits: Tensor = self.decoder(z).float()
        return logits


def create(config: VaeConfig, seed: int, mean: np.ndarray) -> Network:
    """A freshly initialised network, drawn on the CPU so that every device starts alike.

    Args:
        config: its shape.
        seed: of its weights.
        mean: value of the corpus's pixels in [0, 1], [channels]; where the decoder starts from, which saves it
            the first hundreds of updates.
    """
    with isolated(seed):
        network = Network(config)
    last = network.decoder[-1]
    assert isinstance(last, Doubling)  # by construction
    assert last.bias is not None
    last.bias.data = torch.logit(torch.from_numpy(mean.astype(np.float32)), eps=1e-3)
    return settle(network)


def load(config: VaeConfig, tensors: Mapping[str, np.ndarray]) -> Network:
    """A network with given weights, ready to be read from."""
    with torch.device("meta"):
        network = Network(config)
    state = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    network.load_state_dict(state, assign=True)
    return settle(network).eval().requires_grad_(False)


def check_weights(config: VaeConfig, folder: Path) -> None:
    """Refuse a checkpoint that is not of this config's network.

    Raises:
        ValueError: one line says what differs.
    """
    with torch.device("meta"):
        network = Network(config)
    require_shapes(folder, {name: tuple(p.shape) for name, p in network.named_parameters()})


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """Every parameter, in single precision."""
    return {name: p.detach().float().cpu().contiguous().numpy() for name, p in module.named_parameters()}


def settle(module: AnyModule) -> AnyModule:
    """The module on this process's device, kernels laid out channels last, as images are."""
    module.to(device=pick_device())
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def arithmetic(precision: str) -> AbstractContextManager[Any]:
    """Bfloat16 autocast where asked for or, by `auto`, on a GPU that has it; convolutions as `exact` has them."""
    where = pick_device()
    wanted = precision == "bfloat16" or (
        precision == "auto" and where.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    stack = ExitStack()
    stack.enter_context(torch.autocast(where.type, dtype=torch.bfloat16, enabled=wanted))
    stack.enter_context(exact())
    return stack


def exact() -> AbstractContextManager[Any]:
    """Convolutions on a GPU that repeat exactly, and whose single precision is one: torch rounds it to TF32, 10 bits,
    unless told otherwise. Gradients ask for themselves when they are taken.
    """
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
