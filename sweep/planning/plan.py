"""`Plan`: what a study comes to before anything runs, after sharing and after what the store already holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from search_spaces import Point, Study, StudyError
from search_spaces.expansion import expand, expected, is_open, place
from sweep.planning import disk
from sweep.planning.data_identity import Declared
from sweep.planning.forecast import Effort, Forecast, forecast
from sweep.planning.speeds import Make, Speeds, make_of, observe
from sweep.scheduling import Spending, Stage, Work, cell_work, real_batches, stage, title
from sweep.tune_first import presumed, untried
from trainables.cell import Cell
from trainables.config import canonical_json
from trainables.recursion import Step, Steps, check_data, planned_reserve
from trainables.runtime import NotAsked
from trainables.store import MemoryStore, Store

Made = Sequence[tuple[Step, Sequence[Work]]]
"""A cell's generations, and what each computes."""


@dataclass
class Totals:
    """Sums over the steps of some cells, each step once.

    Attributes:
        cells: recursions.
        generations: of all cells together; in a population, of every member.
        trained: models to fit once what cells share is fitted once.
        stored: of these, models that the store holds.
        rows, tokens: that are fitted on, one pass.
        flops: of fitting and sampling.
        size: bytes kept of models and sampled batches.
        disk: bytes that these, records and real rows take on a disk, folders left out.
    """

    cells: int = 0
    generations: int = 0
    trained: int = 0
    stored: int = 0
    rows: int = 0
    tokens: float = 0.0
    flops: float = 0.0
    size: float = 0.0
    disk: float = 0.0


@dataclass
class Line:
    """The totals of one family, architecture and size."""

    family: str
    size: str
    parameters: int
    totals: Totals = field(default_factory=Totals)


@dataclass
class Left:
    """What the store does not hold yet.

    Attributes:
        efforts: by make; what cells share counts once.
        cells: make and effort of each cell on its own.
        stored: stages that the store holds, by make: they tell speeds.
        complete: cells that are done, with their stages.
    """

    efforts: dict[Make, Effort] = field(default_factory=dict)
    cells: list[tuple[Make, Effort]] = field(default_factory=list)
    stored: dict[Make, list[Stage]] = field(default_factory=dict)
    complete: list[tuple[Cell, list[Stage]]] = field(default_factory=list)

    @property
    def flops(self) -> float:
        """Floating-point operations left."""
        return sum(effort.fitting + effort.sampling for effort in self.efforts.values())


@dataclass
class Plan:
    """What a study comes to.

    Attributes:
        study: its name.
        lines: by family and size.
        totals: over all lines.
        estimated: whether cells stand for suggestions that depend on results.
        left_out: titles of cells that the budget leaves out.
        missing: why data can't be read here, which `run` will refuse.
        notes: what is wrong with the first rows of data that can be read.
        folders: bytes of the store's folders.
        makes: a cell of each make that has work left, for a calibration.
        asked: the cells, without fits that tune first.
        left: what is still to be computed.
        tuning: of the cells, fits of generation 1 that tune hyperparameters first; while there are any, a first
            setting stands for what they will choose.
    """

    study: str
    lines: list[Line]
    totals: Totals
    estimated: bool
    left_out: list[str]
    missing: list[str]
    makes: dict[Make, Cell]
    asked: list[Cell]
    left: Left
    tuning: int = 0
    notes: list[str] = field(default_factory=list)
    folders: float = 0.0

    @property
    def disk(self) -> dict[str, float]:
        """Bytes that the study takes on a disk: its results, and about what reports and the tracking database do."""
        return {
            "results": self.totals.disk + self.folders,
            "reports_and_tracking": disk.beside(self.totals.generations),
        }

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        shown = ("study", "totals", "estimated", "left_out", "missing", "notes")
        return {name: _plain(getattr(self, name)) for name in shown} | {
            "lines": [asdict(line) for line in self.lines],
            "disk": self.disk,
        }

    def speeds(self, store: Store, kept: Speeds) -> Speeds:
        """What the store and the workspace know of this machine's speeds; the study's own records go first."""
        return dict(kept) | observe(self.left.stored, store)

    def forecast(self, speeds: Speeds, workers: int) -> Forecast:
        """How long what is left takes on this machine."""
        return forecast(self.left.efforts, self.left.cells, speeds, workers)


def plan_study(study: Study, store: Store | None = None) -> Plan:
    """Count a study's work; nothing is run, and data that can't be read is taken as the study describes it.

    Args:
        study: what to run.
        store: what it already holds is counted as stored; None counts nothing so.

    Raises:
        StudyError: a cell can't be.
    """
    return _Count(study, store or MemoryStore()).plan()


class _Count:
    """One count through a study's cells."""

    def __init__(self, study: Study, store: Store) -> None:
        self._study, self._store = presumed(study, store), store
        self._tuning = untried(study, store)
        self._declared, self._spending = Declared(), Spending(study.budget)
        self._lines: dict[tuple[str, str], Line] = {}
        self._makes: dict[Make, Cell] = {}
        self._cells: list[Cell] = []
        self._seen: set[str] = set()
        self._records: set[str] = set()
        self._left = Left()

    def plan(self) -> Plan:
        points = expand(self._study, self._declared.key) + expected(self._study)
        left_out = [title(point.cell) for point in points if not self._take(point)]
        asked = list(self._cells)
        for point in self._tuning:  # a budget is of the study's own cells
            self._count(point.cell, *self._work(point))
        lines = list(self._lines.values())
        estimated = any(is_open(block) for block in self._study.blocks)
        missing = list(dict.fromkeys(self._declared.missing.values()))
        totals = _sum(line.totals for line in lines)
        return Plan(
            self._study.name,
            lines,
            totals,
            estimated,
            left_out,
            missing,
            self._makes,
            asked,
            self._left,
            len(self._tuning),
            self._declared.notes,
            folders=self._folders(),
        )

    def _folders(self) -> float:
        kinds = Counter(name.partition("/")[0] for name in self._seen)
        return disk.STORE + sum(disk.of_folders(count) for count in (*kinds.values(), len(self._records)))

    def _take(self, point: Point) -> bool:
        """Count a cell; whether the budget allows it."""
        if self._spending.closed:
            return False
        steps, work = self._work(point)
        if not self._spending.take(part for _, parts in work for part in parts):
            return False
        self._cells.append(point.cell)
        self._count(point.cell, steps, work)
        return True

    def _work(self, point: Point) -> tuple[Steps, Made]:
        """What a cell computes."""
        if self._declared.readable(point.cell):
            self._refuse(point)
        steps = Steps(point.cell, self._declared.data(point.cell.family))
        return steps, list(cell_work(point.cell, steps))

    def _count(self, cell: Cell, steps: Steps, work: Made) -> None:
        totals = self._line(cell).totals
        totals.cells += 1
        totals.generations += cell.generations * len(cell.members)
        self._keep(totals, cell, steps)
        self._add(totals, cell, work, [stage(*part) for part in work])

    def _keep(self, totals: Totals, cell: Cell, steps: Steps) -> None:
        """Count what the store keeps beside what is fitted and sampled: records, and real rows that a cell reads."""
        for generation in range(1, cell.generations + 1):
            reported = steps.step(generation).record
            for record in dict.fromkeys((reported, *(member.own_key(generation) for member in steps.members))):
                if record not in self._records:
                    self._records.add(record)
                    totals.disk += disk.of_record(cell, len(cell.members) if record == reported else 1)
            for part in real_batches(cell, steps, generation):
                if part.name not in self._seen:
                    self._seen.add(part.name)
                    totals.disk += disk.of_work(part)

    def _refuse(self, point: Point) -> None:
        try:
            if planned_reserve(point.cell):  # only fresh rows are worth reading the source for
                check_data(point.cell)
        except NotAsked as problem:
            self._declared.missing[canonical_json(point.cell.family.declared_data())] = f"cell.{problem}"
        except ValueError as problem:
            raise StudyError(f"{place(self._study, point.block)}cell.{problem}") from None

    def _line(self, cell: Cell) -> Line:
        family = cell.family
        name = family.kind, family.title
        if name not in self._lines:
            self._lines[name] = Line(*name, parameters=family.cost(cell.rows).parameters)
        return self._lines[name]

    def _add(self, totals: Totals, cell: Cell, work: Made, stages: list[Stage]) -> None:
        make = make_of(cell)
        shared, alone = self._left.efforts.setdefault(make, Effort()), Effort()
        for (step, parts), one in zip(work, stages, strict=True):
            stored = self._store.has("record", step.record)
            fresh = [part for part in parts if part.name not in self._seen]
            self._seen.update(part.name for part in fresh)
            for part in fresh:
                _count(totals, part, part.kind == "model" and (stored or self._store.has("model", part.key)))
            if stored:
                self._left.stored.setdefault(make, []).append(one)
                continue
            _spend(alone, parts)
            _spend(shared, fresh)
        if alone.generations:
            self._left.cells.append((make, alone))
            self._makes.setdefault(make, cell)
        else:
            self._left.complete.append((cell, stages))


def _spend(effort: Effort, parts: Iterable[Work]) -> None:
    for part in parts:
        effort.generations += part.kind == "model"
        if part.kind == "batch":
            effort.sampling += part.flops
        else:
            effort.fitting += part.flops


def _count(totals: Totals, work: Work, stored: bool) -> None:
    totals.flops += work.flops
    totals.size += work.size
    totals.disk += disk.of_work(work)
    if work.kind == "model":
        totals.trained += 1
        totals.rows += work.rows
        totals.tokens += work.tokens
        totals.stored += stored


def _sum(parts: Iterable[Totals]) -> Totals:
    total = Totals()
    for part in parts:
        for name, value in asdict(part).items():
            setattr(total, name, getattr(total, name) + value)
    return total


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, bool, list, Mapping)) else asdict(value)
