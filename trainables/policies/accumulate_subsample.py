"""`accumulate_subsample`: the pool accumulates, but each corpus is a subsample of constant size."""

from __future__ import annotations

from typing import Literal

from trainables.policies.base import Budget, Draw, PolicyConfig, Recipe, Sampling


class AccumulateSubsample(PolicyConfig):
    """D_n = N rows without replacement from D₀ ∪ S₁ ∪ … ∪ S_{n−1} (Kazdan et al. 2024, arXiv 2410.16713)."""

    kind: Literal["accumulate_subsample"] = "accumulate_subsample"

    def later(self, generation: int, budget: Budget) -> Recipe:
        """N of the pool's n·N rows, drawn anew each generation."""
        draw = Draw(batches=tuple(range(generation)), how="subsample", rows=budget.rows)
        return Recipe(generation=generation, sampling=Sampling(rows=budget.rows, bias=self.bias), draws=(draw,))
