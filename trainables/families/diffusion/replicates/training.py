"""Fitting many denoisers as one: as `fit.fit`, each from its own weights, on its own rows, order and noise.

Nothing passes between replicates, so that each is what a fit of its own from the same stream is, within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainables.families.base import Diverged
from trainables.families.batches import shuffled
from trainables.families.diffusion.batching import Featured
from trainables.families.diffusion.config import DiffusionConfig
from trainables.families.diffusion.denoiser import Denoiser, Dense
from trainables.families.diffusion.fit import CHECK_EVERY, create, drawn, load, rate
from trainables.families.diffusion.process import errors, scheduler
from trainables.families.diffusion.replicates.denoisers import Denoisers
from trainables.families.gradients import clip
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded
from trainables.sources.molecules import Chain

PARTS = {"cpu": 8}
"""Parts, by size, that a batch is taken in where a pair of padding costs as much as a real one; elsewhere one."""


@dataclass(frozen=True)
class Replicate:
    """What one of the fits is given, as `fit.fit`: as many rows as the others."""

    rows: Chain
    weights: np.ndarray
    stream: Stream
    start: Mapping[str, np.ndarray] | None = None


@dataclass(frozen=True)
class Drawn:
    """Molecules of an update: graphs, coordinates, noise, timesteps, and weights in the loss.

    Those of several replicates lie one replicate's behind another's.
    """

    graphs: Dense
    x_SN3: Tensor
    eps_SN3: Tensor
    t_S: Tensor
    weight_S: Tensor


def fit(config: DiffusionConfig, replicates: Sequence[Replicate]) -> list[dict[str, np.ndarray]]:
    """Fitted weights of each replicate.

    Raises:
        Diverged: a loss or a weight of a replicate is not finite.
    """
    together, rows = Denoisers([_first(config, replicate) for replicate in replicates]), len(replicates[0].rows)
    updates = config.updates(rows)
    parameters = list(together.parameters.values())
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, fused=pick_device().type in ("cpu", "cuda"))
    levels_T, batches = scheduler(config).alphas_cumprod.to(pick_device()), _batches(config, replicates)
    for step in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate(config, step, updates)
        optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=pick_device())
        for part in next(batches):
            given = together.prepare(part.graphs)
            found_S = errors(together, given, part.x_SN3, part.eps_SN3, part.t_S, levels_T)
            share = (found_S * part.weight_S).sum() / config.batch
            torch.autograd.backward(share)
            loss += share.detach()
        clip(parameters, config.clip)
        optimizer.step()
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == updates:
            _require_finite(loss, step + 1)
    _require_finite(torch.stack([p.detach().double().abs().sum() for p in parameters]).sum(), updates)
    return together.weights()


def _first(config: DiffusionConfig, replicate: Replicate) -> Denoiser:
    if replicate.start is None:
        return create(config, replicate.stream.integer("init")).to(pick_device())
    return load(config, replicate.start)


def _batches(config: DiffusionConfig, replicates: Sequence[Replicate]) -> Iterator[list[Drawn]]:
    """What each update sees, in parts."""
    orders = [shuffled(len(r.rows), config.batch, r.stream.numpy("order")) for r in replicates]
    draws = [seeded(r.stream.integer("noise")) for r in replicates]
    featured = [Featured(r.rows, config.scale) for r in replicates]
    weights = [torch.from_numpy(r.weights.astype(np.float32)) for r in replicates]
    parts = PARTS.get(pick_device().type, 1)
    while True:
        found = []
        for order, generator, some, weight in zip(orders, draws, featured, weights, strict=True):
            index = next(order)
            found.append(Drawn(*drawn(config, some, index, generator), weight[index]))
        yield joined(found, parts)


def joined(batches: Sequence[Drawn], parts: int) -> list[Drawn]:
    """Each replicate's molecules from the smallest to the largest, cut into parts; the same part of all replicates is
    one, padded to its largest molecule.
    """
    orders = [batch.graphs.mask_BN.sum(1).argsort(stable=True) for batch in batches]
    cuts = [torch.tensor_split(order, min(parts, len(order))) for order in orders]
    taken = ([_taken(b, index) for b, index in zip(batches, part, strict=True)] for part in zip(*cuts, strict=True))
    return [_padded(each) for each in taken]


def _taken(batch: Drawn, index: Tensor) -> Drawn:
    graphs = Dense(batch.graphs.types_BN[index], batch.graphs.edges_BNN[index], batch.graphs.mask_BN[index])
    return Drawn(graphs, batch.x_SN3[index], batch.eps_SN3[index], batch.t_S[index], batch.weight_S[index])


def _padded(batches: Sequence[Drawn]) -> Drawn:
    """One behind another, on this process's device."""
    size = max(int(batch.graphs.mask_BN.sum(1).max()) for batch in batches)
    types = [_sized(batch.graphs.types_BN, size, (1,)) for batch in batches]
    edges = [_sized(batch.graphs.edges_BNN, size, (1, 2)) for batch in batches]
    masks = [_sized(batch.graphs.mask_BN, size, (1,)) for batch in batches]
    places, noises = ([_sized(getattr(b, name), size, (1,)) for b in batches] for name in ("x_SN3", "eps_SN3"))
    rest = [batch.t_S for batch in batches], [batch.weight_S for batch in batches]
    every = (types, edges, masks, places, noises, *rest)
    here = [torch.cat(each).to(pick_device(), non_blocking=True) for each in every]
    return Drawn(Dense(*here[:3]), *here[3:])


def _sized(x: Tensor, size: int, axes: Sequence[int]) -> Tensor:
    """Cut or padded by zeros to a size along axes."""
    for axis in axes:
        x = x.narrow(axis, 0, min(size, x.shape[axis]))
        if (more := size - x.shape[axis]) > 0:
            x = functional.pad(x, (0, 0) * (x.ndim - 1 - axis) + (0, more))
    return x


def _require_finite(value: Tensor, step: int) -> None:
    if not bool(torch.isfinite(value)):
        raise Diverged(f"loss is not finite at step {step}")
