"""The median rule at equal generation, as a pruner of Optuna's. Imported only where a study has one."""

from __future__ import annotations

from statistics import median
from typing import Any

from optuna.pruners import BasePruner
from optuna.study import StudyDirection


class MedianRule(BasePruner):  # type: ignore[misc]  # Optuna is not followed by mypy
    """Stops a cell that is worse than the median of the others at the same generation.

    Optuna's and Tune's rules compare the best value so far. A loss that grows with generations is best in
    generation 1, so that they would never stop a cell that collapses.

    Args:
        grace: generations before which nothing is stopped.
        min_cells: others that must have reached the generation.
    """

    def __init__(self, grace: int, min_cells: int) -> None:
        self._grace, self._min_cells = grace, min_cells

    def prune(self, study: Any, trial: Any) -> bool:
        """Whether to stop."""
        step = trial.last_step
        if step is None or step < self._grace:
            return False
        reached = [
            other.intermediate_values[step]
            for other in study.get_trials(deepcopy=False)
            if other.number != trial.number and step in other.intermediate_values
        ]
        if len(reached) < self._min_cells:
            return False
        value, middle = trial.intermediate_values[step], median(reached)
        return bool(value < middle if study.direction == StudyDirection.MAXIMIZE else value > middle)
