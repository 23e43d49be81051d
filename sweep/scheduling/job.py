"""`Job`: a cell on its way: which generations are done, what the next one needs, how it ended."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from search_spaces.resources import Resources
from sweep.scheduling.cost import Work, cell_work
from trainables.cell import Cell, Record
from trainables.lineage import make_key
from trainables.recursion import Step

Status = Literal["waiting", "running", "done", "failed", "stopped"]
"""`stopped` is a scheduler's word: for good, in this study. What is interrupted goes back to wait."""


@dataclass(frozen=True)
class Failure:
    """Why a cell stopped.

    Attributes:
        reason: one line.
        generation: the first that is missing, None where that is unknown.
        final: whether the store keeps the failure; otherwise the next run tries again.
        details: a traceback, for the cell's log.
    """

    reason: str
    generation: int | None = None
    final: bool = True
    details: str = ""

    def __str__(self) -> str:
        return f"generation {self.generation}: {self.reason}" if self.generation else self.reason


@dataclass(frozen=True)
class Stage:
    """One generation of a job: keys of its model, its latest batch ("" where none is sampled) and its record.

    `flops` are those of fitting and sampling, `sampling` those of sampling alone, `pretraining` those of the checkpoint
    that it starts from, where the study makes it: one for all cells of that key. In a population, `model` and `batch`
    name what its members have together.
    """

    model: str
    batch: str
    record: str
    flops: float
    sampling: float = 0.0
    checkpoint: str = ""
    pretraining: float = 0.0


@dataclass(eq=False)
class Job:
    """A cell of a study.

    Attributes:
        cell: what is run.
        key: the cell's lineage key.
        values: what the space set.
        stages: one a generation.
        done: generations that are done.
        records: those that have been read or reported, by generation.
        status: where it stands.
        failure: why it failed.
        resources: what its trial wants to reserve.
        block: number of the study's block that it is of.
    """

    cell: Cell
    key: str
    values: Mapping[str, Any]
    stages: list[Stage] = field(default_factory=list)
    done: int = 0
    records: dict[int, Record] = field(default_factory=dict)
    status: Status = "waiting"
    failure: Failure | None = None
    resources: Resources = field(default_factory=Resources)
    block: int = 0

    @property
    def remaining(self) -> float:
        """Floating-point operations to go, as if nothing were shared."""
        return sum(stage.flops for stage in self.stages[self.done :])

    @property
    def lane(self) -> Hashable:
        """Jobs of one lane wait for the same kind of place on a machine."""
        return self.resources, self.cell.family.accelerated

    @property
    def title(self) -> str:
        """A short name for people: family, size, policy, seed."""
        return title(self.cell)


def title(cell: Cell) -> str:
    """A cell's short name for people: family, size, policy (and the one of a fork), seed."""
    later = f", from generation {cell.fork.generation + 1} on {cell.fork.policy.kind}" if cell.fork else ""
    population = cell.population
    together = f"{population.models} models, {population.graph}" if population else ""
    parts = [cell.family.kind, cell.family.title, cell.policy.kind + later, together, f"seed {cell.seed}"]
    return " / ".join(part for part in parts if part)


def make_job(
    cell: Cell,
    values: Mapping[str, Any],
    resources: Resources | None = None,
    work: Iterable[tuple[Step, Sequence[Work]]] | None = None,
) -> Job:
    """The job of a cell, its stages from configs alone; `work` is that of the cell, where it is known."""
    stages = [stage(*part) for part in (cell_work(cell) if work is None else work)]
    return Job(cell, cell.key, values, stages, resources=resources or Resources())


def stage(step: Step, work: Sequence[Work]) -> Stage:
    """What a generation computes, as a stage."""
    batches = [part for part in work if part.kind == "batch"]
    keys = [part.key for part in batches]
    batch = keys[0] if len(keys) == 1 else make_key("batches", members=keys) if keys else ""
    flops, sampling = sum(part.flops for part in work), sum(part.flops for part in batches)
    begun = next((part for part in work if part.kind == "checkpoint"), None)
    made = (begun.key, begun.flops) if begun else ()
    return Stage(step.model, batch, step.record, flops, sampling, *made)
