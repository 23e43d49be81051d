"""Messages of many denoisers at once, with their gradient written out, as in `cpu.messages`.

On a CPU what lies between products is compiled (`loops.py`); elsewhere it is torch's, against which that is tested.
Letters: see `denoisers.py`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu


def pull_and_sum(*given: Tensor, summed: bool) -> tuple[Tensor, Tensor | None]:
    """m_ij = silu(W₂ silu(target_i + source_j + W₁ f_ij + w d²_ij) + b) (Satorras et al. 2021, equation 3), read twice.

    Args:
        given: target_RAM, source_RAM, features_RFP, d2_SNN, W₁ [R, F, M], w_RM, W₂ [R, M, M], b_RM, move_RM, and
            pairs_SNN, 1 where two different atoms are. Neither features nor pairs are given a gradient.
        summed: whether the sum is wanted.

    Returns:
        move · m_ij of every pair, [S, N, N]; and Σ_j m_ij over real pairs, [R, A, M], or None.
    """
    if _compiled(given[0]):
        found: tuple[Tensor, Tensor | None] = _PullAndSum.apply(summed, *given)  # type: ignore[no-untyped-call]
        return found
    return _plain(summed, *given)


def _plain(summed: bool, *given: Tensor) -> tuple[Tensor, Tensor | None]:
    """By torch's own functions and gradients."""
    target_RAM, source_RAM, features_RFP, d2_SNN, first_RFM, distance_RM, second_RMM, bias_RM, move_RM, pairs_SNN = (
        given
    )
    count, _, messages = target_RAM.shape
    size = pairs_SNN.shape[1]
    ends = target_RAM.view(-1, size, 1, messages) + source_RAM.view(-1, 1, size, messages)
    seen_RFP, map_RFM = _seen(features_RFP, d2_SNN), torch.cat([first_RFM, distance_RM[:, None]], 1)
    a_RPM = silu(torch.baddbmm(ends.view(count, -1, messages), seen_RFP.mT, map_RFM))
    m_RPM = silu(torch.baddbmm(bias_RM[:, None], a_RPM, second_RMM))
    pull_SNN = torch.bmm(m_RPM, move_RM[..., None]).view_as(pairs_SNN)
    if not summed:
        return pull_SNN, None
    heard = torch.bmm(pairs_SNN.view(-1, 1, size), m_RPM.view(-1, size, messages))
    return pull_SNN, heard.view(target_RAM.shape)


def _seen(features_RFP: Tensor, d2_SNN: Tensor) -> Tensor:
    """What the first map sees of each pair, the distance now as its last feature."""
    return torch.cat([features_RFP, d2_SNN.view(len(features_RFP), 1, -1)], 1)


def _compiled(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


class _PullAndSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, summed: bool, *given: Tensor) -> tuple[Tensor, Tensor | None]:
        from trainables.families.diffusion.replicates.loops import join_ends, read

        target, source, features_RFP, d2_SNN, first_RFM, distance_RM, second_RMM, bias_RM, move_RM, pairs_SNN = given
        size, messages = pairs_SNN.shape[1], target.shape[2]
        pairs, atoms = (len(pairs_SNN), size, size, messages), (len(pairs_SNN), size, messages)
        seen_RFP = _seen(features_RFP, d2_SNN)
        first_RPM = torch.bmm(seen_RFP.mT, torch.cat([first_RFM, distance_RM[:, None]], 1))
        a_RPM = torch.empty_like(first_RPM)
        join_ends(*_arrays(target.view(atoms), source.view(atoms), first_RPM.view(pairs), a_RPM.view(pairs)))
        second_RPM = torch.baddbmm(bias_RM[:, None], a_RPM, second_RMM)
        pull_SNN, heard = torch.empty_like(pairs_SNN), target.new_zeros(atoms if summed else (0, 0, 0))
        read(*_arrays(second_RPM.view(pairs), move_RM, pairs_SNN, pull_SNN, heard))
        ctx.save_for_backward(seen_RFP, first_RPM, a_RPM, second_RPM, distance_RM, second_RMM, move_RM, pairs_SNN)
        return pull_SNN, heard.view(target.shape) if summed else None

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        from trainables.families.diffusion.replicates.loops import join_slopes, read_slopes

        seen_RFP, first_RPM, a_RPM, second_RPM, distance_RM, second_RMM, move_RM, pairs_SNN = ctx.saved_tensors
        size, messages = pairs_SNN.shape[1], move_RM.shape[1]
        pairs, atoms = (len(pairs_SNN), size, size, messages), (len(pairs_SNN), size, messages)
        nothing = move_RM.new_zeros(0, 0, 0)
        by_pull, by_heard = slopes[0], nothing if slopes[1] is None else slopes[1].reshape(atoms)
        grad_RPM, to_move, to_bias = torch.empty_like(first_RPM), torch.zeros_like(move_RM), torch.zeros_like(move_RM)
        given = second_RPM.view(pairs), move_RM, pairs_SNN, by_pull, by_heard
        read_slopes(*_arrays(*given, grad_RPM.view(pairs), to_move, to_bias))
        to_second, grad_RPM = torch.bmm(a_RPM.mT, grad_RPM), torch.bmm(grad_RPM, second_RMM.mT)
        to_target, to_source = (move_RM.new_zeros(atoms) for _ in range(2))
        to_d2 = torch.empty_like(pairs_SNN) if ctx.needs_input_grad[4] else None
        ends = to_target, to_source, nothing if to_d2 is None else to_d2
        join_slopes(*_arrays(first_RPM.view(pairs), grad_RPM.view(pairs), distance_RM, *ends))
        to_first = torch.bmm(seen_RFP, grad_RPM)
        by_ends = (end.view(len(move_RM), -1, messages) for end in (to_target, to_source))
        return None, *by_ends, None, to_d2, to_first[:, :-1], to_first[:, -1], to_second, to_bias, to_move, None
