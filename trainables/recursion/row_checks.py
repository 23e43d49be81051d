"""Whether a cell's recipes can be served: every row they ask for exists, in the pool and in the source."""

from __future__ import annotations

from trainables.cell import Cell
from trainables.policies import FRESH, Draw, Recipe


def check_data(cell: Cell) -> None:
    """Refuse a cell whose rows do not suffice, before anything is trained.

    Raises:
        ValueError: which generation asks for more rows than exist; or with the arithmetic of the reserve.
    """
    reserve = planned_reserve(cell)
    available = cell.family.available_rows()
    if available is not None and cell.rows + reserve > available:
        raise ValueError(
            f"rows: {cell.rows} real rows and a reserve of {reserve} fresh ones over {cell.generations} "
            f"generations make {cell.rows + reserve}, but the training split of {cell.family.kind} holds {available}"
        )


def planned_reserve(cell: Cell) -> int:
    """Rows of the reserve that the whole recursion, fork included, uses up.

    Raises:
        ValueError: a recipe asks for more rows than its batches will hold.
    """
    held = [cell.rows]
    reserve = 0
    for generation in range(1, cell.generations + 1):
        recipe = _recipe(cell, generation)
        if generation > 1:
            held.append(recipe.kept_rows)
        for draw in recipe.draws:
            if draw.batches == (FRESH,):
                reserve = max(reserve, draw.start + (draw.rows or 0))
            else:
                _check_draw(_place(cell, generation), generation, draw, held)
    return reserve


def _place(cell: Cell, generation: int) -> str:
    return "fork.policy" if cell.fork is not None and generation > cell.fork.generation else "policy"


def _recipe(cell: Cell, generation: int) -> Recipe:
    """The recipe, with what it asks for checked against batch 0."""
    place = _place(cell, generation)
    try:
        recipe = cell.recipe(generation)
    except ValueError as problem:
        raise ValueError(f"{place}.{problem}") from problem
    sampling = recipe.sampling
    if sampling is not None and sampling.edit is not None and sampling.rows > cell.rows:
        raise ValueError(
            f"{place}: generation {generation} edits {sampling.rows} real rows, but batch 0 holds {cell.rows}"
        )
    return recipe


def _check_draw(place: str, generation: int, draw: Draw, held: list[int]) -> None:
    if draw.how not in ("first", "subsample"):
        return
    wanted, total = draw.start + (draw.rows or 0), sum(held[number] for number in draw.batches)
    if wanted > total:
        names = ", ".join(map(str, draw.batches))
        raise ValueError(
            f"{place}: generation {generation} draws {wanted} rows without replacement from "
            f"{'batch' if len(draw.batches) == 1 else 'batches'} {names}, which will hold {total}"
        )
