"""Fitting many language models as one: as `fit.fit`, each from its own weights, on its own rows in its own order.

Nothing passes between replicates, so that each is what a fit of its own from the same stream is, within rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainables.families.batches import shuffled
from trainables.families.gradients import clip
from trainables.families.language.fit import BETAS, CHECK_EVERY, rate, require_finite
from trainables.families.language.loss import read_after_bos
from trainables.families.language.model import autocast, create, load
from trainables.families.language.replicates.layers import cross_entropy
from trainables.families.language.replicates.stack import Stack, chunk, stacked
from trainables.families.language.token_rows import RowsView, join
from trainables.lineage import Stream
from trainables.runtime import pick_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig


@dataclass(frozen=True)
class Replicate:
    """What one of the fits is given, as `fit.fit`: as many rows as the others."""

    rows: RowsView
    stream: Stream
    start: Mapping[str, np.ndarray] | None = None


def fit(config: LanguageConfig, replicates: Sequence[Replicate]) -> list[dict[str, np.ndarray]]:
    """Fitted weights of each replicate.

    Raises:
        Diverged: a loss or a weight of a replicate is not finite.
    """
    models = [_first(config, replicate) for replicate in replicates]
    stack = stacked(models[0], [dict(model.named_parameters()) for model in models])
    updates = config.updates(replicates[0].rows.rows)
    optimizer = _optimizer(config, stack)
    batches = _batches(config, replicates)
    for step in range(updates):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate(config, step, updates)
        loss = _update(config, stack, optimizer, *next(batches))
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == updates:
            require_finite(loss, step + 1)
    require_finite(sum((p.detach().double().abs().sum() for p in stack.parameters.values()), torch.zeros(())), updates)
    return stack.weights()


def _first(config: LanguageConfig, replicate: Replicate) -> PreTrainedModel:
    if replicate.start is None:
        return create(config, replicate.stream.integer("init"))
    return load(config, replicate.start)


def _batches(config: LanguageConfig, replicates: Sequence[Replicate]) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and their shares in each replicate's loss, [R, B, longest] both, update by update."""
    orders = [shuffled(r.rows.rows, config.batch, r.stream.numpy("order")) for r in replicates]
    weights = [r.rows.weights for r in replicates]
    while True:
        index = [next(order) for order in orders]
        rows = join([r.rows.take(some) for r, some in zip(replicates, index, strict=True)])
        every, shape = np.arange(rows.rows), (len(replicates), config.batch, -1)
        tokens_RBT = rows.padded(every, config.eos)[0].view(shape)
        share_RBT = rows.counted(every, config.loss).view(shape).float()
        share_RBT /= share_RBT.sum((1, 2), keepdim=True).clamp_min(1)
        for share_BT, some, weight in zip(share_RBT, index, weights, strict=True):
            if weight is not None:
                share_BT *= torch.from_numpy(weight[some]).to(share_BT)[:, None]
        yield tokens_RBT.to(pick_device(), non_blocking=True), share_RBT.to(pick_device(), non_blocking=True)


def _update(
    config: LanguageConfig, stack: Stack, optimizer: torch.optim.Optimizer, tokens_RBT: Tensor, share_RBT: Tensor
) -> Tensor:
    """The sum of the losses before an update."""
    head = stack.head
    with autocast(config):
        hidden_RND = stack.hidden(read_after_bos(tokens_RBT.flatten(0, 1), config.bos).view(tokens_RBT.shape))
        given = tokens_RBT.flatten(1), share_RBT.flatten(1), config.loss.above
        loss = cross_entropy(hidden_RND, head, *given, chunk(head)).sum()
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    clip(stack.parameters.values(), config.clip)
    optimizer.step()
    return loss.detach()


def _optimizer(config: LanguageConfig, stack: Stack) -> torch.optim.Optimizer:
    """As of one model."""
    matrices, vectors = stack.decaying
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    fused = pick_device().type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=BETAS, fused=fused)
