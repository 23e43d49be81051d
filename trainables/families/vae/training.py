"""The one training loop: AdamW on shuffled rows, cosine schedule with warm-up, a watch on the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.families.base import Diverged
from trainables.runtime import pick_device, seeded

BETAS = (0.9, 0.95)

CHECK_EVERY = 32
"""Updates between two looks at whether the loss is still finite: a look waits for the device."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; the fields of `VaeConfig`."""

    updates: int
    batch: int
    learning_rate: float
    final_learning_rate: float = 0.01
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip: float | None = None

    def rate(self, step: int) -> float:
        """The learning rate of update `step` (from 0)."""
        warm = max(1, round(self.warmup * self.updates))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        along = (step - warm) / max(1, self.updates - warm)
        share = self.final_learning_rate + (1 - self.final_learning_rate) * 0.5 * (1 + math.cos(math.pi * along))
        return self.learning_rate * share


def train(module: nn.Module, loss: Callable[[Tensor], Tensor], rows: int, plan: Schedule, seed: int) -> float:
    """Minimise `loss` of row numbers; returns its mean over the last updates.

    Args:
        module: what is trained, in place.
        loss: of row numbers [k], on the CPU, a scalar.
        rows: of the corpus.
        plan: schedule.
        seed: of the order of rows.

    Raises:
        Diverged: a loss or a weight is not finite; says at which update.
    """
    optimizer = _optimizer(module, plan)
    batches = shuffled(rows, min(plan.batch, rows), seeded(seed))
    module.train()
    recent = torch.zeros((), device=pick_device())
    count = mean = 0.0
    for step in range(plan.updates):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        value = loss(next(batches))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        if plan.clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
        optimizer.step()
        recent, count = recent + value.detach(), count + 1
        if count == CHECK_EVERY or step + 1 == plan.updates:
            mean = float(recent) / count
            require_finite(mean, f"training loss by update {step + 1} of {plan.updates}")
            recent, count = torch.zeros_like(recent), 0.0
    total = sum(p.detach().double().abs().sum() for p in module.parameters())
    require_finite(float(total), f"weights after update {plan.updates}")
    module.eval()
    return mean


def shuffled(rows: int, batch: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of one update after another, endlessly: each pass is a new permutation."""
    waiting = torch.randperm(rows, generator=generator)
    while True:
        while len(waiting) < batch:
            waiting = torch.cat([waiting, torch.randperm(rows, generator=generator)])
        yield waiting[:batch]
        waiting = waiting[batch:]


def require_finite(value: float, what: str) -> None:
    """Raise `Diverged` where a number is not finite."""
    if not math.isfinite(value):
        raise Diverged(f"{what}: {value}")


def _optimizer(module: nn.Module, plan: Schedule) -> torch.optim.Optimizer:
    """Biases and scales do not decay."""
    matrices = [p for p in module.parameters() if p.ndim >= 2]
    return optimizer(matrices, [p for p in module.parameters() if p.ndim < 2], plan)


def optimizer(matrices: Sequence[Tensor], vectors: Sequence[Tensor], plan: Schedule) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    fused = pick_device().type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=plan.learning_rate, betas=BETAS, fused=fused)
