"""Causal attention within documents that share lines: by kernels for sequences of different lengths, or by a mask."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.runtime import warn_once

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WITHIN = "attention_within_documents"
"""The name under which transformers finds it."""

ALIKE = 0.02
"""Largest difference to masked attention, in bfloat16, of outputs and gradients of normal numbers, over the largest of
these: what rounds elsewhere differs by a last digit, 0.004 to 0.008 of it."""


def attend_within_documents(model: PreTrainedModel) -> None:
    """From now on the model attends by `segments` and `longest` among the words of its call, or by its mask.

    transformers makes no mask for it: whole lines are causal, packed ones bring their own.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(WITHIN, _within)
    model.set_attn_implementation(WITHIN)


def document_mask(document_LT: Tensor) -> Tensor:
    """Which places each place sees, [L, 1, T, T]: those of its document up to itself."""
    same_LTT = document_LT[:, :, None] == document_LT[:, None, :]
    return same_LTT.tril()[:, None]


def _within(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **named: Any) -> Any:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    segments, longest = named.pop("segments", None), named.pop("longest", 0)
    if segments is None:
        return sdpa_attention_forward(module, query, key, value, mask, **named)
    return _flat(query, key, value, segments, longest, named.get("scaling")), None


def _flat(
    q_LHTK: Tensor, k_LHTK: Tensor, v_LHTK: Tensor, segments: Tensor, longest: int, scale: float | None
) -> Tensor:
    """Causal attention of each segment of the flattened lines, [L, T, H, K], in the precision of the values: rotations
    make queries and keys single, which autocast undoes for torch's other attention and not for this one.
    """
    from torch.nn.attention import varlen

    flat = [part.to(v_LHTK.dtype).transpose(1, 2).flatten(0, 1) for part in (q_LHTK, k_LHTK, v_LHTK)]
    lines, heads, places, width = q_LHTK.shape
    words = dict(_words())
    if words.pop("scaled"):
        words["scale"] = scale
    elif scale is not None:
        flat[0] = flat[0] * (scale * width**0.5)
    attend: Any = varlen.varlen_attn
    found: Tensor = attend(*flat, segments, segments, longest, longest, **words)
    return found.view(lines, places, heads, width)


@lru_cache(maxsize=1)
def _words() -> dict[str, Any]:
    """How this version of torch says causal, and whether a scale can be said."""
    from torch.nn.attention import varlen

    named = inspect.signature(varlen.varlen_attn).parameters
    causal: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in named else {"is_causal": True}
    return causal | {"scaled": "scale" in named}


@lru_cache(maxsize=8)
def kernels_agree(width: int, device: torch.device) -> bool:
    """Whether kernels for different lengths are there for heads of this width, and give what a mask gives, gradients
    included. Compared once a process, on normal numbers in bfloat16: such kernels are young, and differ by version.
    """
    if device.type != "cuda":
        return False
    try:
        return _difference(width, device) < ALIKE
    except Exception as problem:  # absent, or not for this card, precision or width
        warn_once("attended by kernels for different lengths", problem)
        return False


def _difference(width: int, device: torch.device) -> float:
    """The largest between both ways, of outputs and gradients, each over its largest number."""
    draws, scale = torch.Generator().manual_seed(0), width**-0.5
    drawn = torch.randn(4, 2, 2, 64, width, generator=draws).to(device, torch.bfloat16)
    ends = torch.tensor([0, 40, 64, 64 + 10, 128], dtype=torch.int32, device=device)
    place = torch.arange(128, device=device)
    document_LT = torch.searchsorted(ends, place, right=True).view(2, 64)
    mask = document_mask(document_LT)
    found = []
    for kernel in (True, False):
        q, k, v = (part.clone().requires_grad_(True) for part in drawn[:3])
        if kernel:
            out = _flat(q, k, v, ends, 64, scale)
        else:
            out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale).transpose(1, 2)
        torch.autograd.backward((out * drawn[3].transpose(1, 2)).float().sum())
        found.append([out.detach(), q.grad, k.grad, v.grad])
    pairs = [(one.float(), other.float()) for one, other in zip(*found, strict=True)]
    return max(float((one - other).abs().max() / other.abs().max()) for one, other in pairs)
