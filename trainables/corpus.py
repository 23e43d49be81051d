"""A pool of batches, and a corpus: what a recipe's draws come to on that pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainables.policies.base import FRESH, Draw
from trainables.store import Payload


class Batch:
    """One batch of the pool, read from the store when its rows are first needed.

    Attributes:
        number: 0 for real rows, j for model j's, `FRESH` for the reserve.
        key: lineage key; equal keys hold equal rows.
        rows: how many rows it holds.
    """

    def __init__(self, number: int, key: str, rows: int, load: Callable[[], Payload]) -> None:
        self.number = number
        self.key = key
        self.rows = rows
        self._load = load

    @cached_property
    def payload(self) -> Payload:
        """The rows, in the family's own form."""
        return self._load()


@dataclass(frozen=True)
class Part:
    """One realised draw.

    Attributes:
        batches: the batches drawn on, in ascending number.
        index: rows of their concatenation, shape [k], or [replicates, k] where a family keeps many
            recursions in one batch; None means all rows.
        weight: of each row in the loss.
    """

    batches: tuple[Batch, ...]
    index: np.ndarray | None
    weight: float

    @property
    def rows(self) -> int:
        """Rows this part adds to the corpus (of each replicate)."""
        return sum(b.rows for b in self.batches) if self.index is None else int(self.index.shape[-1])

    def rows_by_batch(self) -> dict[int, float]:
        """Rows by batch number; a mean over replicates where these draw separately."""
        if self.index is None:
            return {b.number: float(b.rows) for b in self.batches}
        edges = np.cumsum([b.rows for b in self.batches])
        owner = np.searchsorted(edges, self.index.ravel(), side="right")
        share = self.rows / max(self.index.size, 1)
        counts = np.bincount(owner, minlength=len(self.batches)) * share
        return {b.number: float(c) for b, c in zip(self.batches, counts, strict=True)}

    def duplicates(self) -> float:
        """Rows that repeat an earlier row of this part; a mean over replicates."""
        if self.index is None:
            return 0.0
        ordered = np.sort(np.atleast_2d(self.index), axis=1)
        return float((ordered[:, 1:] == ordered[:, :-1]).sum(axis=1).mean())


@dataclass(frozen=True)
class Corpus:
    """What a generation is fitted on."""

    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """Rows in all."""
        return sum(part.rows for part in self.parts)

    @property
    def weighted(self) -> bool:
        """Whether rows differ in weight."""
        return len({part.weight for part in self.parts}) > 1

    def rows_by_batch(self) -> dict[int, float]:
        """Rows by batch number, over all parts."""
        total: dict[int, float] = {}
        for part in self.parts:
            for number, rows in part.rows_by_batch().items():
                total[number] = total.get(number, 0.0) + rows
        return total

    def weight_by_batch(self) -> dict[int, float]:
        """Share of the loss that each batch carries; sums to 1."""
        total: dict[int, float] = {}
        for part in self.parts:
            for number, rows in part.rows_by_batch().items():
                total[number] = total.get(number, 0.0) + rows * part.weight
        whole = sum(total.values())
        return {number: weight / whole for number, weight in total.items()}

    @property
    def real_fraction(self) -> float:
        """Share of rows that are real (batch 0 or the reserve)."""
        rows = self.rows_by_batch()
        return (rows.get(0, 0.0) + rows.get(FRESH, 0.0)) / sum(rows.values())


def realise(
    draw: Draw,
    batches: Sequence[Batch],
    replicates: int,
    rng: np.random.Generator,
    scores: np.ndarray | None = None,
) -> Part:
    """The rows that a draw comes to.

    Args:
        draw: what the policy asked for.
        batches: the batches it names, in its order.
        replicates: independent recursions that draw separately; 1 gives an index of shape [k].
        rng: the corpus's own generator.
        scores: for `scored`, non-negative weights of the concatenated rows, [rows] or [replicates, rows].

    Raises:
        ValueError: the draw asks for more rows than there are.
    """
    total = sum(batch.rows for batch in batches)
    if draw.how == "all":
        return Part(tuple(batches), None, draw.weight)
    wanted = draw.rows or 0
    if draw.how == "first":
        if draw.start + wanted > total:
            raise ValueError(f"a draw of rows {draw.start} to {draw.start + wanted} of batches of {total} rows")
        index: np.ndarray = np.arange(draw.start, draw.start + wanted)
        return Part(tuple(batches), index, draw.weight)
    if draw.how == "subsample" and wanted > total:
        raise ValueError(f"a subsample of {wanted} rows without replacement from {total}")
    drawn = _random_index(draw.how, replicates, total, wanted, rng, scores)
    return Part(tuple(batches), drawn if replicates > 1 else drawn[0], draw.weight)


def _random_index(
    how: str, replicates: int, total: int, wanted: int, rng: np.random.Generator, scores: np.ndarray | None
) -> np.ndarray:
    """Row numbers, [replicates, wanted]; a subsample is in ascending order."""
    if how == "subsample":
        chosen = rng.random((replicates, total)).argpartition(wanted - 1, axis=1)[:, :wanted]
        return np.sort(chosen, axis=1)
    if how == "bootstrap":
        return rng.integers(0, total, (replicates, wanted))
    if scores is None:
        raise ValueError("a scored draw needs scores")
    table = np.cumsum(np.broadcast_to(scores, (replicates, total)), axis=1)
    points = rng.random((replicates, wanted)) * table[:, -1:]
    rows = [np.searchsorted(t, p, side="right") for t, p in zip(table, points, strict=True)]
    return np.minimum(np.stack(rows), total - 1)
