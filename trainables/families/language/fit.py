"""Fitting: AdamW on shuffled rows of a mapped pool, cosine schedule with warm-up, clipped gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.families.base import Diverged
from trainables.families.batches import shuffled
from trainables.families.language.model import autocast, create, load
from trainables.families.language.token_rows import RowsView
from trainables.lineage import Stream
from trainables.runtime import isolated, pick_device

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

CHECK_EVERY = 16
"""Updates between two looks at whether the loss is still finite: a look waits for the device."""

BETAS = (0.9, 0.95)
"""Of AdamW."""


def fit(
    config: LanguageConfig, rows: RowsView, stream: Stream, start: Mapping[str, np.ndarray] | None = None
) -> PreTrainedModel:
    """A model fitted on `rows`, from random weights or from those of `start`.

    Raises:
        Diverged: the loss or a weight is not finite.
    """
    model = create(config, stream.integer("init")) if start is None else load(config, start)
    return train(config, model, rows, stream)


def train(config: LanguageConfig, model: PreTrainedModel, rows: RowsView, stream: Stream) -> PreTrainedModel:
    """The model after its updates on `rows`, in place; weights that ask for no gradient stay.

    Raises:
        Diverged: the loss or a weight is not finite.
    """
    from trainables.families.language import gpu
    from trainables.families.language.loss import attend_in_single_precision

    model.train()
    if pick_device().type == "cpu":
        attend_in_single_precision(model)
    updates = config.updates(rows.rows)
    batches = shuffled(rows.rows, config.batch, stream.numpy("order"))
    if gpu.can_pack(config, model, rows):
        gpu.fit_packed(config, model, rows, batches)
    else:
        with isolated(stream.integer("dropout")):
            _fit_padded(config, model, rows, batches)
    require_finite(sum(p.detach().double().abs().sum() for p in fitted(model)), updates)
    return model.eval()


def _fit_padded(config: LanguageConfig, model: PreTrainedModel, rows: RowsView, batches: Iterator[np.ndarray]) -> None:
    """Any model, anywhere: rows of an update padded to its longest."""
    import torch

    updates = config.updates(rows.rows)
    optimizer = _optimizer(config, model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(config, step, updates))
    for step in range(updates):
        loss = _update(config, model, optimizer, rows, next(batches))
        schedule.step()
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == updates:
            require_finite(loss, step + 1)


def rate(config: LanguageConfig, step: int, updates: int) -> float:
    """The learning rate of update `step` (from 0), relative to its peak."""
    warm = max(1, round(config.warmup * updates))
    if step < warm:
        return (step + 1) / warm
    along = (step - warm) / max(1, updates - warm)
    return config.final_learning_rate + (1 - config.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * along))


def _update(
    config: LanguageConfig, model: PreTrainedModel, optimizer: torch.optim.Optimizer, rows: RowsView, index: np.ndarray
) -> torch.Tensor:
    import torch

    loss = padded_loss(config, model, rows, index)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(fitted(model), config.clip)
    optimizer.step()
    return loss.detach()


def padded_loss(config: LanguageConfig, model: PreTrainedModel, rows: RowsView, index: np.ndarray) -> torch.Tensor:
    """The loss of the rows at `index`, padded to the longest: a mean over their tokens that count, weighted by row."""
    import torch

    from trainables.families.language.loss import weighted_loss

    taken, every = rows.take(index), np.arange(len(index))
    tokens = taken.padded(every, config.eos)[0].to(pick_device(), non_blocking=True)
    inside = taken.counted(every, config.loss).to(pick_device(), non_blocking=True)
    share = inside.float() / inside.sum().clamp_min(1)
    if rows.weights is not None:
        share = share * torch.from_numpy(rows.weights[index]).to(share)[:, None]
    with autocast(config):
        return weighted_loss(model, tokens, share, config.bos, config.loss.above)


def fitted(model: PreTrainedModel) -> list[torch.nn.Parameter]:
    """The parameters that updates change."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def _optimizer(config: LanguageConfig, model: PreTrainedModel) -> torch.optim.Optimizer:
    import torch

    fused = pick_device().type in ("cpu", "cuda")
    return torch.optim.AdamW(decayed(config, model), lr=config.learning_rate, betas=BETAS, fused=fused)


def decayed(config: LanguageConfig, model: PreTrainedModel) -> list[dict[str, Any]]:
    """Parameters in groups: biases, gains and other vectors do not decay."""
    matrices = [p for p in fitted(model) if p.ndim >= 2]
    vectors = [p for p in fitted(model) if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def require_finite(value: torch.Tensor | float, step: int) -> None:
    """Raises:
    Diverged: the value at this step is not finite.
    """
    if not math.isfinite(float(value)):
        raise Diverged(f"loss is not finite at step {step}")
