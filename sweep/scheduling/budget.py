"""What a study's cells come to, against its budget. What several cells share counts once."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.study import StudyBudget
from sweep.scheduling.job import Stage


class Spending:
    """Cells are taken one after another until one does not fit; after it none is.

    Attributes:
        closed: whether a cell was refused, or nothing at all is left.
        cells, generations, flops: spent so far.
    """

    def __init__(self, budget: StudyBudget) -> None:
        self.closed = False
        self.cells, self.generations, self.flops = 0, 0, 0.0
        self._budget = budget
        self._counted: set[str] = set()

    def take(self, stages: Sequence[Stage]) -> bool:
        """Whether a cell of these stages, with all of them that is not counted yet, fits; it is counted then."""
        fresh: dict[str, float] = {}
        generations = 0
        for stage in stages:
            if stage.model not in self._counted and stage.model not in fresh:
                generations += stage.fits
                fresh[stage.model] = stage.flops - stage.sampling
            if stage.batch and stage.batch not in self._counted:
                fresh[stage.batch] = stage.sampling
        self.closed = self.closed or not self._fits(generations, sum(fresh.values()))
        if self.closed:
            return False
        self._counted.update(fresh)
        self.cells, self.generations = self.cells + 1, self.generations + generations
        self.flops += sum(fresh.values())
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
