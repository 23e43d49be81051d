"""Closed forms, each with its citation and domain. Never imported by what it judges.

A cell is described to them by its configs and its recipes alone. Where no closed form is exact, there is none:
a z-score against a leading order would grow with the number of replicates and mean nothing. `glm`, in a metric of its
own, and `random_features` have a leading order, and their sources say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.theory.curve import Curve
from analysis.theory.history import History

if TYPE_CHECKING:
    from trainables.cell import Cell

MAIN = {
    "linear": "test_loss",
    "gaussian": "mean_sq_error",
    "discrete": "test_loss",
    "kde": "trace_ratio",
    "bernoulli": "test_loss",
    "poisson": "test_loss",
    "glm": "fisher_error",
    "random_features": "test_loss",
}
"""The metric by which a family's recursion is told: what grows where the model collapses, or shrinks."""

__all__ = ["MAIN", "Curve", "curves", "theory"]


def curves(cell: Cell) -> Mapping[str, Sequence[float]]:
    """Expected values of a cell's metrics by name, one a generation; empty where none is known.

    A curve may end before the cell does. Only exact expectations are given, of `glm` and
    `random_features` the leading order.
    """
    return {curve.metric: curve.values for curve in _curves(cell)}


def theory(cell: Cell) -> Curve | None:
    """The closed form of a cell's main metric (`MAIN`), with its source."""
    return next((curve for curve in _curves(cell) if curve.metric == MAIN[cell.family.kind]), None)


def _curves(cell: Cell) -> list[Curve]:
    if cell.family.kind not in MAIN:
        return []
    from analysis.theory.history import history

    past = history(cell)
    if past is None:
        return []
    found = _forms(cell.family.kind)(cell.family, cell.rows, past)
    if past.members > 1:
        from analysis.theory.populations import by_member

        found = by_member(found, past.members, MAIN[cell.family.kind])
    return [curve for curve in found if curve.values]


def _forms(kind: str) -> Callable[[Any, int, History], list[Curve]]:
    """The module of a family, loaded when first asked for."""
    import importlib

    forms: Callable[[Any, int, History], list[Curve]] = importlib.import_module(f"analysis.theory.{kind}").curves
    return forms
