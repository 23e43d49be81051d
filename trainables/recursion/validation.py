"""The loss of model 1 on validation rows: what hyperparameters are tuned on. The held-out test rows are never read."""

from __future__ import annotations

import math

from trainables.cell import Cell
from trainables.families import Diverged
from trainables.lineage import make_key
from trainables.recursion.graph import Node
from trainables.recursion.loop import Recursion
from trainables.recursion.steps import Steps
from trainables.recursion.stored_records import CellFailed
from trainables.store import Payload, Store

KIND = "validation"
"""Of the artifact in a store."""


def validation_key(cell: Cell) -> str:
    """Names a validation loss by the model and by what decides how it is judged."""
    return make_key(KIND, evaluation=cell.family.evaluation_identity(), model=Steps(cell).step(1).model)


def validate(cell: Cell, store: Store) -> float:
    """The loss of the cell's model 1 on validation rows, fitted where the store has none; inf where it diverged.

    The model is the very one that the study's cells of these settings and this seed begin with.

    Raises:
        ValueError: the family has no validation rows.
        StoreError: an artifact can't be written.
    """
    cell.family.check_validation()
    recursion = Recursion(cell, store)

    def judge() -> Payload:
        try:
            loss = recursion.family.validate(recursion.model(1))
        except (CellFailed, Diverged) as problem:
            return Payload(meta={"failed": str(problem)})
        return Payload(meta={"validation_loss": loss} if math.isfinite(loss) else {"failed": f"the loss is {loss}"})

    graph = recursion.graph
    node = Node(KIND, validation_key(cell), graph.steps.step(1), lambda: graph.judged(1))
    return _read(recursion.once(node, judge))


def validated(cell: Cell, store: Store) -> float | None:
    """The loss that the store holds, inf where the model diverged; None where it holds none. Computes nothing."""
    held = store.get(KIND, validation_key(cell))
    return None if held is None else _read(held)


def _read(held: Payload) -> float:
    return float(held.meta.get("validation_loss", math.inf))
