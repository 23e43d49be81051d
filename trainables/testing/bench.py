"""A family at work on its tiny config, and how payloads are compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from trainables.cell import Cell
from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import FAMILIES, Family
from trainables.lineage import Stream, make_key
from trainables.recursion import Recursion
from trainables.store import MemoryStore, Payload, Store

REPLICATES = 3


@dataclass(frozen=True)
class Bench:
    """A family's tiny config at work, on a store of its own; what one check computes, the next finds there."""

    kind: str
    seed: int = 0
    store: Store = field(default_factory=MemoryStore)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The cell's fields, as plain data, without its policy."""
        config, rows = FAMILIES.get(self.kind).tiny()
        replicates = REPLICATES if config.vectorised else 1
        return {"family": config.canonical(), "rows": rows, "replicates": replicates, "seed": self.seed}

    @cached_property
    def cell(self) -> Cell:
        """Three generations under `accumulate`."""
        return Cell.model_validate(self.fields | {"policy": {"kind": "accumulate"}, "generations": 3})

    @cached_property
    def recursion(self) -> Recursion:
        """The cell at work."""
        return Recursion(self.cell, self.store)

    @property
    def family(self) -> Family:
        """The family at work."""
        return self.recursion.family

    @property
    def real(self) -> Payload:
        """Batch 0."""
        return self.recursion.batch(self.recursion.steps.batch(0))

    @property
    def model(self) -> Payload:
        """Model 1."""
        return self.recursion.model(1)

    @property
    def synthetic(self) -> Payload:
        """Batch 1."""
        return self.recursion.batch(self.recursion.steps.batch(1))

    def stream(self, name: str) -> Stream:
        """Randomness for a check."""
        return Stream(make_key("testing", name=name, seed=self.seed))

    def fit(self, *parts: tuple[Payload, np.ndarray | None, float]) -> Payload:
        """A model of a corpus put together by hand from (batch, index, weight)."""
        corpus = [
            RealisedDraw((Batch(number, _by_content(batch), batch.rows, lambda batch=batch: batch),), index, weight)  # type: ignore[misc]
            for number, (batch, index, weight) in enumerate(parts)
        ]
        return self.family.fit(Corpus(tuple(corpus)), self.stream("fit"))

    def index(self, name: str, rows: int, *, replace: bool) -> np.ndarray:
        """Random row numbers below N, of the shape that the family draws by."""
        rng = self.stream(name).numpy()
        drawn = [rng.choice(self.cell.rows, rows, replace=replace) for _ in range(self.cell.replicates)]
        return np.sort(np.stack(drawn), axis=1) if self.cell.replicates > 1 else np.sort(drawn[0])


def difference(one: Payload, other: Payload) -> str:
    """What tells two payloads apart, to the last bit; "" if nothing does."""
    if json.dumps(dict(one.meta), sort_keys=True) != json.dumps(dict(other.meta), sort_keys=True):
        return f"meta: {dict(one.meta)} and {dict(other.meta)}"
    if one.tensors.keys() != other.tensors.keys():
        return f"tensors {sorted(one.tensors)} and {sorted(other.tensors)}"
    for name, value in one.tensors.items():
        twin = other.tensors[name]
        if value.dtype != twin.dtype or not np.array_equal(value, twin, equal_nan=value.dtype.kind == "f"):
            return f"tensor {name}"
    if dict(one.files) != dict(other.files):
        return "files"
    rows = [None if p.table is None else p.table.to_dict() for p in (one, other)]
    return "" if rows[0] == rows[1] else "table"


def content(payload: Payload) -> tuple[Any, ...]:
    """A payload's rows or weights without its meta, for "these two differ"."""
    tensors = tuple((name, payload.tensors[name].tobytes()) for name in sorted(payload.tensors))
    return tensors, None if payload.table is None else json.dumps(payload.table.to_dict(), default=str)


def _by_content(payload: Payload) -> str:
    """A key for a batch without lineage: families may remember by key, and equal keys hold equal rows."""
    return make_key("hand", content=hashlib.sha256(repr((payload.meta, content(payload))).encode()).hexdigest())


def row_digests(payload: Payload) -> list[str]:
    """One text for each row of a batch; of every replicate, where arrays are [replicates, rows, …]."""
    if payload.table is not None:
        return [json.dumps(row, sort_keys=True, default=str) for row in payload.table]
    columns = [
        value if len(value) == payload.rows else value.reshape(-1, *value.shape[2:])
        for _, value in sorted(payload.tensors.items())
        if payload.rows in value.shape[:2]
    ]
    return [str([np.asarray(cell).tobytes() for cell in cells]) for cells in zip(*columns, strict=True)]
