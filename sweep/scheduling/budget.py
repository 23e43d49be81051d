"""What a study's cells come to, against its budget. What several cells share counts once."""

from __future__ import annotations

from collections.abc import Iterable

from search_spaces.study import StudyBudget
from sweep.scheduling.cost import Work


class Spending:
    """Cells are taken one after another until one does not fit; after it none is.

    Attributes:
        closed: whether a cell was refused, or nothing at all is left.
        cells, generations, flops: spent so far; generations are models fitted in them, without checkpoints.
    """

    def __init__(self, budget: StudyBudget) -> None:
        self.closed = False
        self.cells, self.generations, self.flops = 0, 0, 0.0
        self._budget = budget
        self._counted: set[str] = set()

    def take(self, work: Iterable[Work]) -> bool:
        """Whether a cell of this work, with all of it that is not counted yet, fits; it is counted then."""
        fresh = {part.name: part for part in work if part.name not in self._counted}
        generations = sum(part.kind == "model" for part in fresh.values())
        flops = sum(part.flops for part in fresh.values())
        self.closed = self.closed or not self._fits(generations, flops)
        if self.closed:
            return False
        self._counted.update(fresh)
        self.cells, self.generations = self.cells + 1, self.generations + generations
        self.flops += flops
        self.closed = self._budget.cells is not None and self.cells >= self._budget.cells
        return True

    def _fits(self, generations: int, flops: float) -> bool:
        budget = self._budget
        asked = (
            (budget.cells, self.cells + 1),
            (budget.generations, self.generations + generations),
            (budget.flops, self.flops + flops),
        )
        return all(limit is None or spent <= limit for limit, spent in asked)
