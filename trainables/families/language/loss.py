"""Cross-entropy without the logits of a whole batch: a chunk of tokens at a time, gradients taken on the way.

Letters in tensor names: N tokens, D width, V vocabulary.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.families.language.config import BOS
from trainables.families.language.cpu import compute_dtype, hidden
from trainables.families.language.sampling import ALIKE

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHUNK = {"cpu": 2**19, "cuda": 2**27}
"""Logits held at a time; a CPU keeps so many in its second cache."""

SINGLE = "single_precision_sdpa"
"""Attention in single precision whatever the autocast."""


def read_after_bos(tokens: Tensor, bos: int = BOS) -> Tensor:
    """What a model reads to predict `tokens`, [rows, length]: BOS and all but the last."""
    return torch.cat([torch.full_like(tokens[:, :1], bos), tokens[:, :-1]], dim=1)


def weighted_loss(
    model: PreTrainedModel, tokens: Tensor, share: Tensor, bos: int = BOS, above: float | None = None
) -> Tensor:
    """Σ share · −log p(token | BOS and the tokens before it), with `tokens` and `share` of shape [rows, length].

    A token whose probability exceeds `above` counts nothing (truncated cross-entropy of ForTIFAI, arXiv 2509.08972).
    """
    if not plain_head(model):
        least = _least(above)
        logits = model(read_after_bos(tokens, bos), use_cache=False).logits.float()
        losses = cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none")
        kept = share.flatten() if least is None else share.flatten() * (losses.detach() >= least)
        return (losses * kept).sum()
    read_ND = hidden(model, read_after_bos(tokens, bos))
    return hidden_loss(read_ND, model.lm_head.weight, tokens.flatten(), share.flatten(), above)


def hidden_loss(
    hidden_ND: Tensor, head_VD: Tensor, tokens_N: Tensor, share_N: Tensor, above: float | None = None
) -> Tensor:
    """The same sum from last hidden states and the matrix that gives logits of them."""
    loss: Tensor = _Chunked.apply(hidden_ND, head_VD, tokens_N, share_N, _least(above))  # type: ignore[no-untyped-call]
    return loss


def _least(above: float | None) -> float | None:
    """The loss of a token of such a probability."""
    return None if above is None else -math.log(above)


def plain_head(model: PreTrainedModel) -> bool:
    """Whether logits are known to be a product of the last hidden state and a matrix, and nothing else."""
    return model.config.model_type in ALIKE | {"gpt2"}


def chunk(head_VD: Tensor) -> int:
    """Tokens whose logits are held at a time."""
    return max(CHUNK["cpu" if head_VD.device.type == "cpu" else "cuda"] // len(head_VD), 1)


def attend_in_single_precision(model: PreTrainedModel) -> None:
    """On a CPU the gradient of attention takes five times as long in bfloat16 as in single precision."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    if model.config._attn_implementation == "sdpa":
        AttentionInterface.register(SINGLE, _single)
        AttentionMaskInterface.register(SINGLE, sdpa_mask)
        model.set_attn_implementation(SINGLE)


def _single(module: Any, query: Tensor, key: Tensor, value: Tensor, *args: Any, **named: Any) -> Any:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    with torch.autocast(query.device.type, enabled=False):
        return sdpa_attention_forward(module, query.float(), key.float(), value.float(), *args, **named)


class _Chunked(torch.autograd.Function):
    """The loss and, in the same pass, its gradients by hidden states and head."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, head_VD: Tensor, tokens_N: Tensor, share_N: Tensor, least: float | None
    ) -> Tensor:
        where, dtype = hidden_ND.device.type, compute_dtype(hidden_ND)
        hidden, head = hidden_ND.detach().to(dtype), head_VD.detach().to(dtype)
        by_hidden = torch.empty_like(hidden_ND)
        by_head = torch.zeros_like(head_VD) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), device=hidden.device)
        size = chunk(head_VD)
        with torch.autocast(where, enabled=False):
            for start in range(0, len(hidden), size):
                part = slice(start, start + size)
                losses_N, slopes = _slopes((hidden[part] @ head.T).float(), tokens_N[part])
                kept_N = share_N[part] if least is None else share_N[part] * (losses_N >= least)
                total += losses_N @ kept_N
                slopes, share_N1 = slopes.to(dtype), kept_N[:, None]
                by_hidden[part] = (slopes @ head) * share_N1
                if by_head is not None:
                    by_head += slopes.T @ (hidden[part] * share_N1).to(dtype)
        ctx.save_for_backward(by_hidden, by_head)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        by_hidden, by_head = ctx.saved_tensors
        return by_hidden * slopes[0], None if by_head is None else by_head * slopes[0], None, None, None


def _slopes(logits_NV: Tensor, tokens_N: Tensor) -> tuple[Tensor, Tensor]:
    """−log p of each token, and its gradient by the logits: p − 1{token}."""
    here_N1 = tokens_N[:, None]
    logs_NV = logits_NV.log_softmax(dim=1)
    losses_N = -logs_NV.gather(1, here_N1)[:, 0]
    slopes_NV = logs_NV.exp_()
    return losses_N, slopes_NV.scatter_add_(1, here_N1, torch.full_like(here_N1, -1, dtype=slopes_NV.dtype))
