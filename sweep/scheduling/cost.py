"""What the steps of a cell cost, from configs and recipes alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from trainables.cell import Cell
from trainables.recursion import BatchStep, Graph, Step, Steps


@dataclass(frozen=True)
class Work:
    """One thing to be computed.

    Attributes:
        kind: as the store calls it, `model`, `batch` or `checkpoint`.
        key: lineage key.
        rows: rows fitted on, or rows sampled; over all replicates.
        tokens: the same in tokens, pixels, atoms.
        flops: floating-point operations.
        size: bytes kept of it.
    """

    kind: str
    key: str
    rows: int
    tokens: float
    flops: float
    size: float

    @property
    def name(self) -> str:
        """Its name in the store."""
        return f"{self.kind}/{self.key}"


def generation_work(cell: Cell, steps: Steps, generation: int) -> tuple[Step, list[Work]]:
    """What generation n computes: its model, and batch n − 1 where a recipe samples one; in a population, each member's
    model and the batches that somebody reads, what is the same of several once. Generation 1 also computes the
    checkpoint that it starts from, where the study makes it.

    The step is the cell's; in a population its `model` names all members' models together.
    """
    work: dict[str, Work] = {}
    for member in steps.members:
        for part in _member_work(cell, member, generation):
            work.setdefault(part.name, part)
    step = steps.step(generation)
    if cell.population is not None:
        step = replace(step, model=steps.population_key(generation))
    return step, list(work.values())


def _member_work(cell: Cell, steps: Steps, generation: int) -> Iterator[Work]:
    """Of one lineage."""
    yield _fit(cell, steps, steps.step(generation))
    if generation == 1 and cell.family.starts_from(1) == "checkpoint" and cell.family.pretraining() is not None:
        yield _pretrain(cell, steps)
    for node in Graph(steps).model(generation).parents.values():
        batch = node.step
        if isinstance(batch, BatchStep) and node.kind == "batch" and 0 < batch.number == generation - 1:
            yield _sample(cell, batch)


def real_batches(cell: Cell, steps: Steps, generation: int) -> Iterator[Work]:
    """The real rows that generation n reads, which the store keeps; no operations are counted of them."""
    for member in steps.members:
        for draw in member.step(generation).draws:
            for batch in member.drawn(draw):
                if batch.recipe is None:
                    cost = cell.family.cost(batch.rows)
                    rows = batch.rows * cell.replicates
                    yield Work("batch", batch.key, rows, rows * cost.tokens_per_row, 0.0, rows * cost.row_bytes)


def cell_work(cell: Cell, steps: Steps | None = None) -> Iterator[tuple[Step, list[Work]]]:
    """The work of every generation of a cell; its `steps` where they are known."""
    steps = steps or Steps(cell)
    for generation in range(1, cell.generations + 1):
        yield generation_work(cell, steps, generation)


def _fit(cell: Cell, steps: Steps, step: Step) -> Work:
    rows = sum(
        draw.rows if draw.rows is not None else sum(batch.rows for batch in steps.drawn(draw)) for draw in step.draws
    )
    cost = cell.family.cost(rows)
    total = rows * cell.replicates
    size = cost.parameter_bytes * (cost.parameters if cost.kept is None else cost.kept) * cell.replicates
    return Work("model", step.model, total, total * cost.tokens_per_row, total * cost.fit_flops, size)


def _pretrain(cell: Cell, steps: Steps) -> Work:
    found = cell.family.pretraining()
    assert found is not None  # asked only where the study makes the checkpoint
    rows, cost = found
    size = cost.parameter_bytes * cost.parameters
    return Work("checkpoint", steps.checkpoint, rows, rows * cost.tokens_per_row, rows * cost.fit_flops, size)


def _sample(cell: Cell, batch: BatchStep) -> Work:
    recipe = batch.recipe
    candidates = recipe.sampling.rows if recipe is not None and recipe.sampling is not None else batch.rows
    cost = cell.family.cost(candidates)
    total = candidates * cell.replicates
    size = batch.rows * cell.replicates * cost.row_bytes
    return Work("batch", batch.key, total, total * cost.tokens_per_row, total * cost.sample_flops, size)
