"""What a stored record says: that its generation failed, or figures, some of which may stand for none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trainables.errors import CollapseSweepError
from trainables.families import FamilyConfig
from trainables.families.metrics import plain
from trainables.store import Payload


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


def defined(record: Payload, family: FamilyConfig) -> Payload:
    """A stored record without the figures that stand for none."""
    metrics = record.meta.get("metrics", {})
    none = family.undefined(metrics, record.tensors)
    if not none:
        return record
    kept, tensors = (
        {name: value for name, value in held.items() if plain(name) not in none} for held in (metrics, record.tensors)
    )
    return replace(record, meta={**record.meta, "metrics": kept}, tensors=tensors)
