"""A pool of batches, and a corpus: what a recipe's draws come to on that pool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from trainables.policies import FRESH, Draw
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
class RealisedDraw:
    """What a draw of a recipe came to: rows of batches, and their weight.

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
        if self.index is None and len(self.batches) == 1:  # most are so in a population, and are asked for often
            return self.batches[0].rows
        return self._rows

    @cached_property
    def _rows(self) -> int:
        return sum(b.rows for b in self.batches) if self.index is None else int(self.index.shape[-1])

    @cached_property
    def rows_by_batch(self) -> dict[int, float]:
        """Rows by batch number; a mean over replicates where these draw separately."""
        if self.index is None:
            return {b.number: float(b.rows) for b in self.batches}
        owner = np.repeat(np.arange(len(self.batches)), [b.rows for b in self.batches])[self.index.ravel()]
        share = self.rows / max(self.index.size, 1)
        counts = np.bincount(owner, minlength=len(self.batches)) * share
        return {b.number: float(c) for b, c in zip(self.batches, counts, strict=True) if c}

    def identities(self, first: dict[str, int]) -> np.ndarray:
        """A number for each row of this part, [1 or replicates, rows], equal for equal rows of the pool.

        Args:
            first: the number of the first row of each batch, by key.
        """
        rows = np.concatenate([first[b.key] + np.arange(b.rows) for b in self.batches])
        return np.atleast_2d(rows if self.index is None else rows[self.index])


@dataclass(frozen=True)
class Corpus:
    """What a generation is fitted on."""

    parts: tuple[RealisedDraw, ...]

    @cached_property
    def rows(self) -> int:
        """Rows in all."""
        return sum(part.rows for part in self.parts)

    @property
    def weighted(self) -> bool:
        """Whether rows differ in weight."""
        return len({part.weight for part in self.parts}) > 1

    def rows_by_batch(self) -> dict[int, float]:
        """Rows by batch number, over all parts."""
        return dict(self._held)

    @cached_property
    def _held(self) -> dict[int, float]:
        return _added([part.rows_by_batch for part in self.parts])

    def weight_by_batch(self) -> dict[int, float]:
        """Share of the loss that each batch carries; sums to 1."""
        total = _added([{n: rows * part.weight for n, rows in part.rows_by_batch.items()} for part in self.parts])
        whole = sum(total.values())
        return {number: weight / whole for number, weight in total.items()}

    def effective_rows(self) -> float:
        """Kish's effective size (Σw)²/Σw²: rows of equal weight that would count as much."""
        mass = sum(part.rows * part.weight for part in self.parts)
        return float(mass**2 / sum(part.rows * part.weight**2 for part in self.parts))

    def duplicates(self) -> float:
        """Rows that repeat another row of the corpus; a mean over replicates."""
        keys = [batch.key for part in self.parts for batch in part.batches]
        if len(set(keys)) == len(keys) and all(part.index is None for part in self.parts):
            return 0.0
        sizes = {batch.key: batch.rows for part in self.parts for batch in part.batches}
        first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        found = [part.identities(first) for part in self.parts]
        replicates = max(len(rows) for rows in found)
        whole = np.concatenate([np.broadcast_to(rows, (replicates, rows.shape[1])) for rows in found], axis=1)
        ordered = np.sort(whole, axis=1)
        return float((ordered[:, 1:] == ordered[:, :-1]).sum(axis=1).mean())

    @property
    def real_fraction(self) -> float:
        """Share of rows that are real (batch 0 or the reserve)."""
        rows = self._held
        return (rows.get(0, 0.0) + rows.get(FRESH, 0.0)) / sum(rows.values())


def _added(parts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Sums by number, in the order of numbers."""
    total = dict(parts[0])
    for part in parts[1:]:
        for number, value in part.items():
            total[number] = total.get(number, 0.0) + value
    return dict(sorted(total.items()))


def realise(
    draw: Draw,
    batches: Sequence[Batch],
    replicates: int,
    rng: np.random.Generator,
    scores: np.ndarray | None = None,
) -> RealisedDraw:
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
    if draw.how == "all":
        return RealisedDraw(tuple(batches), None, draw.weight)
    total = sum(batch.rows for batch in batches)
    wanted = draw.rows or 0
    if draw.how in ("first", "subsample") and draw.start + wanted > total:
        raise ValueError(f"rows {draw.start} to {draw.start + wanted} of batches that hold {total}")
    if draw.how == "first":
        return RealisedDraw(tuple(batches), np.arange(draw.start, draw.start + wanted), draw.weight)
    if draw.how == "subsample":
        drawn = subsample(replicates, total, wanted, rng)
    elif draw.how == "bootstrap":
        drawn = rng.integers(0, total, (replicates, wanted))
    else:
        drawn = _by_score(replicates, total, wanted, rng, scores)
    return RealisedDraw(tuple(batches), drawn if replicates > 1 else drawn[0], draw.weight)


def subsample(replicates: int, total: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Ascending row numbers without replacement, [replicates, wanted], each set equally likely.

    Rows are drawn with replacement and repeats drawn again until there are none; the distinct values of
    independent draws are a uniform set, whenever one stops. Where most rows are wanted, the others are drawn.
    """
    if 2 * wanted > total:
        keep = np.ones((replicates, total), dtype=bool)
        np.put_along_axis(keep, subsample(replicates, total, total - wanted, rng), False, axis=1)
        return np.nonzero(keep)[1].reshape(replicates, wanted)
    rows = np.sort(rng.integers(0, total, (replicates, wanted)), axis=1)
    open_rows = np.arange(replicates)
    while True:
        repeated = np.diff(rows[open_rows], axis=1) == 0
        some = repeated.any(axis=1)
        if not some.any():
            return rows
        open_rows, repeated = open_rows[some], repeated[some]
        again = rows[open_rows]
        again[:, 1:][repeated] = rng.integers(0, total, int(repeated.sum()))
        rows[open_rows] = np.sort(again, axis=1)


def _by_score(
    replicates: int, total: int, wanted: int, rng: np.random.Generator, scores: np.ndarray | None
) -> np.ndarray:
    """Row numbers with replacement, [replicates, wanted], with odds by score."""
    if scores is None:
        raise ValueError("a scored draw needs scores")
    points = rng.random((replicates, wanted))
    drawn = np.empty((replicates, wanted), dtype=np.int64)
    for replicate, odds in enumerate(np.broadcast_to(scores, (replicates, total))):
        table = np.cumsum(odds)
        drawn[replicate] = np.searchsorted(table, points[replicate] * table[-1], side="right")
    return np.minimum(drawn, total - 1)
