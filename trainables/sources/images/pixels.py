"""Images as unsigned bytes in one or more arrays, memory-mapped where they come from Arrow files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trainables.runtime import touched

if TYPE_CHECKING:
    from datasets import Dataset

PIXELS = "pixels"
LABEL = "label"


@dataclass(frozen=True)
class Pixels:
    """Rows of images; taking and joining rows copies no pixel.

    Attributes:
        chunks: arrays of unsigned bytes, [rows, height, width, channels], all of one image shape.
        index: which rows of their concatenation these are, and in which order; None means all.
    """

    chunks: tuple[np.ndarray, ...]
    index: np.ndarray | None = None

    @classmethod
    def of(cls, array: np.ndarray) -> Pixels:
        """Images of one array, [rows, height, width, channels]."""
        return cls((np.ascontiguousarray(array, dtype=np.uint8),))

    @classmethod
    def join(cls, parts: Sequence[Pixels]) -> Pixels:
        """All rows of `parts`, one after another."""
        if all(part.index is None for part in parts):
            return cls(tuple(chunk for part in parts for chunk in part.chunks))
        starts = np.cumsum([0, *(part._ends[-1] for part in parts)])
        rows = [part._rows(np.arange(part.rows)) + start for part, start in zip(parts, starts, strict=False)]
        return cls(tuple(chunk for part in parts for chunk in part.chunks), np.concatenate(rows))

    @classmethod
    def from_table(cls, table: Dataset, shape: Sequence[int]) -> Pixels:
        """Images of a table's column of flat pixels, each of `shape`, without a copy."""
        if table._indices is not None:
            table = table.flatten_indices()
        column = table.data.column(PIXELS)
        chunks = [c.flatten().to_numpy(zero_copy_only=True).reshape(-1, *shape) for c in column.chunks if len(c)]
        return cls(tuple(chunks) or (np.empty((0, *shape), np.uint8),))

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return self.chunks[0].shape[1:]

    @property
    def rows(self) -> int:
        """How many images."""
        return int(self._ends[-1]) if self.index is None else len(self.index)

    @property
    def nbytes(self) -> int:
        """Memory that all rows take up once gathered."""
        return self.rows * int(np.prod(self.shape))

    def take(self, index: np.ndarray) -> Pixels:
        """The rows at `index`."""
        return Pixels(self.chunks, self._rows(index))

    def gather(self, index: np.ndarray) -> np.ndarray:
        """A copy of the rows at `index`, [k, height, width, channels]."""
        rows = self._rows(index)
        found = np.empty((len(rows), *self.shape), np.uint8)
        owner = np.searchsorted(self._ends, rows, side="right")
        for number in np.unique(owner):
            inside = owner == number
            found[inside] = self.chunks[number][rows[inside] - self._starts[number]]
            touched(int(inside.sum()), int(np.prod(self.shape)))
        return found

    def array(self) -> np.ndarray:
        """A copy of all rows, [rows, height, width, channels]."""
        return self.gather(np.arange(self.rows))

    def each(self, step: int = 1024) -> Iterator[np.ndarray]:
        """All rows in order, up to `step` at a time."""
        for start in range(0, self.rows, step):
            yield self.gather(np.arange(start, min(start + step, self.rows)))

    def table(self, labels: np.ndarray | None = None) -> Dataset:
        """A table with one flat row of pixels an image and, where given, its label."""
        import pyarrow as pa
        from datasets import Dataset

        width = int(np.prod(self.shape))
        columns = {PIXELS: pa.FixedSizeListArray.from_arrays(pa.array(self.array().ravel()), width)}
        if labels is not None:
            columns[LABEL] = pa.array(labels.astype(np.int64))
        return Dataset(pa.table(columns))

    def _rows(self, index: np.ndarray) -> np.ndarray:
        return index if self.index is None else self.index[index]

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum([len(chunk) for chunk in self.chunks])

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.concatenate([[0], self._ends[:-1]])
