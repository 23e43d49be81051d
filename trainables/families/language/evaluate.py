"""Judging: cross-entropy on held-out real rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainables.families.base import Diverged
from trainables.families.language.config import BOS
from trainables.families.language.model import autocast
from trainables.families.language.token_rows import Rows
from trainables.runtime import pick_device

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

BATCH = 64


def token_losses(model: PreTrainedModel, tokens: torch.Tensor, bos: int = BOS) -> torch.Tensor:
    """−log p of every token given BOS and the tokens before it, in nats, [rows, length]."""
    import torch
    from torch.nn.functional import cross_entropy

    from trainables.families.language.cpu import hidden
    from trainables.families.language.loss import chunk, plain_head, read_after_bos

    if not plain_head(model):
        logits = model(read_after_bos(tokens, bos), use_cache=False).logits.float()
        return cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    size = chunk(model.lm_head.weight)
    read_ND = hidden(model, read_after_bos(tokens, bos))
    pairs = zip(torch.split(read_ND, size), torch.split(tokens.flatten(), size), strict=True)
    found = [cross_entropy(model.lm_head(part).float(), aim, reduction="none") for part, aim in pairs]
    return torch.cat(found).view(tokens.shape)


def row_losses(config: LanguageConfig, model: PreTrainedModel, rows: Rows) -> np.ndarray:
    """Summed −log p of each row's tokens that count, in nats, [rows]."""
    import torch

    sums = []
    with torch.inference_mode(), autocast(config):
        for start in range(0, rows.rows, BATCH):
            index = np.arange(start, min(start + BATCH, rows.rows))
            tokens = rows.padded(index, config.eos)[0].to(pick_device())
            inside = rows.counted(index, config.loss).to(pick_device())
            sums.append((token_losses(model, tokens, config.bos) * inside).sum(dim=1).double().cpu().numpy())
    return np.concatenate(sums)


def counts(config: LanguageConfig, rows: Rows) -> np.ndarray:
    """Tokens of each row that count, [rows]."""
    if config.loss.on == "last":
        last: np.ndarray = np.minimum(rows.lengths, config.loss.tokens or 0)
        return last
    found: np.ndarray = rows.lengths - rows.given if config.loss.on == "response" else rows.lengths
    return found


def cross_entropy(config: LanguageConfig, model: PreTrainedModel, rows: Rows) -> float:
    """Mean −log p of a token that counts, in nats.

    Raises:
        Diverged: it is not finite.
    """
    loss = float(row_losses(config, model, rows).sum() / max(counts(config, rows).sum(), 1))
    if not math.isfinite(loss):
        raise Diverged("the loss on held-out rows is not finite")
    return loss
