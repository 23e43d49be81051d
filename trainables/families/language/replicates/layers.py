"""Layers of many models of one shape at once: products are batched over a leading axis of replicates.

On a CPU in single precision what lies between products is compiled (`loops.py`), with gradients written out; anywhere
else it is torch's own, which is also what the compiled form is tested against. Letters in tensor names: R replicates, N
tokens of all rows, D width, V vocabulary, T tokens of a row, H heads, K width of a head, G heads of all rows, C tokens
of a chunk.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SHORT = 256
"""Tokens of a row up to which keeping the chances that attention gives is cheaper than finding them again."""

Turns = tuple[Tensor, Tensor]
"""Cosines and sines of rotary embeddings, [T, K] each, the sign of rotate-half in the sines."""


def embed(tokens_RN: Tensor, table_RVD: Tensor, places_RTD: Tensor | None) -> Tensor:
    """Rows of the table and, where there are any, of places, [R, N, D]."""
    if _compiled(table_RVD):
        found: Tensor = _Embedded.apply(tokens_RN, table_RVD, places_RTD)  # type: ignore[no-untyped-call]
        return found
    x_RND = table_RVD.gather(1, tokens_RN[..., None].expand(-1, -1, table_RVD.shape[2]))
    if places_RTD is None:
        return x_RND
    count, length, width = places_RTD.shape
    return (x_RND.view(count, -1, length, width) + places_RTD[:, None]).flatten(1, 2)


def norm(
    x_RND: Tensor, change_RND: Tensor | None, gain_RD: Tensor, shift_RD: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """x + change, and its LayerNorm or, where there is no shift, RMSNorm."""
    if _compiled(x_RND):
        change_RND = None if change_RND is None else change_RND.to(x_RND.dtype)
        both: tuple[Tensor, Tensor] = _Normed.apply(x_RND, change_RND, gain_RD, shift_RD, eps)  # type: ignore[no-untyped-call]
        return both
    kept_RND = x_RND if change_RND is None else x_RND + change_RND
    if shift_RD is None:
        return kept_RND, F.rms_norm(kept_RND, kept_RND.shape[-1:], eps=eps) * gain_RD[:, None]
    unit_RND = F.layer_norm(kept_RND, kept_RND.shape[-1:], eps=eps)
    return kept_RND, torch.addcmul(shift_RD[:, None], unit_RND, gain_RD[:, None])


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """[R, N, inputs] through matrices [R, inputs, outputs] and biases [R, outputs], in the precision of the first."""
    x = x.to(weight.dtype)
    return torch.bmm(x, weight) if bias is None else torch.baddbmm(bias[:, None].to(x.dtype), x, weight)


def attend(qkv: Tensor, length: int, heads: int, turns: Turns | None = None) -> Tensor:
    """Causal attention of queries, keys and values side by side, [R, N, 3 D], in rows of `length`, into [R, N, D]."""
    count, tokens, columns = qkv.shape
    parts = qkv.view(-1, length, 3, heads, columns // 3 // heads)
    if _compiled(qkv) and length <= SHORT:
        cos, sin = turns if turns is not None else (qkv.new_zeros(0, 0), qkv.new_zeros(0, 0))
        found: Tensor = _Attended.apply(parts, cos, sin)  # type: ignore[no-untyped-call]
        return found.view(count, tokens, -1)
    q, k, v = parts.permute(2, 0, 3, 1, 4)
    if turns is not None:
        q, k = (turned(part, *turns).to(v.dtype) for part in (q, k))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return out.transpose(1, 2).reshape(count, tokens, -1)


def turned(x: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864)."""
    return torch.addcmul(x * cos_TK, x.roll(x.shape[-1] // 2, dims=-1), sin_TK)


def gelu(x: Tensor) -> Tensor:
    """By its tanh form."""
    found: Tensor = _Gelu.apply(x) if _compiled(x) else F.gelu(x, approximate="tanh")  # type: ignore[no-untyped-call]
    return found


def gated(both: Tensor) -> Tensor:
    """SiLU of the first half of the columns, times the second."""
    if _compiled(both):
        found: Tensor = _Gated.apply(both)  # type: ignore[no-untyped-call]
        return found
    gate, up = both.chunk(2, dim=-1)
    return F.silu(gate) * up


def cross_entropy(
    hidden_RND: Tensor, head_RVD: Tensor, tokens_RN: Tensor, share_RN: Tensor, above: float | None, chunk: int
) -> Tensor:
    """Σ share · −log p(token) of each replicate, [R], a chunk of tokens at a time, gradients taken on the way.

    A token whose probability exceeds `above` counts nothing, as in `loss.weighted_loss`.
    """
    least = -math.inf if above is None else -math.log(above)
    found: Tensor = _Chunked.apply(hidden_RND, head_RVD, tokens_RN, share_RN, least, chunk)  # type: ignore[no-untyped-call]
    return found


def token_losses(hidden_RND: Tensor, head_RVD: Tensor, tokens_RN: Tensor, chunk: int) -> Tensor:
    """−log p(token), [R, N], a chunk of tokens at a time, without gradients."""
    dtype = compute_dtype(hidden_RND)
    hidden, factor = hidden_RND.to(dtype), head_RVD.to(dtype).mT
    with torch.autocast(hidden.device.type, enabled=False):
        pairs = zip(torch.split(hidden, chunk, dim=1), torch.split(tokens_RN, chunk, dim=1), strict=True)
        return torch.cat([_losses(torch.bmm(part, factor).float(), aims) for part, aims in pairs], dim=1)


def compute_dtype(x: Tensor) -> torch.dtype:
    """Of matrix products here: autocast's where it is on."""
    where = x.device.type
    found: torch.dtype = torch.get_autocast_dtype(where) if torch.is_autocast_enabled(where) else x.dtype
    return found


def _compiled(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == compute_dtype(x) == torch.float32


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _or_nothing(x: Tensor | None, like: Tensor, axes: int) -> Tensor:
    return like.new_zeros((0,) * axes) if x is None else x


class _Embedded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens_RN: Tensor, table_RVD: Tensor, places_RTD: Tensor | None) -> Tensor:
        from trainables.families.language.replicates.loops import embed

        ctx.save_for_backward(tokens_RN)
        ctx.shapes = table_RVD.shape, None if places_RTD is None else places_RTD.shape
        x_RND = table_RVD.new_empty(*tokens_RN.shape, table_RVD.shape[2])
        embed(*_arrays(tokens_RN, table_RVD, _or_nothing(places_RTD, table_RVD, 3), x_RND))
        return x_RND

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        from trainables.families.language.replicates.loops import embed_slopes

        by_table = slopes[0].new_zeros(ctx.shapes[0])
        by_places = None if ctx.shapes[1] is None else slopes[0].new_zeros(ctx.shapes[1])
        embed_slopes(*_arrays(*ctx.saved_tensors, slopes[0], by_table, _or_nothing(by_places, by_table, 3)))
        return None, by_table, by_places


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_RND: Tensor, change_RND: Tensor | None, gain_RD: Tensor, shift_RD: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor]:
        from trainables.families.language.replicates.loops import norm

        kept_RND, out_RND = torch.empty_like(x_RND), torch.empty_like(x_RND)
        means_RN, scales_RN = (x_RND.new_empty(x_RND.shape[:2]) for _ in range(2))
        given = x_RND, _or_nothing(change_RND, x_RND, 3), gain_RD, _or_nothing(shift_RD, x_RND, 2)
        norm(*[*_arrays(*given), np.float32(eps), *_arrays(kept_RND, out_RND, means_RN, scales_RN)])
        ctx.save_for_backward(kept_RND, gain_RD, means_RN, scales_RN)
        ctx.changed, ctx.shifted = change_RND is not None, shift_RD is not None
        return kept_RND, out_RND

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        from trainables.families.language.replicates.loops import norm_slopes

        kept_RND, gain_RD, means_RN, scales_RN = ctx.saved_tensors
        by_x, by_gain = torch.empty_like(kept_RND), torch.zeros_like(gain_RD)
        by_shift = torch.zeros_like(gain_RD) if ctx.shifted else None
        given = *slopes, kept_RND, gain_RD, means_RN, scales_RN
        norm_slopes(*_arrays(*given, by_x, by_gain, _or_nothing(by_shift, gain_RD, 2)))
        return by_x, by_x if ctx.changed else None, by_gain, by_shift, None


class _Attended(torch.autograd.Function):
    """Causal attention of [rows, T, 3, H, K] that keeps its chances."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
        from trainables.families.language.replicates.loops import chances, split

        rows, length, _, heads, width = parts.shape
        q, k, v = (parts.new_empty(rows, heads, length, width) for _ in range(3))
        split(*_arrays(parts, cos_TK, sin_TK, q, k, v))
        q_GTK, k_GTK, v_GTK = (part.flatten(0, 1) for part in (q, k, v))
        chances_GTT = torch.bmm(q_GTK, k_GTK.mT)
        chances(chances_GTT.numpy(), np.float32(width**-0.5))
        ctx.save_for_backward(q_GTK, k_GTK, v_GTK, chances_GTT, cos_TK, sin_TK)
        ctx.shape = parts.shape
        out_GTK = torch.bmm(chances_GTT, v_GTK)
        return out_GTK.view(rows, heads, length, width).transpose(1, 2).reshape(rows, length, -1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        from trainables.families.language.replicates.loops import score_slopes, split_slopes

        q_GTK, k_GTK, v_GTK, chances_GTT, cos_TK, sin_TK = ctx.saved_tensors
        rows, length, _, heads, width = ctx.shape
        by_out_GTK = slopes[0].view(rows, length, heads, width).transpose(1, 2).reshape(-1, length, width)
        by_scores_GTT = torch.bmm(by_out_GTK, v_GTK.mT)
        score_slopes(chances_GTT.numpy(), by_scores_GTT.numpy(), np.float32(width**-0.5))
        by_q, by_k = torch.bmm(by_scores_GTT, k_GTK), torch.bmm(by_scores_GTT.mT, q_GTK)
        by_parts = q_GTK.new_empty(ctx.shape)
        each = (part.view(rows, heads, length, width) for part in (by_q, by_k, torch.bmm(chances_GTT.mT, by_out_GTK)))
        split_slopes(*_arrays(*each, cos_TK, sin_TK, by_parts))
        return by_parts, None, None


class _Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        from trainables.families.language.replicates.loops import gelu

        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        gelu(*_arrays(x.flatten(), out.view(-1)))
        return out

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        from trainables.families.language.replicates.loops import gelu_slopes

        (x,) = ctx.saved_tensors
        by_x = torch.empty_like(x)
        gelu_slopes(*_arrays(x.flatten(), slopes[0].flatten(), by_x.view(-1)))
        return by_x


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        from trainables.families.language.replicates.loops import gated

        ctx.save_for_backward(both)
        out = both.new_empty(*both.shape[:-1], both.shape[-1] // 2)
        gated(*_arrays(both.flatten(0, -2), out.view(-1, out.shape[-1])))
        return out

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        from trainables.families.language.replicates.loops import gated_slopes

        (both,) = ctx.saved_tensors
        by_both = torch.empty_like(both)
        gated_slopes(*_arrays(both.flatten(0, -2), slopes[0].flatten(0, -2), by_both.view(-1, both.shape[-1])))
        return by_both


class _Chunked(torch.autograd.Function):
    """The losses and, in the same pass, their gradients by hidden states and heads."""

    @staticmethod
    def forward(
        ctx: Any, hidden_RND: Tensor, head_RVD: Tensor, tokens_RN: Tensor, share_RN: Tensor, least: float, chunk: int
    ) -> Tensor:
        dtype = compute_dtype(hidden_RND)
        hidden, head = hidden_RND.detach().to(dtype), head_RVD.detach().to(dtype)
        by_hidden, by_head = torch.empty_like(hidden_RND), torch.zeros_like(head_RVD)
        total_R = torch.zeros(len(hidden), device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, hidden.shape[1], chunk):
                part = slice(start, start + chunk)
                logits = torch.bmm(hidden[:, part], head.mT).float()
                losses_RC, slopes = _slopes(logits, tokens_RN[:, part], share_RN[:, part], least)
                total_R += losses_RC
                by_hidden[:, part] = torch.bmm(slopes.to(dtype), head)
                by_head += torch.bmm(slopes.mT.to(dtype), hidden[:, part])
        ctx.save_for_backward(by_hidden, by_head)
        return total_R

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        by_hidden, by_head = ctx.saved_tensors
        each = slopes[0][:, None, None]
        return by_hidden * each, by_head * each, None, None, None, None


def _slopes(logits_RCV: Tensor, tokens_RC: Tensor, share_RC: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """Σ share · −log p(token) of each replicate, [R], and its gradient by the logits, in their place."""
    if _compiled(logits_RCV):
        from trainables.families.language.replicates.loops import token_slopes

        losses_RC = logits_RCV.new_empty(tokens_RC.shape)
        token_slopes(*[*_arrays(logits_RCV, tokens_RC, share_RC), np.float32(least), losses_RC.numpy()])
        return (losses_RC * share_RC * ~(losses_RC < least)).sum(1), logits_RCV
    logs_RCV = logits_RCV.log_softmax(dim=-1)
    losses_RC = -logs_RCV.gather(2, tokens_RC[..., None])[..., 0]
    counted_RC1 = (share_RC * ~(losses_RC < least))[..., None]
    slopes_RCV = logs_RCV.exp_().mul_(counted_RC1).scatter_add_(2, tokens_RC[..., None], -counted_RC1)
    return (losses_RC * counted_RC1[..., 0]).sum(1), slopes_RCV


def _losses(logits_RCV: Tensor, tokens_RC: Tensor) -> Tensor:
    """−log p(token), [R, C]; may overwrite the logits."""
    if _compiled(logits_RCV):
        from trainables.families.language.replicates.loops import token_losses

        losses_RC = logits_RCV.new_empty(tokens_RC.shape)
        token_losses(*_arrays(logits_RCV, tokens_RC, losses_RC))
        return losses_RC
    losses = F.cross_entropy(logits_RCV.flatten(0, 1), tokens_RC.flatten(), reduction="none")
    return losses.view(tokens_RC.shape)
