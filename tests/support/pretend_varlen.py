"""Attention over sequences of different lengths on a pretended card, with the limits of torch's.

Computed as flash attention does, in single precision but for chances, which are rounded before values are summed.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.support.pretend_card import HALVES, Card, OnCard

WIDEST = 256
"""Of heads that flash attention has kernels for."""


def pretend_varlen(card: Card) -> Any:
    """As `torch.nn.attention.varlen.varlen_attn`, causal or not, without windows."""

    def varlen_attn(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        cu_seq_q: Tensor,
        cu_seq_k: Tensor,
        max_q: int,
        max_k: int,
        *,
        scale: float | None = None,
        window_size: tuple[int, int] = (-1, -1),
    ) -> Tensor:
        _check(card, (query, key, value), cu_seq_q, max_q)
        places = torch.arange(len(query), device=query.device)
        document = torch.searchsorted(cu_seq_q, places.int(), right=True)
        seen = document[:, None] == document
        if window_size == (-1, 0):
            seen = seen.tril()
        with torch.autocast("cuda", enabled=False):
            q, k, v = (part.transpose(0, 1).float() for part in (query, key, value))
            scores = q @ k.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
            chances = scores.masked_fill(~seen, float("-inf")).softmax(-1).to(query.dtype).float()
            return (chances @ v).transpose(0, 1).to(query.dtype)

    return varlen_attn


def _check(card: Card, parts: tuple[Tensor, ...], ends: Tensor, longest: int) -> None:
    """What kernels refuse, and, as only the host here can, what they take for granted."""
    if any(part.dtype not in HALVES for part in parts):
        card.refuse("FlashAttention only support fp16 and bf16 data type")
    if parts[0].shape[-1] > WIDEST or parts[0].shape[-1] % 8:
        card.refuse("FlashAttention has no kernel for heads of this width")
    if ends.dtype != torch.int32 or not isinstance(ends, OnCard):
        card.refuse("cu_seqlens must be int32, on the card")
    assert isinstance(ends, OnCard)
    lengths = ends.inner.diff()
    if int(ends.inner[0]) or int(ends.inner[-1]) != len(parts[0]) or lengths.min() < 0 or lengths.max() > longest:
        card.refuse("sequences that do not cover what is read, or are longer than was said")
