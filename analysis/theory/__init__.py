"""Closed forms, each with its citation and domain. Never imported by what it judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.cell import Cell


def curves(cell: Cell) -> Mapping[str, Sequence[float]]:
    """Closed-form curves of a cell by metric name, one value a generation; empty where none is known."""
    return {}
