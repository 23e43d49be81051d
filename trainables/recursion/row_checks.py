"""Whether a cell's recipes can be served: every row they ask for exists, in the pool and in the source."""

from __future__ import annotations

from functools import cache

from trainables.cell import Cell
from trainables.policies import FRESH, Draw, Recipe
from trainables.population import Feed
from trainables.runtime import NotAsked


def check_data(cell: Cell) -> None:
    """Refuse a cell whose rows do not suffice, before anything is trained.

    Raises:
        ValueError: which generation asks for more rows than exist; or with the arithmetic of the reserve; or the
            family's data can't be read.
    """
    reserve = planned_reserve(cell)
    available = _available(cell)
    if available is not None and cell.rows + reserve > available:
        raise ValueError(
            f"rows: {cell.rows} real rows and a reserve of {reserve} fresh ones over {cell.generations} "
            f"generations make {cell.rows + reserve}, but the training split of {cell.family.kind} holds {available}"
        )


def _available(cell: Cell) -> int | None:
    """Real rows to train on; what is wrong with them is told by its place in the cell."""
    try:
        return cell.family.available_rows()
    except ValueError as problem:
        kind = NotAsked if isinstance(problem, NotAsked) else ValueError
        raise kind(f"family.{str(problem).removeprefix('family.')}") from problem


def planned_reserve(cell: Cell) -> int:
    """Rows behind the first batch 0 that the whole recursion uses up, every member's and the fork's included.

    Raises:
        ValueError: a recipe asks for more rows than its batches will hold.
    """
    held: dict[int, list[int]] = {member: [cell.rows] for member in cell.members}
    reserve, sizes = cell.origin(cell.members[-1]), cache(cell.batch_sizes)
    for generation in range(1, cell.generations + 1):
        recipes = {member: _recipe(cell, generation, member) for member in cell.members}
        for member, recipe in recipes.items():
            if generation > 1:
                held[member].append(recipe.kept_rows)
        for member in cell.members:
            for draw in cell.draws(recipes[member], member, sizes):
                if draw.batches == (FRESH,):
                    reserve = max(reserve, draw.start + (draw.rows or 0))
                else:
                    source = draw.source if isinstance(draw, Feed) else member
                    _check_draw(cell, generation, member, draw, held[source])
    return reserve


def _place(cell: Cell, generation: int, member: int) -> str:
    """The field that holds the policy of a generation."""
    population = cell.population
    if population is not None and population.anchor is not None and member in population.anchored:
        return "population.anchor"
    return "fork.policy" if cell.fork is not None and generation > cell.fork.generation else "policy"


def _recipe(cell: Cell, generation: int, member: int) -> Recipe:
    """The recipe, with what it asks for checked against batch 0."""
    try:
        recipe = cell.recipe(generation, member)
    except ValueError as problem:
        raise ValueError(f"{_place(cell, generation, member)}.{problem}") from problem
    sampling = recipe.sampling
    if sampling is not None and sampling.edit is not None and sampling.rows > cell.rows:
        place = _place(cell, generation, member)
        raise ValueError(
            f"{place}: generation {generation} edits {sampling.rows} real rows, but batch 0 holds {cell.rows}"
        )
    return recipe


def _check_draw(cell: Cell, generation: int, member: int, draw: Draw, held: list[int]) -> None:
    if draw.how not in ("first", "subsample"):
        return
    wanted, total = draw.start + (draw.rows or 0), sum(held[number] for number in draw.batches)
    if wanted > total:
        names, place = ", ".join(map(str, draw.batches)), _place(cell, generation, member)
        raise ValueError(
            f"{place}: generation {generation} draws {wanted} rows without replacement from "
            f"{'batch' if len(draw.batches) == 1 else 'batches'} {names}, which will hold {total}"
        )
