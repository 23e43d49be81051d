"""Cells of named studies, and what their generations are fitted on, from recipes alone: no data, no model, no key."""

from __future__ import annotations

from functools import cache

from search_spaces import Study
from search_spaces.expansion import inner
from search_spaces.studies import named_study
from trainables import Cell
from trainables.policies import FRESH


@cache
def study(name: str) -> Study:
    """The named study."""
    return named_study(name)


@cache
def cells(name: str, block: str | None = None) -> tuple[Cell, ...]:
    """Cells of its grid blocks, or of one of them, in order."""
    made = study(name)
    numbers = [number for number, held in enumerate(made.blocks) if block in (None, held.name)]
    return tuple(point.cell for number in numbers for point in inner(made, number, {}))


def rows_by_batch(cell: Cell, generation: int) -> dict[int, float]:
    """Rows that a generation is fitted on, by batch; of draws from several batches each has its part of their rows."""
    held = {0: cell.rows} | {n - 1: cell.recipe(n).kept_rows for n in range(2, generation + 1)}
    found: dict[int, float] = {}
    for draw in cell.recipe(generation).draws:
        whole = sum(held.get(number, 0) for number in draw.batches)
        for number in draw.batches:
            share = 1.0 if number == FRESH else held[number] / whole
            found[number] = found.get(number, 0.0) + (draw.rows if draw.rows is not None else whole) * share
    return found


def real_share(cell: Cell, generation: int) -> float:
    """Share of the rows that are real."""
    rows = rows_by_batch(cell, generation)
    return (rows.get(0, 0.0) + rows.get(FRESH, 0.0)) / sum(rows.values())


def real_weight(cell: Cell, generation: int) -> float:
    """Share of the loss that real rows carry, where every draw is on real or on synthetic rows alone."""
    held = {0: cell.rows} | {n - 1: cell.recipe(n).kept_rows for n in range(2, generation + 1)}
    mass = {True: 0.0, False: 0.0}
    for draw in cell.recipe(generation).draws:
        rows = draw.rows if draw.rows is not None else sum(held[number] for number in draw.batches)
        mass[max(draw.batches) <= 0] += rows * draw.weight
    return mass[True] / (mass[True] + mass[False])
