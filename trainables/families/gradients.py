"""Gradients of models that are fitted side by side, each parameter of all of them one tensor, [replicates, …]."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def clip(parameters: Iterable[Tensor], largest: float) -> None:
    """Hold the norm of each replicate's gradient, as `clip_grad_norm_` does of one model's."""
    import torch

    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients])
    share = (largest / (torch.linalg.vector_norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *[1] * (gradient.ndim - 1)))
