"""Token editing (ToEdit): real rows whose likely tokens are drawn again from the model.

Zhu et al. 2024, "How to Synthesize Text Data without Model Collapse?" (arXiv 2412.14689), equation 5: a
token with probability at least p given the real tokens before it is replaced by one drawn from the model
in that place; all others stay. One reading of each row, no generation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainables.families.base import Diverged
from trainables.families.language.model import autocast
from trainables.families.language.sampling.sample import cut, inverse, tempered
from trainables.families.language.token_rows import Rows
from trainables.lineage import Stream
from trainables.runtime import pick_device, seeded

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from trainables.families.language.config import LanguageConfig

BATCH = 32


def edit_rows(
    config: LanguageConfig, model: PreTrainedModel, rows: Rows, threshold: float, stream: Stream
) -> tuple[Rows, float]:
    """The rows with tokens of probability `threshold` or more drawn again, and the share of tokens that were.

    A document keeps its EOS and gets no other.

    Raises:
        Diverged: the model's probabilities are not finite.
    """
    import torch

    generator = seeded(stream.integer())
    tokens, drawn = rows.tokens.copy(), 0
    with torch.inference_mode(), autocast(config):
        for start in range(0, rows.rows, BATCH):
            index = np.arange(start, min(start + BATCH, rows.rows))
            padded, inside = rows.padded(index, config.eos)
            points = torch.rand(padded.shape, generator=generator)
            found, changed = _edited(config, model, padded.to(pick_device()), points.to(pick_device()), threshold)
            place = slice(rows.starts[index[0]], rows.starts[index[-1] + 1])
            tokens[place] = found.cpu().numpy()[inside.numpy()]
            drawn += int((changed.cpu() & inside).sum())
    return Rows(tokens, rows.starts, prompts=rows.prompts), drawn / len(tokens)


def _edited(
    config: LanguageConfig, model: PreTrainedModel, tokens: torch.Tensor, points: torch.Tensor, threshold: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens after editing and which of them were drawn again, both [rows, length]."""
    import torch

    start = torch.full_like(tokens[:, :1], config.bos)
    logits = model(torch.cat([start, tokens[:, :-1]], dim=1), use_cache=False).logits.float()
    if not bool(torch.isfinite(logits).all()):
        raise Diverged("editing: the model's probabilities are not finite")
    chance = torch.softmax(logits, dim=-1).gather(-1, tokens[..., None])[..., 0]
    again = chance >= threshold
    if config.sequences == "documents":
        again &= tokens != config.eos
        logits[..., config.eos] = -torch.inf
    fresh = inverse(cut(config, tempered(logits.flatten(0, 1), config.temperature)), points.flatten())
    return torch.where(again, fresh.view(tokens.shape), tokens), again
