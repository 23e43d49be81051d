"""Sampling from BOS: large batches, a key-value cache, the inverse of the cumulative distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainables.device import device
from trainables.families.base import Diverged
from trainables.families.language.architecture import BOS, EOS, autocast
from trainables.families.language.rows import Rows
from trainables.lineage import Stream

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

BATCH = 256
"""Rows sampled side by side: enough to fill a core's caches, few enough to stay in them."""


def sample(config: LanguageConfig, model: PreTrainedModel, rows: int, stream: Stream, bias: float = 1.0) -> Rows:
    """`rows` rows from the model at temperature `config.temperature * bias`.

    Raises:
        Diverged: the model's probabilities are not finite.
    """
    import torch

    generator = torch.Generator().manual_seed(stream.integer())
    pieces = []
    with torch.inference_mode(), autocast(config):
        for start in range(0, rows, BATCH):
            count = min(BATCH, rows - start)
            points = torch.rand(count, config.context, generator=generator, dtype=torch.float64)
            pieces.append(_sample(config, model, points.to(device(), torch.float32), config.temperature * bias))
    return _cut(config, np.concatenate(pieces))


def _sample(config: LanguageConfig, model: PreTrainedModel, points: torch.Tensor, temperature: float) -> np.ndarray:
    import torch

    rows, length = points.shape
    tokens = torch.empty(rows, length, dtype=torch.long, device=points.device)
    latest = torch.full((rows, 1), BOS, device=points.device)
    cache = None
    for place in range(length):
        answer = model(latest, past_key_values=cache, use_cache=True)
        cache = answer.past_key_values
        latest = draw(config, answer.logits[:, -1].float(), points[:, place : place + 1], temperature)
        tokens[:, place : place + 1] = latest
    return tokens.cpu().numpy()


def draw(config: LanguageConfig, logits: torch.Tensor, points: torch.Tensor, temperature: float) -> torch.Tensor:
    """Tokens, [rows, 1], where the cumulative distribution passes `points` (uniform, [rows, 1]).

    Raises:
        Diverged: a row of `logits` has no finite distribution.
    """
    import torch

    chances = torch.softmax(logits / temperature, dim=-1)
    table = chances.cumsum(dim=-1)
    total = table[:, -1:]
    if not bool(torch.isfinite(total).all()):
        raise Diverged("sampling: the model's probabilities are not finite")
    return torch.searchsorted(table, points * total, right=True).clamp_(max=logits.shape[-1] - 1)


def _cut(config: LanguageConfig, tokens: np.ndarray) -> Rows:
    """Whole rows, or rows up to their first EOS."""
    if config.sequences == "fixed_length":
        return Rows.fixed(tokens.reshape(-1), config.context)
    ended = tokens == EOS
    lengths = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, config.context)
    inside = np.arange(config.context) < lengths[:, None]
    return Rows(tokens[inside], np.concatenate([[0], np.cumsum(lengths)]))
