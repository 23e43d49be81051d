"""Fitting, judging and sampling one autoencoder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.families.vae.likelihood import divergence, pixels, reconstruction
from trainables.families.vae.network import Network, arithmetic, create, load
from trainables.families.vae.rows import Feed, scaled, spread, to_bytes
from trainables.families.vae.training import Schedule, require_finite, train
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded
from trainables.sources.images import Pixels

if TYPE_CHECKING:
    from trainables.families.vae.config import VaeConfig

CHUNK = 128
"""Rows of a forward pass without gradients: on a CPU its maps stay in the cache."""

COUNTED = 512
"""Rows that the mean pixel is taken over, at most."""


def fit(
    config: VaeConfig,
    images: Pixels,
    weight: np.ndarray | None,
    stream: Stream,
    start: Mapping[str, np.ndarray] | None = None,
) -> tuple[Network, float]:
    """A fitted network, and its training loss (with `beta`) over the last updates.

    Args:
        config: model and schedule.
        images: the corpus.
        weight: of each image in the loss, mean 1, [rows], or None.
        stream: randomness of initialisation, order and latents.
        start: weights to go on from; None starts at random ones.

    Raises:
        Diverged: the loss or a weight is not finite.
    """
    if start is None:
        network = create(config, stream.integer("init"), mean_pixel(images))
    else:
        network = load(config, start).requires_grad_(True)
    feed = Feed.of(images)
    noise = seeded(stream.integer("latents"))
    weights = None if weight is None else torch.from_numpy(weight).to(pick_device())

    def inputs(index: Tensor) -> tuple[Tensor, ...]:
        return index, torch.randn((len(index), config.latent), generator=noise)

    def loss(index: Tensor, eps: Tensor) -> Tensor:
        with arithmetic(config.precision):
            parts = elbo_parts(config, network, feed.batch(index), eps.to(pick_device()))
        each = parts[0] + config.beta * parts[1]
        return each.mean() if weights is None else (each * weights[index.to(weights.device)].to(each)).mean()

    plan, resident = schedule(config, images.rows), feed.resident is not None
    return network, train(network, loss, images.rows, plan, stream.integer("order"), inputs, resident)


def mean_pixel(images: Pixels) -> np.ndarray:
    """Mean of each channel in [0, 1], [channels], over rows spread evenly through the corpus."""
    mean: np.ndarray = images.gather(spread(COUNTED, images.rows)).mean(axis=(0, 1, 2), dtype=np.float64) / 255
    return mean


def schedule(config: VaeConfig, rows: int) -> Schedule:
    """The training schedule of a fit on `rows` rows."""
    return Schedule(
        updates=config.updates(rows),
        batch=config.batch,
        learning_rate=config.learning_rate,
        final_learning_rate=config.final_learning_rate,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
    )


def elbo_parts(config: VaeConfig, network: Network, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """Reconstruction and KL part of each image's negative ELBO, in nats, each [rows]; one latent an image."""
    mean, log_variance = network.encode(x)
    z = mean + eps * torch.exp(0.5 * log_variance)
    return reconstruction(config, network.log_scale, network.decode(z), x), divergence(mean, log_variance)


def judge(config: VaeConfig, network: Network, images: Pixels, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruction and KL part of each image, in nats, each [rows], over `elbo_draws` latents from `stream`.

    Always in single precision, so that losses compare.
    """
    noise = seeded(stream.integer("elbo"))
    found: list[tuple[np.ndarray, np.ndarray]] = []
    with torch.inference_mode(), arithmetic("float32"):
        for rows in images.each(CHUNK):
            x = scaled(torch.from_numpy(rows).to(pick_device()))
            mean, log_variance = network.encode(x)
            nats = torch.zeros(len(x), device=pick_device())
            for _ in range(config.elbo_draws):
                eps = torch.randn(mean.shape, generator=noise).to(mean)
                z = mean + eps * torch.exp(0.5 * log_variance)
                nats += reconstruction(config, network.log_scale, network.decode(z), x) / config.elbo_draws
            found.append((nats.double().cpu().numpy(), divergence(mean, log_variance).double().cpu().numpy()))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def sample(config: VaeConfig, network: Network, rows: int, stream: Stream, bias: float = 1.0) -> Pixels:
    """Images decoded from z ~ N(0, bias · I).

    Raises:
        Diverged: a pixel is not finite.
    """
    return Pixels.of(np.concatenate(list(_sampled(config, network, rows, stream, bias))))


def _sampled(config: VaeConfig, network: Network, rows: int, stream: Stream, bias: float) -> Iterator[np.ndarray]:
    noise = seeded(stream.integer("latents"))
    with torch.inference_mode(), arithmetic("float32"):
        for start in range(0, rows, CHUNK):
            z = torch.randn((min(CHUNK, rows - start), config.latent), generator=noise) * bias**0.5
            x = pixels(config, network.log_scale, network.decode(z.to(pick_device())), noise)
            require_finite(float(x.sum()), "a sampled pixel")
            yield to_bytes(x)
