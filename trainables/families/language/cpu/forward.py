"""Forward passes in bfloat16 on a CPU: joined weights, cast once, and few passes over activations.

The same functions as transformers', with gradients written out. Single precision, a GPU and any other model take
transformers' own. Letters in tensor names: N tokens of all rows, D width, B rows, H heads, T tokens of a row,
K width of a head, G heads of all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import silu

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHORT = 256
"""Tokens of a row up to which keeping the chances that attention gives is cheaper than finding them again."""


def hidden(model: PreTrainedModel, tokens_BT: Tensor) -> Tensor:
    """The last hidden states after the final norm, [N, D], in bfloat16 on the paths written here."""
    from trainables.families.language.cpu import forward_gpt2, forward_llama

    dtype = compute_dtype(model.get_input_embeddings().weight)
    known_layers = not hasattr(model, "peft_config")  # adapters are layers of their own
    if known_layers and tokens_BT.device.type == "cpu" and dtype == torch.bfloat16 and tokens_BT.shape[1] <= SHORT:
        for fits, known in ((forward_llama.fits, forward_llama.hidden), (forward_gpt2.fits, forward_gpt2.hidden)):
            if fits(model):
                with torch.autocast("cpu", enabled=False):
                    return known(model, tokens_BT)
    found: Tensor = model.base_model(tokens_BT, use_cache=False).last_hidden_state.flatten(0, 1)
    return found


def compute_dtype(x: Tensor) -> torch.dtype:
    """Of matrix products here: autocast's where it is on."""
    where = x.device.type
    found: torch.dtype = torch.get_autocast_dtype(where) if torch.is_autocast_enabled(where) else x.dtype
    return found


def joined(*weights: Tensor) -> Tensor:
    """Matrices one below the other, in bfloat16."""
    found: Tensor = _Joined.apply(*weights)  # type: ignore[no-untyped-call]
    return found


def root_mean_square_norm(x_ND: Tensor, gain_D: Tensor, eps: float) -> Tensor:
    """x over its root mean square, times a gain (Zhang and Sennrich 2019, arXiv 1910.07467), in bfloat16."""
    found: Tensor = _RootMeanSquareNorm.apply(x_ND, gain_D, eps)  # type: ignore[no-untyped-call]
    return found


def gated(gate_up: Tensor) -> Tensor:
    """SiLU of the first half of the columns, times the second."""
    found: Tensor = _Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return found


def attention(qkv: Tensor, shape: tuple[int, int, int], turns: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Causal attention of queries, keys and values side by side, [N, 3 D], for shape (B, T, H), into [N, D].

    `turns` are cosines and sines of rotary embeddings, [T, K] each, the sign of rotate-half in the sines.
    """
    rows, length, heads = shape
    q_GTK, k_GTK, v_GTK = _Heads.apply(qkv, shape, turns)  # type: ignore[no-untyped-call]
    out_GTK = _Attended.apply(q_GTK, k_GTK, v_GTK)  # type: ignore[no-untyped-call]
    found: Tensor = out_GTK.view(rows, heads, length, -1).transpose(1, 2).reshape(rows * length, -1)
    return found


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *weights: Tensor) -> Tensor:
        ctx.sizes = [len(weight) for weight in weights]
        found = torch.empty(sum(ctx.sizes), weights[0].shape[1], dtype=torch.bfloat16)
        for place, weight in zip(torch.split(found, ctx.sizes), weights, strict=True):
            place.copy_(weight)
        return found

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.float() for part in torch.split(slopes[0], ctx.sizes))


class _RootMeanSquareNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_ND: Tensor, gain_D: Tensor, eps: float) -> Tensor:
        length_N1 = torch.linalg.vector_norm(x_ND, dim=1, keepdim=True)
        scale_N1 = length_N1.square_().div_(x_ND.shape[1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x_ND, scale_N1, gain_D)
        return torch.mul(x_ND, scale_N1).mul_(gain_D).bfloat16()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        x_ND, scale_N1, gain_D = ctx.saved_tensors
        unit_ND, by_out = x_ND * scale_N1, slopes[0].float()
        both = by_out * unit_ND
        along_N1 = (both @ gain_D)[:, None].div_(-len(gain_D))
        by_x = by_out.mul_(gain_D).addcmul_(unit_ND, along_N1).mul_(scale_N1)
        return by_x, both.sum(dim=0), None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        gate, up = gate_up.chunk(2, dim=1)
        opened = silu(gate)
        ctx.save_for_backward(gate_up, opened)
        return opened * up

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        gate_up, opened = ctx.saved_tensors
        gate, up = gate_up.chunk(2, dim=1)
        found = torch.empty_like(gate_up)
        by_gate, by_up = found.chunk(2, dim=1)
        torch.mul(slopes[0], opened, out=by_up)
        by_gate.copy_(torch.ops.aten.silu_backward(slopes[0] * up, gate))
        return found


class _Heads(torch.autograd.Function):
    """Queries and keys, turned by their places, and values: three of [G, T, K]."""

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, shape: tuple[int, int, int], turns: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, ...]:
        rows, length, heads = shape
        parts = qkv.view(rows, length, 3, heads, -1).unbind(2)
        q_GTK, k_GTK, v_GTK = (part.transpose(1, 2).flatten(0, 1) for part in parts)
        ctx.shape, ctx.turns = shape, turns
        if turns is not None:
            q_GTK, k_GTK = _turned(q_GTK, *turns), _turned(k_GTK, *turns)
        return q_GTK, k_GTK, v_GTK

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        rows, length, heads = ctx.shape
        by_q, by_k, by_v = slopes
        if ctx.turns is not None:
            cos_TK, sin_TK = ctx.turns
            by_q, by_k = _turned(by_q, cos_TK, -sin_TK), _turned(by_k, cos_TK, -sin_TK)
        found = by_q.new_empty(rows, length, 3, heads, by_q.shape[-1])
        for place, part in zip(found.unbind(2), (by_q, by_k, by_v), strict=True):
            place.copy_(part.view(rows, heads, length, -1).transpose(1, 2))
        return found.view(rows * length, -1), None, None


class _Attended(torch.autograd.Function):
    """Causal attention of [G, T, K] each that keeps its chances."""

    @staticmethod
    def forward(ctx: Any, q_GTK: Tensor, k_GTK: Tensor, v_GTK: Tensor) -> Tensor:
        length, ctx.scale = q_GTK.shape[1], q_GTK.shape[2] ** -0.5
        later_TT = torch.full((length, length), float("-inf"), dtype=q_GTK.dtype, device=q_GTK.device).triu_(1)
        chances_GTT = torch.baddbmm(later_TT, q_GTK, k_GTK.mT, alpha=ctx.scale).softmax(dim=-1)
        ctx.save_for_backward(q_GTK, k_GTK, v_GTK, chances_GTT)
        return chances_GTT @ v_GTK

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, ...]:
        q_GTK, k_GTK, v_GTK, chances_GTT = ctx.saved_tensors
        by_chances_GTT = slopes[0] @ v_GTK.mT
        by_score_GTT = torch._softmax_backward_data(by_chances_GTT, chances_GTT, -1, chances_GTT.dtype)
        by_q_GTK = (by_score_GTT @ k_GTK).mul_(ctx.scale)
        by_k_GTK = (by_score_GTT.mT @ q_GTK).mul_(ctx.scale)
        return by_q_GTK, by_k_GTK, chances_GTT.mT @ slopes[0]


def _turned(x_GTK: Tensor, cos_TK: Tensor, sin_TK: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864)."""
    x = x_GTK.float()
    return torch.addcmul(x * cos_TK, x.roll(x.shape[-1] // 2, dims=-1), sin_TK).bfloat16()
