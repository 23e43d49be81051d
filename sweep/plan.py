"""`Plan`: what a study comes to before anything runs, after sharing and after what the store already holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from search_spaces import OptunaSearch, Point, Study, StudyError, expand, hunt
from search_spaces.expand import inner, is_open, place, random_draws
from sweep.cost import Work, cell_work
from trainables.cell import Cell
from trainables.steps import Step
from trainables.store import Store
from trainables.supply import check_data, planned_reserve


@dataclass
class Totals:
    """Sums over the steps of some cells, each step once.

    Attributes:
        cells: recursions.
        generations: of all cells together.
        trained: models to fit once what cells share is fitted once.
        stored: of these, models that the store holds.
        rows, tokens: that are fitted on, one pass.
        flops: of fitting and sampling.
        size: bytes kept of models and batches.
    """

    cells: int = 0
    generations: int = 0
    trained: int = 0
    stored: int = 0
    rows: int = 0
    tokens: float = 0.0
    flops: float = 0.0
    size: float = 0.0


@dataclass
class Line:
    """The totals of one family, architecture and size."""

    family: str
    size: str
    parameters: int
    totals: Totals = field(default_factory=Totals)


@dataclass
class Plan:
    """What a study comes to.

    Attributes:
        study: its name.
        lines: by family and size.
        totals: over all lines.
        estimated: whether cells stand for suggestions that depend on results.
        left_out: cells that the budget leaves out.
    """

    study: str
    lines: list[Line]
    totals: Totals
    estimated: bool
    left_out: int

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def plan(study: Study, store: Store | None = None) -> Plan:
    """Count a study's work; nothing is run.

    Args:
        study: what to run.
        store: what it already holds is counted as stored; None counts nothing so.

    Raises:
        StudyError: a cell can't be.
    """
    points = expand(study) + _likely(study) + hunt.likely(study)
    limit = study.budget.cells
    left_out = max(len(points) - limit, 0) if limit else 0
    points = points[: len(points) - left_out]
    lines: dict[tuple[str, str], Line] = {}
    seen: set[str] = set()
    for point in points:
        _refuse(study, point)
        line = _line(lines, point.cell)
        _add(line.totals, point.cell, seen, store)
    estimated = any(is_open(block) for block in study.blocks)
    return Plan(study.name, list(lines.values()), _sum(line.totals for line in lines.values()), estimated, left_out)


def _likely(study: Study) -> list[Point]:
    """Random draws in place of suggestions that depend on results."""
    return [
        point
        for number, block in enumerate(study.blocks)
        if isinstance(block.search, OptunaSearch)
        for drawn in random_draws(block, block.search.num_samples, block.search.seed)
        for point in inner(study, number, drawn)
    ]


def _refuse(study: Study, point: Point) -> None:
    try:
        if planned_reserve(point.cell):  # only fresh rows are worth reading the source for
            check_data(point.cell)
    except ValueError as problem:
        raise StudyError(f"{place(study, point.block)}cell.{problem}") from None


def _line(lines: dict[tuple[str, str], Line], cell: Cell) -> Line:
    family = cell.family
    name = family.kind, family.title
    if name not in lines:
        lines[name] = Line(*name, parameters=family.cost(cell.rows).parameters)
    return lines[name]


def _add(totals: Totals, cell: Cell, seen: set[str], store: Store | None) -> None:
    totals.cells += 1
    totals.generations += cell.generations
    for step, parts in cell_work(cell):
        for work in parts:
            if work.name not in seen:
                seen.add(work.name)
                _count(totals, work, step, store)


def _count(totals: Totals, work: Work, step: Step, store: Store | None) -> None:
    totals.flops += work.flops
    totals.size += work.size
    if work.kind == "model":
        totals.trained += 1
        totals.rows += work.rows
        totals.tokens += work.tokens
        totals.stored += store is not None and (store.has("record", step.record) or store.has("model", step.model))


def _sum(parts: Iterable[Totals]) -> Totals:
    total = Totals()
    for part in parts:
        for name, value in asdict(part).items():
            setattr(total, name, getattr(total, name) + value)
    return total
