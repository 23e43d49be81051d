"""Messages between all pairs of atoms, with their gradient written out: the part of the denoiser that costs.

Sums go into the accumulator of a product, and gradients into the place of what they replace, where autograd would
make a tensor of [pairs, messages] of each.
Shapes: B molecules, N atoms, M message, F pair features, P = B·N·N pairs.
"""

from __future__ import annotations

from typing import Any

import torch

Given = tuple[torch.Tensor, ...]

silu, silu_ = torch.ops.aten.silu, torch.ops.aten.silu_
silu_backward = torch.ops.aten.silu_backward


def pull_and_sum(*given: torch.Tensor, summed: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    """m_ij = silu(W₂ silu(target_i + source_j + W₁ f_ij + w d²_ij) + b) (Satorras et al. 2021, equation 3), read twice.

    Args:
        given: target_BNM, source_BNM, features_FP, d2_BNN, W₁ [M, F], w_M, W₂ [M, M], b_M, move_M, and pairs_BNN, 1
            where two different atoms are. Neither features nor pairs are given a gradient: they are data.
        summed: whether the sum is wanted.

    Returns:
        move · m_ij of every pair, [B, N, N]; and Σ_j m_ij over real pairs, [B, N, M], or None.
    """
    if not torch.is_grad_enabled():
        return _read(given, _messages(given), summed)
    found: tuple[torch.Tensor, torch.Tensor | None] = _PullAndSum.apply(summed, *given)  # type: ignore[no-untyped-call]
    return found


def _messages(given: Given) -> torch.Tensor:
    """[P, M], with nothing kept."""
    m_PM = torch.addmm(given[7], silu_(_first(given)[0]), given[6].t())
    silu_(m_PM)
    return m_PM


def _first(given: Given) -> tuple[torch.Tensor, torch.Tensor]:
    """The first map's result [P, M], the states' part as the accumulator of the pairs' product; and what the map
    saw of each pair, the distance now as its last feature."""
    target_BNM, source_BNM, features_FP, d2_BNN, first_MF, distance_M = given[:6]
    seen_FP = torch.cat([features_FP, d2_BNN.reshape(1, -1)])
    first_PM = (target_BNM[:, :, None] + source_BNM[:, None]).view(-1, len(distance_M))
    return first_PM.addmm_(seen_FP.t(), torch.cat([first_MF.t(), distance_M[None]])), seen_FP


def _read(given: Given, m_PM: torch.Tensor, summed: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
    move_M, pairs_BNN = given[8:]
    pull_BNN = torch.mv(m_PM, move_M).view_as(pairs_BNN)
    if not summed:
        return pull_BNN, None
    return pull_BNN, (pairs_BNN[:, :, None] @ m_PM.view(*pairs_BNN.shape, -1)).squeeze(2)


class _PullAndSum(torch.autograd.Function):
    """`pull_and_sum` with a gradient."""

    @staticmethod
    def forward(ctx: Any, summed: bool, *given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        _, _, _, _, _, distance_M, second_MM, bias_M, move_M, pairs_BNN = given
        first_PM, seen_FP = _first(given)
        a_PM = silu(first_PM)
        second_PM = torch.addmm(bias_M, a_PM, second_MM.t())
        m_PM = silu(second_PM)
        ctx.save_for_backward(seen_FP, first_PM, a_PM, second_PM, m_PM, distance_M, second_MM, move_M, pairs_BNN)
        return _read(given, m_PM, summed)

    @staticmethod
    def backward(ctx: Any, pull_BNN: torch.Tensor, heard_BNM: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        seen_FP, first_PM, a_PM, second_PM, m_PM, distance_M, second_MM, move_M, pairs_BNN = ctx.saved_tensors
        grad_BNNM = pull_BNN[..., None] * move_M
        if heard_BNM is not None:
            grad_BNNM.addcmul_(pairs_BNN[..., None], heard_BNM[:, :, None])
        grad_PM = grad_BNNM.view_as(m_PM)
        to_move = torch.mv(m_PM.t(), pull_BNN.flatten())
        silu_backward.grad_input(grad_PM, second_PM, grad_input=grad_PM)
        to_second, to_bias = grad_PM.t() @ a_PM, grad_PM.sum(0)
        grad_PM = grad_PM @ second_MM
        silu_backward.grad_input(grad_PM, first_PM, grad_input=grad_PM)
        to_first = seen_FP @ grad_PM
        to_d2 = torch.mv(grad_PM, distance_M).view_as(pairs_BNN) if ctx.needs_input_grad[4] else None
        ends_BNNM = grad_PM.view_as(grad_BNNM)
        maps = to_first[:-1].t(), to_first[-1], to_second, to_bias, to_move
        return None, ends_BNNM.sum(2), ends_BNNM.sum(1), None, to_d2, *maps, None
