"""`replace`: each generation is fitted on the latest synthetic batch alone."""

from __future__ import annotations

from typing import Literal

from trainables.policies.base import Budget, Draw, PolicyConfig, Recipe, Sampling


class Replace(PolicyConfig):
    """D_n = S_{n−1} (Shumailov et al. 2023, arXiv 2305.17493; Gerstgrasser et al. 2024)."""

    kind: Literal["replace"] = "replace"

    def later(self, generation: int, budget: Budget) -> Recipe:
        """N rows, all of the latest batch."""
        return Recipe(
            generation=generation,
            sampling=Sampling(rows=budget.rows, bias=self.bias),
            draws=(Draw(batches=(generation - 1,)),),
        )
