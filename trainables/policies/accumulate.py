"""`accumulate`: synthetic batches are added to the real data, nothing is ever dropped."""

from __future__ import annotations

from typing import Literal

from trainables.policies.base import Budget, Draw, PolicyConfig, Recipe, Sampling


class Accumulate(PolicyConfig):
    """D_n = D₀ ∪ S₁ ∪ … ∪ S_{n−1} (Gerstgrasser et al. 2024, arXiv 2404.01413)."""

    kind: Literal["accumulate"] = "accumulate"

    def later(self, generation: int, budget: Budget) -> Recipe:
        """n·N rows: the whole pool."""
        return Recipe(
            generation=generation,
            sampling=Sampling(rows=budget.rows, bias=self.bias),
            draws=(Draw(batches=tuple(range(generation))),),
        )
