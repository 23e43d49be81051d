"""The one training loop: AdamW on shuffled rows, cosine schedule with warm-up, a watch on the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.families.base import Diverged
from trainables.families.vae.network import exact
from trainables.runtime import Captured, pick_device, seeded

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


def alone(index: Tensor) -> tuple[Tensor, ...]:
    """Row numbers, and nothing drawn beside them."""
    return (index,)


def train(
    module: nn.Module,
    loss: Callable[..., Tensor],
    rows: int,
    plan: Schedule,
    seed: int,
    inputs: Callable[[Tensor], tuple[Tensor, ...]] = alone,
    resident: bool = False,
) -> float:
    """Minimise `loss` of row numbers; returns its mean over the last updates.

    Args:
        module: what is trained, in place.
        loss: of what `inputs` gives, a scalar.
        rows: of the corpus.
        plan: schedule.
        seed: of the order of rows.
        inputs: what an update's loss reads: its row numbers [k], and what is drawn for them, on the CPU.
        resident: whether all else that `loss` reads stays where it is on the device, so that an update can be recorded.

    Raises:
        Diverged: a loss or a weight is not finite; says at which update.
    """
    update = (_Recorded if resident and pick_device().type == "cuda" else _Update)(module, loss, plan)
    batches = shuffled(rows, min(plan.batch, rows), seeded(seed))
    module.train()
    recent = torch.zeros((), device=pick_device())
    count = mean = 0.0
    for step in range(plan.updates):
        recent, count = recent + update(plan.rate(step), inputs(next(batches))), count + 1
        if count == CHECK_EVERY or step + 1 == plan.updates:
            mean = float(recent) / count
            require_finite(mean, f"training loss by update {step + 1} of {plan.updates}")
            recent, count = torch.zeros_like(recent), 0.0
    total = sum(p.detach().double().abs().sum() for p in module.parameters())
    require_finite(float(total), f"weights after update {plan.updates}")
    module.eval()
    return mean


class _Update:
    """One update after another of a module."""

    def __init__(self, module: nn.Module, loss: Callable[..., Tensor], plan: Schedule) -> None:
        self.module, self.loss, self.clip = module, loss, plan.clip
        self.optimizer = _optimizer(module, plan)

    def __call__(self, rate: float, inputs: tuple[Tensor, ...]) -> Tensor:
        """Its loss before it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return self.apply(inputs)

    def apply(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """At the rate that the optimiser holds."""
        value = self.loss(*inputs)
        self.optimizer.zero_grad(set_to_none=True)
        with exact():
            torch.autograd.backward(value)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        return value.detach()


class _Recorded(_Update):
    """The same as work on tensors that stay where they are, a CUDA graph where that can be recorded.

    The numbers are those of `_Update` up to the rounding of the learning rate, held in single precision: order and
    latents are drawn on the CPU as ever.
    """

    def __init__(self, module: nn.Module, loss: Callable[..., Tensor], plan: Schedule) -> None:
        super().__init__(module, loss, plan)
        where = pick_device()
        self.rate, self.value = (torch.zeros((), device=where) for _ in range(2))
        for group in self.optimizer.param_groups:
            group |= {"lr": self.rate, "capturable": where.type == "cuda"}
        self.inputs: tuple[Tensor, ...] = ()
        self.run = Captured(self._once, where)

    def __call__(self, rate: float, inputs: tuple[Tensor, ...]) -> Tensor:
        if not self.inputs:
            self.inputs = tuple(part.to(self.rate.device, copy=True) for part in inputs)
        for held, given in zip(self.inputs, inputs, strict=True):
            held.copy_(given, non_blocking=True)
        self.rate.fill_(rate)
        self.run()
        return self.value

    def _once(self) -> None:
        self.value.copy_(self.apply(self.inputs))


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
