"""What a stored record says: that its generation failed, or figures, some of which may stand for none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trainables.errors import CollapseSweepError
from trainables.families import FamilyConfig
from trainables.families.metrics import plain
from trainables.recursion.steps import Steps
from trainables.store import Payload, Store


class CellFailed(CollapseSweepError):
    """A recursion can't go on: which generation failed, and why. Earlier records stand."""

    def __init__(self, generation: int, reason: str) -> None:
        super().__init__(f"generation {generation}: {reason}")
        self.generation = generation
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.generation, self.reason)


def failure(record: Payload) -> CellFailed | None:
    """What a stored record says of a failure, where it is one's."""
    return CellFailed(record.meta["generation"], record.meta["failed"]) if "failed" in record.meta else None


def reported(record: Payload, steps: Steps, generation: int, store: Store) -> Payload:
    """What a cell reports of a generation, without the figures that stand for none.

    A population's may be means over some of these: without any that a member lacks, as far as their records are stored.

    Args:
        record: as it is stored.
        steps: of the cell.
        generation: the record's.
        store: where members' records are; they are read only where a mean may hold such a figure.
    """
    family, metrics, count = steps.cell.family, record.meta.get("metrics", {}), len(steps.cell.members)
    none = family.undefined(metrics, record.tensors)
    doubtful = family.undefined(metrics, record.tensors, count) - none if count > 1 else frozenset()
    members = (store.get("record", member.own_key(generation)) for member in (steps.members if doubtful else ()))
    held = [defined(member, family).meta.get("metrics", {}) for member in members if member is not None]
    lacking = {name for name in doubtful if any(name not in figures for figures in held)}
    return _without(record, none | lacking)


def defined(record: Payload, family: FamilyConfig) -> Payload:
    """A stored record of one model without the figures that stand for none."""
    return _without(record, family.undefined(record.meta.get("metrics", {}), record.tensors))


def _without(record: Payload, none: frozenset[str]) -> Payload:
    if not none:
        return record
    kept, tensors = (
        {name: value for name, value in held.items() if plain(name) not in none}
        for held in (record.meta.get("metrics", {}), record.tensors)
    )
    return replace(record, meta={**record.meta, "metrics": kept}, tensors=tensors)
