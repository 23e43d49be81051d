"""Closed-form families at work without a recursion: a world, corpora put together by hand, payloads of plain arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.families import FAMILIES, Family, World
from trainables.lineage import Stream
from trainables.store import MemoryStore, Payload

STREAM = Stream("7" * 32)


def at_work(kind: str, rows: int = 10, replicates: int = 2, seed: int = 0, **config: Any) -> Any:
    """The family at work on a store of its own."""
    family: Family = FAMILIES.get(kind)(**config).build(World(rows, replicates, seed, MemoryStore()))
    return family


def part(*batches: Payload, index: Any = None, weight: float = 1.0) -> RealisedDraw:
    """Batches as a share of a corpus, all their rows or those at `index`; equal keys for equal arrays."""
    handles = [Batch(n, _key(batch), batch.rows, lambda batch=batch: batch) for n, batch in enumerate(batches)]  # type: ignore[misc]
    return RealisedDraw(tuple(handles), None if index is None else np.asarray(index), weight)


def fitted(family: Any, *parts: RealisedDraw) -> Payload:
    """The model of a corpus of such shares."""
    return family.fit(Corpus(parts), STREAM.child("fit"))


def judged(family: Any, kind: str, judge: Payload, batch: Payload) -> np.ndarray:
    """Scores of a batch's rows."""
    return family.score(kind, judge, batch, STREAM.child("score"))


def evaluated(family: Any, **tensors: Sequence[Any]) -> Any:
    """What a model of these arrays comes to on held-out rows."""
    payload = Payload(tensors={name: np.asarray(value) for name, value in tensors.items()})
    return family.evaluate(payload, STREAM.child("evaluate"))


def _key(batch: Payload) -> str:
    arrays = [(name, value.tobytes()) for name, value in sorted(batch.tensors.items())]
    return hashlib.sha256(repr((dict(batch.meta), arrays)).encode()).hexdigest()[:32]
