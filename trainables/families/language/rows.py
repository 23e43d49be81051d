"""Token rows in memory and in Arrow: one flat array of tokens and where each row starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.corpus import Corpus
from trainables.store import Payload

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

COLUMN = "input_ids"


@dataclass(frozen=True)
class Rows:
    """Sequences of tokens, none longer than the context.

    Attributes:
        tokens: all tokens, row after row, [tokens].
        starts: where each row starts, and the end of the last one, [rows + 1].
        weights: of each row in the loss, mean 1, [rows]; None where all are equal.
    """

    tokens: np.ndarray
    starts: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def fixed(cls, tokens: np.ndarray, length: int) -> Rows:
        """Rows of one length; tokens behind the last whole row are dropped."""
        rows = len(tokens) // length
        return cls(tokens[: rows * length], np.arange(rows + 1, dtype=np.int64) * length)

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, [rows]."""
        lengths: np.ndarray = np.diff(self.starts)
        return lengths

    def take(self, index: np.ndarray) -> Rows:
        """The rows at `index`, copied."""
        lengths = self.lengths[index]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        place = np.arange(starts[-1]) + np.repeat(self.starts[:-1][index] - starts[:-1], lengths)
        return Rows(self.tokens[place], starts)

    def padded(self, index: np.ndarray, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows at `index` side by side: tokens [k, longest] as int64, and which of them are real."""
        import torch

        lengths = self.lengths[index]
        offset = np.arange(lengths.max())
        inside = offset < lengths[:, None]
        place = np.minimum(self.starts[:-1][index][:, None] + offset, len(self.tokens) - 1)
        tokens = np.where(inside, self.tokens[place], pad).astype(np.int64)
        return torch.from_numpy(tokens), torch.from_numpy(inside)

    def payload(self, vocabulary: int, **meta: Any) -> Payload:
        """These rows as a batch."""
        return Payload(meta={"rows": self.rows, "tokens": len(self.tokens), **meta}, table=self._table(vocabulary))

    def _table(self, vocabulary: int) -> Dataset:
        import pyarrow as pa
        from datasets import Dataset

        values = pa.array(self.tokens.astype(np.uint16 if vocabulary <= 2**16 else np.int32))
        lists = pa.LargeListArray.from_arrays(pa.array(self.starts), values)
        return Dataset(pa.table({COLUMN: lists}))


def read(batch: Payload) -> Rows:
    """The rows of a batch, without a copy where Arrow holds them in one piece."""
    table = batch.table
    if table is None:
        raise ValueError("a batch of token rows has a table")
    pieces = table.data.column(COLUMN)
    column = pieces.chunk(0) if pieces.num_chunks == 1 else pieces.combine_chunks()  # the latter always copies
    starts = column.offsets.to_numpy()
    tokens = column.values.to_numpy()
    return Rows(tokens[starts[0] : starts[-1]], starts - starts[0])


def gather(corpus: Corpus) -> Rows:
    """A corpus as rows; each token is copied once."""
    pieces, weights = [], []
    for part in corpus.parts:
        rows = join([read(batch.payload) for batch in part.batches])
        pieces.append(rows if part.index is None else rows.take(part.index))
        weights.append(np.full(pieces[-1].rows, part.weight))
    whole = join(pieces)
    if not corpus.weighted:
        return whole
    weight = np.concatenate(weights)
    return Rows(whole.tokens, whole.starts, weight / weight.mean())


def join(pieces: Sequence[Rows]) -> Rows:
    """Rows of one after rows of another."""
    if len(pieces) == 1:
        return pieces[0]
    lengths = np.concatenate([piece.lengths for piece in pieces])
    return Rows(np.concatenate([piece.tokens for piece in pieces]), np.concatenate([[0], np.cumsum(lengths)]))
