"""Judging: cross-entropy on held-out real rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainables.device import device
from trainables.families.base import Diverged
from trainables.families.language.architecture import EOS, autocast
from trainables.families.language.fit import token_losses
from trainables.families.language.rows import Rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

BATCH = 64


def row_losses(config: LanguageConfig, model: PreTrainedModel, rows: Rows) -> np.ndarray:
    """Summed −log p of each row's tokens, in nats, [rows]."""
    import torch

    sums = []
    with torch.inference_mode(), autocast(config):
        for start in range(0, rows.rows, BATCH):
            index = np.arange(start, min(start + BATCH, rows.rows))
            tokens, inside = (t.to(device()) for t in rows.padded(index, EOS))
            sums.append((token_losses(model, tokens) * inside).sum(dim=1).double().cpu().numpy())
    return np.concatenate(sums)


def cross_entropy(config: LanguageConfig, model: PreTrainedModel, rows: Rows) -> float:
    """Mean −log p of a token, in nats.

    Raises:
        Diverged: it is not finite.
    """
    loss = float(row_losses(config, model, rows).sum() / rows.lengths.sum())
    if not math.isfinite(loss):
        raise Diverged("the loss on held-out rows is not finite")
    return loss
