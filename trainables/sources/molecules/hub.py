"""Molecules of a Hugging Face dataset, by the names of its columns."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from trainables.sources.hub import open_split
from trainables.sources.molecules.base import Loaded
from trainables.sources.molecules.files import from_coordinates
from trainables.sources.molecules.smiles import SmilesSource

if TYPE_CHECKING:
    from datasets import Dataset


class Hub(SmilesSource):
    """A dataset of the hub, or a local folder that `datasets` can load or has saved. Told apart by its content.

    Attributes:
        name: `owner/dataset`, or the folder.
        subset, split, revision: as in `load_dataset`.
        smiles: the column of SMILES.
        atomic_numbers, positions: columns of coordinates, [n] and [n, 3] in ångström; where both are null,
            conformers are embedded from the SMILES.
    """

    kind: Literal["hub"] = "hub"
    name: str = Field(min_length=1)
    subset: str | None = None
    split: str = "train"
    revision: str | None = None
    smiles: str = "smiles"
    atomic_numbers: str | None = None
    positions: str | None = None

    @model_validator(mode="after")
    def _both(self) -> Hub:
        if (self.positions is None) != (self.atomic_numbers is None):
            raise ValueError("positions: coordinates need two columns, atomic_numbers and positions")
        return self

    @property
    def rows_each(self) -> int:
        return 1 if self.positions else self.conformers

    def digest(self) -> str:
        return _digest(self, self._table()._fingerprint)

    def content_digest(self) -> str:
        """Names the rows of the columns used, however a file is cut into chunks."""
        import pyarrow as pa

        total = hashlib.sha256()
        for table in self._table().with_format("arrow").iter(batch_size=10_000):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
                writer.write_table(table.combine_chunks().replace_schema_metadata())
            total.update(sink.getvalue())
        return total.hexdigest()[:32]

    def words(self) -> list[str]:
        return [str(word) for word in self._table()[self.smiles]]

    def entries(self) -> int:
        return super().entries() if self.positions is None else min(len(self._table()), self.limit or 10**9)

    def load(self) -> Loaded:
        if self.positions is None or self.atomic_numbers is None:
            return super().load()
        items = [(*_geometry(row[self.atomic_numbers], row[self.positions]), row[self.smiles]) for row in self._table()]
        return from_coordinates(items, self.limit)

    def _table(self) -> Dataset:
        """The columns used.

        Raises:
            ValueError: the dataset can't be had, or lacks a column.
        """
        table = open_split(self.name, self.subset, self.revision, self.split)
        wanted = {f: getattr(self, f) for f in ("smiles", "atomic_numbers", "positions") if getattr(self, f)}
        for field, column in wanted.items():
            if column not in table.column_names:
                known = ", ".join(table.column_names)
                raise ValueError(f"source.{field}: no column {column!r} in {self.name!r} (columns: {known})")
        return table.select_columns(list(wanted.values()))


def _geometry(numbers: Any, positions: Any) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers [n] and coordinates [n, 3] of a row; of shape [0, 3] where it has none, [1] where unfit."""
    if numbers is None or positions is None:
        return np.empty(0, np.uint8), np.empty((0, 3), np.float32)
    try:
        return np.array(numbers, dtype=np.uint8), np.array(positions, dtype=np.float32).reshape(-1, 3)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0, np.uint8), np.full(1, np.nan, np.float32)


@lru_cache(maxsize=4)
def _digest(source: Hub, fingerprint: str) -> str:
    """The content's digest, taken again in this process only where `datasets` sees other files."""
    return source.content_digest()
