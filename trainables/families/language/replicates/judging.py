"""Losses of many language models on rows of their own as one forward pass: as `evaluate`, of all replicates at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainables.families.base import Diverged
from trainables.families.language.evaluate import BATCH, counts
from trainables.families.language.loss import read_after_bos
from trainables.families.language.model import autocast, load
from trainables.families.language.replicates.layers import token_losses
from trainables.families.language.replicates.stack import Stack, chunk, stacked
from trainables.families.language.token_rows import Rows, join
from trainables.runtime import pick_device
from trainables.store import Payload

if TYPE_CHECKING:
    from trainables.families.language.config import LanguageConfig

TOGETHER = 32
"""Rows of all models that a CPU reads at once: fewer cost calls, more leave its cache."""


def stack_of(config: LanguageConfig, models: Sequence[Payload]) -> Stack:
    """Fitted models as one, on this process's device."""
    states = [{name: torch.from_numpy(np.array(p)) for name, p in one.tensors.items()} for one in models]
    return stacked(load(config, models[0].tensors), states)


def row_losses(config: LanguageConfig, stack: Stack, rows: Sequence[Rows]) -> np.ndarray:
    """Summed −log p of each row's tokens that count, in nats, [replicates, rows].

    Args:
        config: decides which tokens count, and the precision.
        stack: the models.
        rows: what each of them reads; as many as the others.
    """
    together, sums = join(list(rows)), []
    index_RB = np.arange(together.rows).reshape(len(rows), -1)
    each = BATCH if pick_device().type == "cuda" else max(TOGETHER // len(rows), 1)
    with torch.inference_mode(), autocast(config):
        for start in range(0, index_RB.shape[1], each):
            sums.append(_sums(config, stack, together, index_RB[:, start : start + each]))
    return np.concatenate(sums, axis=1)


def _sums(config: LanguageConfig, stack: Stack, rows: Rows, index_RB: np.ndarray) -> np.ndarray:
    """Of the rows at `index`, [R, B]."""
    here, count, flat = pick_device(), len(index_RB), index_RB.ravel()
    tokens_ST = rows.padded(flat, config.eos)[0].to(here)
    inside_ST = rows.counted(flat, config.loss).to(here)
    hidden_RND = stack.hidden(read_after_bos(tokens_ST, config.bos).view(*index_RB.shape, -1))
    losses_RN = token_losses(hidden_RND, stack.head, tokens_ST.view(count, -1), chunk(stack.head))
    sums_RB = (losses_RN.view_as(inside_ST) * inside_ST).sum(dim=1).view(index_RB.shape)
    found: np.ndarray = sums_RB.double().cpu().numpy()
    return found


def cross_entropies(config: LanguageConfig, stack: Stack, rows: Sequence[Rows]) -> list[float]:
    """Each model's mean −log p of a token that counts, in nats, on its own of `rows`.

    Raises:
        Diverged: one is not finite.
    """
    totals = np.array([max(counts(config, some).sum(), 1) for some in rows])
    found = row_losses(config, stack, rows).sum(axis=1) / totals
    if not np.isfinite(found).all():
        raise Diverged("the loss on held-out rows is not finite")
    means: list[float] = found.tolist()
    return means


def likelihoods(config: LanguageConfig, stack: Stack, rows: Sequence[Rows]) -> np.ndarray:
    """Mean log-likelihood of a token of each row under each model, in nats, [replicates, rows]."""
    counted = np.stack([np.maximum(counts(config, some), 1) for some in rows])
    found: np.ndarray = -row_losses(config, stack, rows) / counted
    return found
