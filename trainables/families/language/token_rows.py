"""Token rows in memory and in Arrow: one flat array of tokens and where each row starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.corpus import Corpus
from trainables.runtime import touched
from trainables.store import Payload

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

    from trainables.families.language.objective import Loss

COLUMN, PROMPT = "input_ids", "prompt_tokens"


@dataclass(frozen=True)
class Rows:
    """Sequences of tokens, none longer than the context.

    Attributes:
        tokens: all tokens, row after row, [tokens].
        starts: where each row starts, and the end of the last one, [rows + 1].
        weights: of each row in the loss, mean 1, [rows]; None where all are equal.
        prompts: tokens at the beginning of each row that are its prompt, [rows]; None where rows have none.
    """

    tokens: np.ndarray
    starts: np.ndarray
    weights: np.ndarray | None = None
    prompts: np.ndarray | None = None

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

    @property
    def given(self) -> np.ndarray:
        """Tokens of each row's prompt, [rows]."""
        return np.zeros(self.rows, dtype=np.int64) if self.prompts is None else self.prompts.astype(np.int64)

    def take(self, index: np.ndarray) -> Rows:
        """The rows at `index`, copied."""
        lengths = self.starts[index + 1] - self.starts[index]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        place = np.arange(starts[-1]) + np.repeat(self.starts[index] - starts[:-1], lengths)
        return Rows(self.tokens[place], starts, prompts=None if self.prompts is None else self.prompts[index])

    def counted(self, index: np.ndarray, loss: Loss) -> torch.Tensor:
        """Which tokens of the rows at `index` count in a loss, [k, longest]."""
        import torch

        lengths = self.starts[index + 1] - self.starts[index]
        offset = np.arange(lengths.max())
        first = np.zeros_like(lengths)
        if loss.on == "last":
            first = np.maximum(lengths - (loss.tokens or 0), 0)
        elif loss.on == "response":
            first = self.given[index]
        return torch.from_numpy((offset >= first[:, None]) & (offset < lengths[:, None]))

    def padded(self, index: np.ndarray, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows at `index` side by side: tokens [k, longest] as int64, and which of them are real."""
        import torch

        lengths = self.starts[index + 1] - self.starts[index]
        offset = np.arange(lengths.max())
        inside = offset < lengths[:, None]
        place = np.minimum(self.starts[index][:, None] + offset, len(self.tokens) - 1)
        tokens = np.where(inside, self.tokens[place], pad).astype(np.int64)
        return torch.from_numpy(tokens), torch.from_numpy(inside)

    def payload(self, vocabulary: int, **meta: Any) -> Payload:
        """These rows as a batch."""
        return Payload(meta={"rows": self.rows, "tokens": len(self.tokens), **meta}, table=self._table(vocabulary))

    def _table(self, vocabulary: int) -> Dataset:
        import pyarrow as pa
        from datasets import Dataset

        values = pa.array(self.tokens.astype(np.uint16 if vocabulary <= 2**16 else np.int32))
        columns = {COLUMN: pa.LargeListArray.from_arrays(pa.array(self.starts), values)}
        if self.prompts is not None:
            columns[PROMPT] = pa.array(self.prompts.astype(np.int32))
        return Dataset(pa.table(columns))


@dataclass(frozen=True)
class RowsView:
    """Rows of several pieces, one after another; no token is copied before it is used.

    Attributes:
        pieces: as they lie in memory or in mapped files.
        index: which rows of the whole these are, [rows]; None means all.
        weights: of each row in the loss, mean 1, [rows]; None where all are equal.
    """

    pieces: tuple[Rows, ...]
    index: np.ndarray | None = None
    weights: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """How many rows."""
        return int(self._ends[-1]) if self.index is None else len(self.index)

    def take(self, index: np.ndarray) -> Rows:
        """The rows at `index`, copied."""
        at = index if self.index is None else self.index[index]
        owner = np.searchsorted(self._ends, at, side="right")
        starts = self._ends - [piece.rows for piece in self.pieces]
        taken = []
        for number in np.unique(owner):
            rows = at[owner == number] - starts[number]
            taken.append(self.pieces[number].take(rows))
            touched(len(rows), len(taken[-1].tokens) // len(rows))
        return join(taken).take(np.argsort(np.argsort(owner, kind="stable")))

    def padded(self, index: np.ndarray, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows at `index` side by side: tokens [k, longest] as int64, and which of them are real."""
        return self.take(index).padded(np.arange(len(index)), pad)

    @cached_property
    def _ends(self) -> np.ndarray:
        """Where each piece ends, in rows."""
        return np.cumsum([piece.rows for piece in self.pieces])


def read(batch: Payload) -> Rows:
    """The rows of a batch, without a copy where Arrow holds them in one piece."""
    return join(_pieces(batch))


def _pieces(batch: Payload) -> list[Rows]:
    """The rows of a batch as they lie in Arrow."""
    if batch.table is None:
        raise ValueError("a batch of token rows has a table")
    data, first, found = batch.table.data, 0, []
    prompts = data.column(PROMPT).to_numpy() if PROMPT in data.column_names else None
    for chunk in data.column(COLUMN).chunks:
        if len(chunk):
            found.append(_piece(chunk, None if prompts is None else prompts[first : first + len(chunk)]))
        first += len(chunk)
    return found


def _piece(chunk: Any, prompts: np.ndarray | None) -> Rows:
    starts, tokens = chunk.offsets.to_numpy(), chunk.values.to_numpy()
    return Rows(tokens[starts[0] : starts[-1]], starts - starts[0] if starts[0] else starts, prompts=prompts)


def gather(corpus: Corpus) -> RowsView:
    """A corpus as rows that stay where they are."""
    pieces: list[Rows] = []
    index, weights = [], []
    for part in corpus.parts:
        before, held = sum(piece.rows for piece in pieces), sum(batch.rows for batch in part.batches)
        pieces += [piece for batch in part.batches for piece in _pieces(batch.payload)]
        index.append(before + (np.arange(held) if part.index is None else part.index))
        weights.append(np.full(len(index[-1]), part.weight))
    whole = all(part.index is None for part in corpus.parts)
    weight = np.concatenate(weights) if corpus.weighted else None
    return RowsView(
        tuple(pieces), None if whole else np.concatenate(index), None if weight is None else weight / weight.mean()
    )


def join(pieces: Sequence[Rows]) -> Rows:
    """Rows of one after rows of another."""
    if len(pieces) == 1:
        return pieces[0]
    lengths = np.concatenate([piece.lengths for piece in pieces])
    paired = any(piece.prompts is not None for piece in pieces)
    prompts = np.concatenate([piece.given for piece in pieces]) if paired else None
    tokens = np.concatenate([piece.tokens for piece in pieces])
    return Rows(tokens, np.concatenate([[0], np.cumsum(lengths)]), prompts=prompts)
