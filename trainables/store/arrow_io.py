"""A `datasets` table as an Arrow stream, mapped into memory when read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from trainables.runtime import open_map

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

CHUNK = 10_000
"""Rows of a chunk, where rows have to be put together anew."""


def save(table: Dataset, path: str) -> None:
    """Write the rows, in their order, whatever they were selected from.

    Chunks stay as they are unless they are tiny, so that a column that was one array in memory is one
    array in the file, and can be used from there without a copy.
    """
    import pyarrow as pa

    schema = table.features.arrow_schema
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for some in _chunks(table):
            writer.write_table(some.cast(schema))


def _chunks(table: Dataset) -> Iterator[pa.Table]:
    pieces = max((column.num_chunks for column in table.data.columns), default=1)
    if table._indices is None and pieces <= 1 + table.num_rows // CHUNK:
        yield table.data.table
        return
    # A selection is gathered row by row, each a chunk of its own.
    for some in table.with_format("arrow").iter(batch_size=CHUNK):
        yield some.combine_chunks()


def load(path: str) -> Dataset:
    """The rows of a checked file; none is read before it is used (`trainables.runtime.memory_maps`)."""
    import pyarrow as pa
    from datasets import Dataset
    from datasets.table import InMemoryTable

    name = hashlib.sha256(path.encode()).hexdigest()[:16]  # or `datasets` reads every row to find one
    with pa.ipc.open_stream(pa.py_buffer(open_map(path))) as stream:
        return Dataset(InMemoryTable(stream.read_all()), fingerprint=name)
