"""From a block to its cells, without Ray or torch. Every error says which path of which block is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from search_spaces.errors import StudyError
from search_spaces.space import Choice, Grid, applies, drawn_apart, drawn_words, in_order
from search_spaces.study import Block, Study
from trainables.cell import Cell
from trainables.config import explain
from trainables.lineage import Stream, make_key

MOST_CELLS = 100_000
"""A study of more cells than this is taken for a mistake."""

Values = dict[str, Any]
"""Dotted path of a cell's field -> value."""


@dataclass(frozen=True)
class Point:
    """One cell of a study and where it came from.

    Attributes:
        block: number of the block.
        values: what the space set.
        cell: the base cell with these values.
    """

    block: int
    values: Values
    cell: Cell


def expand(study: Study, key: Callable[[Cell], str] = lambda cell: cell.key) -> list[Point]:
    """Every cell that is known beforehand: of grid and random searches, each cell once.

    Cells that differ in `generations` alone are one recursion; the longest stands for them.

    Args:
        study: what to expand.
        key: names cells; their own key reads the data.

    Raises:
        StudyError: a cell can't be, or there are too many.
    """
    return _unique(study, _known_points(study), key)


def check(study: Study) -> None:
    """Build every cell that is known beforehand, and of every drawn path the cells at its bounds or listed values.

    Raises:
        StudyError: one of them can't be.
    """
    _check_samples(study)
    for count, _ in enumerate(_known_points(study), 1):
        if count > MOST_CELLS:
            raise StudyError(f"{study.name}: more than {MOST_CELLS:,} cells")
    for number, block in enumerate(study.blocks):
        for values in _corners(block) if is_open(block) else ():
            inner(study, number, values)


def _check_samples(study: Study) -> None:
    for number, block in enumerate(study.blocks):
        samples = block.search.suggestions
        if samples > MOST_CELLS:
            where = place(study, number)
            raise StudyError(f"{where}search.num_samples: {samples:,} make more than {MOST_CELLS:,} cells, the most")


def _corners(block: Block) -> Iterator[Values]:
    """A draw, and for each path a draw with the path at each end of what it may be."""
    middle = {
        path: word.sample(Stream(make_key("check", path=path)).numpy())
        for path, word in drawn_words(block.space).items()
    }
    yield drawn_apart(block.space, middle, block.cell)
    for path, word in drawn_words(block.space).items():
        ends = word.values if isinstance(word, Choice) else (word.first, word.last)
        for end in ends:
            yield drawn_apart(block.space, middle | {path: end}, block.cell)


def _known_points(study: Study) -> Iterator[Point]:
    for number in range(len(study.blocks)):
        for values in known_draws(study, number):
            yield from inner(study, number, values)


def is_open(block: Block) -> bool:
    """Whether the cells depend on results."""
    return block.search.adaptive


def known_draws(study: Study, number: int) -> Iterator[Values]:
    """What a block's search draws before any result is known: nothing, once, of grids; samples, of random ones."""
    block = study.blocks[number]
    if not block.search.draws:
        yield {}
    elif not is_open(block):
        yield from random_draws(block, block.search.suggestions, block.search.draw_seed)


def random_draws(block: Block, samples: int, seed: int) -> Iterator[Values]:
    """Independent draws, the search's own points first. Each path of each sample has its own stream, so that more
    samples, or a further path, leave the others as they were."""
    points = block.search.first
    for sample in range(samples):
        stream = Stream(make_key("random_search", sample=sample, seed=seed))
        given = points[sample] if sample < len(points) else {}
        values = {path: word.sample(stream.numpy(path)) for path, word in drawn_words(block.space).items()}
        yield drawn_apart(block.space, values | dict(given), block.cell)


def inner(study: Study, number: int, values: Values) -> list[Point]:
    """The cells on which the drawn values are run: all combinations of the block's grids, where they apply.

    Raises:
        StudyError: one of them can't be.
    """
    return [Point(number, every, build(study, number, every)) for every in combinations(study, number, values)]


def combinations(study: Study, number: int, suggested: Values) -> list[Values]:
    """What the block's grids set beside the drawn values, once for each of their combinations.

    Raises:
        StudyError: there are too many.
    """
    block = study.blocks[number]
    found: list[Values] = [{}]
    for path in in_order(block.space):
        word = block.space[path]
        options = word.values if isinstance(word, Grid) else (suggested[path],) if path in suggested else ()
        several = [(values, bool(options) and applies(word.when, values, block.cell)) for values in found]
        size = sum(len(options) if applicable else 1 for _, applicable in several)  # before they are all there
        if size > MOST_CELLS:
            where = place(study, number)
            raise StudyError(f"{where}space: the grids make {size:,} cells or more; the most is {MOST_CELLS:,}")
        found = [
            values | ({path: option} if applicable else {})
            for values, applicable in several
            for option in (options if applicable else (None,))
        ]
    return found


def build(study: Study, number: int, values: Values) -> Cell:
    """The block's cell at these values.

    Raises:
        StudyError: it can't be.
    """
    base = study.blocks[number].cell
    raw: dict[str, Any] = copy.deepcopy(base)
    for path in sorted(values, key=lambda path: path.count(".")):
        try:
            put(raw, path, values[path])
        except ValueError as problem:
            raise StudyError(f"{place(study, number)}space.{path}: {problem}") from None
    cell = _cell(raw)
    if isinstance(cell, str):
        raise StudyError(place(study, number) + _blame(cell, values, cell != _cell(base)))
    return cell


def _cell(raw: Mapping[str, Any]) -> Cell | str:
    """The cell, or why there is none."""
    try:
        return Cell.model_validate(raw)
    except ValidationError as problem:
        return explain(problem, Cell)


def place(study: Study, number: int) -> str:
    """How a message names a block: not at all where it is the only one."""
    if len(study.blocks) == 1:
        return ""
    return f"{study.blocks[number].name or f'blocks.{number}'}."


def put(raw: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path in a nested mapping.

    Raises:
        ValueError: the path leads through something that is no mapping.
    """
    *parents, last = path.split(".")
    here = raw
    for depth, part in enumerate(parents):
        below = here.setdefault(part, {})
        if not isinstance(below, dict):
            raise ValueError(
                f"{'.'.join(parents[: depth + 1])} is {below!r}, which has no {path.split('.')[depth + 1]!r}"
            )
        here = below
    here[last] = copy.deepcopy(value)


def _blame(message: str, values: Mapping[str, Any], only_here: bool) -> str:
    """Name the path of the space that is wrong, or the cell's field and at which point of the space."""
    if message.partition(":")[0] in values:
        return f"space.{message}"
    point = ", ".join(f"{path}={value}" for path, value in values.items())
    return f"cell.{message}{f' (at {point})' if point and only_here else ''}"


def _unique(study: Study, points: Iterator[Point], name: Callable[[Cell], str]) -> list[Point]:
    kept: dict[str, Point] = {}
    for point in points:
        try:
            key = name(point.cell)
        except ValueError as problem:  # the family's data can't be read
            raise StudyError(f"{place(study, point.block)}cell.family.{problem}") from None
        held = kept.get(key)
        if held is None or held.cell.generations < point.cell.generations:
            kept[key] = point
        if len(kept) > MOST_CELLS:
            raise StudyError(f"{study.name}: more than {MOST_CELLS:,} cells")
    return list(kept.values())
