"""Payloads of independent recursions side by side: joined into one artifact, and taken apart again.

Arrays gain a leading axis of replicates; tables hold one replicate's rows behind another's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trainables.corpus import Batch, Corpus, RealisedDraw
from trainables.lineage import Stream
from trainables.store import Payload


def lane_of(stream: Stream, lane: int) -> Stream:
    """A replicate's own part of a stream."""
    return stream.child("replicate", str(lane))


def joined(lanes: Sequence[Payload]) -> Payload:
    """The replicates' payloads as one, of the first one's meta and as many rows."""
    names = lanes[0].tensors
    tensors = {name: np.stack([lane.tensors[name] for lane in lanes]) for name in names}
    tables = [lane.table for lane in lanes if lane.table is not None]
    if not tables:
        return Payload(meta=lanes[0].meta, tensors=tensors)
    from datasets import concatenate_datasets

    return Payload(meta=lanes[0].meta, tensors=tensors, table=concatenate_datasets(tables))


def lane(payload: Payload, number: int) -> Payload:
    """One replicate's part of a joined payload."""
    table = payload.table
    if table is not None:
        rows = payload.rows
        table = table.select(range(number * rows, (number + 1) * rows))
    return Payload(payload.meta, {name: value[number] for name, value in payload.tensors.items()}, table)


def corpus_of(corpus: Corpus, number: int) -> Corpus:
    """One replicate's corpus."""
    return Corpus(tuple(_part(part, number) for part in corpus.parts))


def _part(part: RealisedDraw, number: int) -> RealisedDraw:
    index = part.index if part.index is None or part.index.ndim == 1 else part.index[number]
    return RealisedDraw(tuple(_batch(batch, number) for batch in part.batches), index, part.weight)


def _batch(batch: Batch, number: int) -> Batch:
    return Batch(batch.number, batch.key, batch.rows, lambda: lane(batch.payload, number))
