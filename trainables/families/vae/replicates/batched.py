"""Many autoencoders of one shape fitted as one: every layer is a batched product over a leading axis of replicates.

Replicates have corpora, initial weights, orders and latents of their own; nothing passes between them, so that each is
what a fit of its own from the same stream is, within rounding.
Tensors: maps [replicates, rows, height, width, channels].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from trainables.families.gradients import clip
from trainables.families.vae import network, objective
from trainables.families.vae.config import KERNEL
from trainables.families.vae.likelihood import divergence, reconstruction
from trainables.families.vae.rows import Feed
from trainables.families.vae.training import CHECK_EVERY, Schedule, optimizer, require_finite, shuffled
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded
from trainables.sources.images import Pixels

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

LARGEST = 16
"""Pixels of a side up to which a CPU fits replicates as one. At 28×28 eight take as long as one after another
(`python -m benchmarks seeds`)."""


@dataclass(frozen=True)
class Replicate:
    """What one of the fits is given; as `objective.fit`, and as many images as the others."""

    images: Pixels
    weight: np.ndarray | None
    stream: Stream
    start: Mapping[str, np.ndarray] | None = None


def fit(config: VaeConfig, replicates: Sequence[Replicate]) -> tuple[list[dict[str, np.ndarray]], np.ndarray]:
    """Fitted weights of each replicate, and their training losses (with `beta`) over the last updates, [replicates].

    On a CPU, images whose side is above `LARGEST` are fitted one replicate after another: there products, not
    their launching, take the time, and nothing is gained.

    Raises:
        Diverged: a loss or a weight of a replicate is not finite.
    """
    if pick_device().type == "cpu" and config.source.size > LARGEST:
        apart = [objective.fit(config, r.images, r.weight, r.stream, r.start) for r in replicates]
        return [network.weights(fitted) for fitted, _ in apart], np.array([loss for _, loss in apart])
    nets = [_first(config, replicate) for replicate in replicates]
    together = Together(config, nets)
    losses = _train(config, together, replicates, objective.schedule(config, replicates[0].images.rows))
    return together.weights(), losses


def _first(config: VaeConfig, replicate: Replicate) -> network.Network:
    if replicate.start is None:
        return network.create(config, replicate.stream.integer("init"), objective.mean_pixel(replicate.images))
    return network.load(config, replicate.start)


class Together:
    """Networks of one shape, their parameters stacked and laid out as the factors of batched products."""

    def __init__(self, config: VaeConfig, nets: Sequence[network.Network]) -> None:
        self._config, self._shapes = config, {name: p.shape for name, p in nets[0].named_parameters()}
        states = [dict(net.named_parameters()) for net in nets]
        self.parameters = {
            name: torch.stack([_factor(name, state[name].detach()) for state in states]).requires_grad_()
            for name in self._shapes
        }

    def optimizer(self, plan: Schedule) -> torch.optim.Optimizer:
        """As of one network: biases and scales do not decay."""
        ranked = [(len(self._shapes[name]), p) for name, p in self.parameters.items()]
        return optimizer([p for rank, p in ranked if rank >= 2], [p for rank, p in ranked if rank < 2], plan)

    def weights(self) -> list[dict[str, np.ndarray]]:
        """Each network's parameters by name, as it holds them itself."""
        stacked = {name: p.detach().float().cpu() for name, p in self.parameters.items()}
        count = len(next(iter(stacked.values())))
        return [
            {name: _parameter(name, p[number], self._shapes[name]).numpy() for name, p in stacked.items()}
            for number in range(count)
        ]

    def elbo_parts(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL part of each image, in nats, each [replicates, rows].

        Args:
            x: images in [0, 1], [replicates, rows, height, width, channels].
            eps: standard normal, [replicates, rows, latent].
        """
        mean, log_variance = self._encode(x)
        logits = self._decode(mean + eps * torch.exp(0.5 * log_variance))
        scale = self.parameters.get("log_scale")
        shown = None if scale is None else scale[:, None]
        parts = reconstruction(self._config, shown, logits.movedim(-1, -3), x.movedim(-1, -3))
        return parts, divergence(mean, log_variance)

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        depth = self._config.depth
        for level in range(depth):
            x = leaky_relu(self._linear(f"encoder.{2 * level}", _Unfold.apply(x)), network.SLOPE)  # type: ignore[no-untyped-call]
        found = self._linear(f"encoder.{2 * depth + 1}", x.flatten(2)).float()
        mean, log_variance = found.chunk(2, dim=-1)
        return mean, log_variance.clamp(max=network.LARGEST_LOG_VARIANCE)

    def _decode(self, z: Tensor) -> Tensor:
        side = self._config.side
        x = self._linear("decoder.0", z).view(*z.shape[:2], side, side, -1)
        for level in range(self._config.depth):
            name = f"decoder.{3 + 2 * level}"
            products = self._linear(name, leaky_relu(x, network.SLOPE), biased=False)
            x = _Fold.apply(products) + self.parameters[f"{name}.bias"][:, None, None, None]  # type: ignore[no-untyped-call]
        logits: Tensor = x.float()
        return logits

    def _linear(self, name: str, x: Tensor, *, biased: bool = True) -> Tensor:
        """The last axis of [replicates, rows, …, inputs] through each replicate's own matrix."""
        weight, flat = self.parameters[f"{name}.weight"], x.flatten(1, -2)
        if biased:
            found = torch.baddbmm(self.parameters[f"{name}.bias"][:, None], flat, weight)
        else:
            found = torch.bmm(flat, weight)
        return found.view(*x.shape[:-1], -1)


def _factor(name: str, p: Tensor) -> Tensor:
    """A parameter as the right factor of a product, [inputs, outputs], kernels as [kernel, kernel, channels]."""
    if p.ndim == 2:
        return p.t().contiguous()
    if p.ndim < 4:
        return p.clone()
    return (p.permute(0, 2, 3, 1) if _doubles(name) else p.permute(2, 3, 1, 0)).flatten(*_kernel(name)).contiguous()


def _parameter(name: str, factor: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of `_factor`."""
    if len(shape) == 2:
        return factor.t().contiguous()
    if len(shape) < 4:
        return factor.clone()
    if _doubles(name):
        return factor.view(shape[0], KERNEL, KERNEL, shape[1]).permute(0, 3, 1, 2).contiguous()
    return factor.view(KERNEL, KERNEL, shape[1], shape[0]).permute(3, 2, 0, 1).contiguous()


def _doubles(name: str) -> bool:
    return name.startswith("decoder")


def _kernel(name: str) -> tuple[int, int]:
    """Axes of the kernel and its channels."""
    return (1, 3) if _doubles(name) else (0, 2)


def _unfolded(x: Tensor) -> Tensor:
    """What each place of the halved map sees, [replicates, rows, h/2, w/2, 16 · channels], zeros around the map."""
    *lead, height, width, channels = x.shape
    held = x.new_zeros(*lead, height + 2, width + 2, channels)
    held[..., 1:-1, 1:-1, :] = x
    first, second, down, right, one = held.stride()
    size = (*lead, height // 2, width // 2, KERNEL, KERNEL, channels)
    seen = held.as_strided(size, (first, second, 2 * down, 2 * right, down, right, one))
    return seen.flatten(-3)


def _folded(seen: Tensor) -> Tensor:
    """The adjoint of `_unfolded`: every place's entries added where they were seen."""
    *lead, height, width, entries = seen.shape
    channels = entries // KERNEL**2
    blocks = seen.view(*lead, height, width, 2, 2, 2, 2, channels)
    found = seen.new_zeros(*lead, height + 1, 2, width + 1, 2, channels)
    for a in (0, 1):
        for b in (0, 1):
            found[..., a : a + height, :, b : b + width, :, :] += blocks[..., a, :, b, :, :].movedim(-3, -4)
    return found.view(*lead, 2 * height + 2, 2 * width + 2, channels)[..., 1:-1, 1:-1, :]


class _Unfold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _unfolded(x)

    @staticmethod
    def backward(ctx: Any, by_seen: Tensor) -> Tensor:
        return _folded(by_seen.contiguous())


class _Fold(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, seen: Tensor) -> Tensor:
        return _folded(seen)

    @staticmethod
    def backward(ctx: Any, by_found: Tensor) -> Tensor:
        return _unfolded(by_found)


def _train(config: VaeConfig, together: Together, replicates: Sequence[Replicate], plan: Schedule) -> np.ndarray:
    """As `training.train`, of all at once; losses over the last updates, [replicates]."""
    steps, step_losses = together.optimizer(plan), _losses(config, together, replicates, plan)
    recent = torch.zeros(len(replicates), device=pick_device())
    count, means = 0, np.zeros(len(replicates))
    for step in range(plan.updates):
        for group in steps.param_groups:
            group["lr"] = plan.rate(step)
        values = next(step_losses)
        steps.zero_grad(set_to_none=True)
        torch.autograd.backward(values.sum())
        if plan.clip is not None:
            clip(together.parameters.values(), plan.clip)
        steps.step()
        recent, count = recent + values.detach(), count + 1
        if count == CHECK_EVERY or step + 1 == plan.updates:
            means = recent.double().cpu().numpy() / count
            require_finite(float(means.sum()), f"training losses by update {step + 1} of {plan.updates}")
            recent, count = torch.zeros_like(recent), 0
    total = sum(p.detach().double().abs().sum() for p in together.parameters.values())
    require_finite(float(total), f"weights after update {plan.updates}")
    return means


def _losses(config: VaeConfig, together: Together, replicates: Sequence[Replicate], plan: Schedule) -> Iterator[Tensor]:
    """The mean loss of each replicate's next rows, [replicates], update by update."""
    count, rows = len(replicates), replicates[0].images.rows
    batch = min(plan.batch, rows)
    seeds = [(r.stream.integer("order"), r.stream.integer("latents")) for r in replicates]
    orders = [shuffled(rows, batch, seeded(order)) for order, _ in seeds]
    noises = [seeded(latents) for _, latents in seeds]
    feed = Feed.of(Pixels.join([r.images for r in replicates]))
    weights = _weights(replicates)
    first = rows * torch.arange(count)[:, None]
    while True:
        index = torch.stack([next(order) for order in orders]) + first
        eps = torch.stack([torch.randn((batch, config.latent), generator=noise) for noise in noises]).to(pick_device())
        with network.arithmetic(config.precision):
            x = feed.batch(index.flatten()).permute(0, 2, 3, 1).reshape(count, batch, *config.shape)
            parts = together.elbo_parts(x, eps)
        each = parts[0] + config.beta * parts[1]
        yield (each if weights is None else each * weights[index].to(each)).mean(1)


def _weights(replicates: Sequence[Replicate]) -> Tensor | None:
    """Of all rows in the loss, one replicate's behind another's; all weigh theirs, or none does."""
    given = [r.weight for r in replicates if r.weight is not None]
    return torch.from_numpy(np.concatenate(given)) if given else None
