"""Warm start: what earlier studies of the same workspace have found out, told to a search before its first suggestion.

An earlier cell counts where it is a cell of this block at values that the space can draw, whatever its seed; a
suggestion is known where cells of its whole inner grid are there and done. Nothing is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from search_spaces import Study, StudyError
from search_spaces.expansion import Values, inner, place, random_draws
from search_spaces.search import allowed
from search_spaces.space import conditions, drawn_words
from sweep.scheduling import Job, asker, make_job, read_records, settle
from sweep.search.optuna_source import OptunaSource
from sweep.tracking import cells_of, flatten
from sweep.workspace import Workspace
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.store import Store

APART = ("seed", "generations")
"""Fields in which an earlier cell may differ: its seed, and its length where the store has as many generations."""


def warm_up(source: OptunaSource, study: Study, number: int, workspace: Workspace, store: Store) -> None:
    """Tell a block's search what the studies that it learns from have found, once.

    Raises:
        StudyError: there is no such study, or nothing of it fits this space.
    """
    field = f"{place(study, number)}search.warm_start"
    for name in study.blocks[number].search.learns_from:
        if name == study.name:
            raise StudyError(f"{field}: {name} is this study itself; it goes on by itself")
        if name in source.learned:
            continue
        try:
            cells = cells_of(workspace, name)
        except ValueError as problem:
            raise StudyError(f"{field}: {problem}") from None
        known = list(_known(study, number, cells, store))
        for drawn, jobs in known:
            source.learn(name, jobs, drawn)
        if not source.learned.get(name):
            raise StudyError(f"{field}: {name}: {_why_none(study, number, cells, bool(known))}")


def _known(study: Study, number: int, cells: list[Cell], store: Store) -> Iterator[tuple[Values, list[Job]]]:
    """Values with the finished cells of their whole inner grid."""
    by_values: dict[str, tuple[Values, list[Cell]]] = {}
    for cell in cells:
        drawn = _drawn(study, number, cell)
        if drawn is not None:
            by_values.setdefault(canonical_json(drawn), (drawn, []))[1].append(cell)
    has = asker(store, len(cells))
    for drawn, own in by_values.values():
        points = inner(study, number, drawn)
        wanted = {_identity(point.cell) for point in points}
        length = points[0].cell.generations
        jobs = [_job(cell, length, drawn, store, has) for cell in own if _identity(cell) in wanted]
        done = [job for job in jobs if job.status == "done"]
        if {_identity(job.cell) for job in done} == wanted:
            yield drawn, done


def _drawn(study: Study, number: int, cell: Cell) -> Values | None:
    """The values of the drawn paths at which this is a cell of the block; None where the space can't draw them."""
    block, plain = study.blocks[number], cell.canonical()
    found = {path: conditions.look(path, plain) for path in drawn_words(block.space)}
    applicable = conditions.drawn_apart(block.space, found, block.cell)
    words = drawn_words(block.space)
    return applicable if all(allowed(words[path], value) for path, value in applicable.items()) else None


def _job(cell: Cell, generations: int, drawn: Values, store: Store, has: Callable[[str], bool]) -> Job:
    """The cell at this length, with its records where it is done."""
    job = make_job(cell.model_copy(update={"generations": generations}), drawn)
    settle(job, store, has)
    if job.status == "done":
        read_records(job, store)
    return job


def _identity(cell: Cell) -> str:
    return canonical_json({name: value for name, value in cell.canonical().items() if name not in APART})


def _why_none(study: Study, number: int, cells: list[Cell], known: bool) -> str:
    """Why nothing of a study fits, by the cell that comes nearest."""
    if known:
        return "its cells failed, or have no finite objective"
    block = study.blocks[number]
    paths = set(drawn_words(block.space))
    mine = [flatten(point.cell.canonical()) for point in inner(study, number, _somewhere(study, number))]
    differ = min((_differing(flatten(cell.canonical()), own, paths) for cell in cells for own in mine), key=len)
    if differ:
        return f"none of its {len(cells)} cells is one of this space: the nearest differs in {', '.join(differ)}"
    return "no suggestion's inner grid is finished there, within the bounds of this space"


def _differing(one: dict[str, Any], other: dict[str, Any], drawn: set[str]) -> list[str]:
    names = {*one, *other} - drawn - set(APART)
    return sorted(name for name in names if one.get(name) != other.get(name))


def _somewhere(study: Study, number: int) -> Values:
    return next(random_draws(study.blocks[number], 1, 0))
