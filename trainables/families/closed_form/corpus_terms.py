"""How closed-form families go through a corpus: whole batches by running sums, drawn rows by multiplicity."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np

from trainables.corpus import Batch, Corpus, RealisedDraw

T = TypeVar("T")


class Memo(Generic[T]):
    """The last few values that were computed, by key."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of a key, computed where it is not at hand."""
        if key not in self._held:
            self._held[key] = compute()
            while len(self._held) > self._limit:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]


class RunningSum(Generic[T]):
    """Sums over whole batches from left to right; a sum that goes on from a known one costs only what is new.

    The order of additions never depends on what is known, so neither does the last digit of a sum. One sum is known for
    each lineage, and a few more.
    """

    def __init__(self, load: Callable[[Batch, float], T], add: Callable[[T, T], T], lineages: int = 1) -> None:
        self._load = load
        self._add = add
        self._limit = 3 + lineages
        self._known: OrderedDict[tuple[tuple[str, float], ...], T] = OrderedDict()

    def total(self, items: list[tuple[Batch, float]]) -> T:
        """The sum over (batch, row weight) pairs, at least one."""
        names = tuple([(batch.key, weight) for batch, weight in items])
        lengths = sorted(map(len, self._known), reverse=True)
        done = next((n for n in lengths if names[:n] in self._known), 0)
        total = self._known[names[:done]] if done else self._load(*items[0])
        for batch, weight in items[max(done, 1) :]:
            total = self._add(total, self._load(batch, weight))
        self._known[names] = total
        self._known.move_to_end(names)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
        return total


def square_distances(values: Sequence[np.ndarray]) -> np.ndarray:
    """Squared distance of two estimates, a mean over pairs of them: values [replicates, dim] each, [replicates]."""
    apart = np.subtract(values, values[0])  # equal estimates are exactly 0 apart
    center = apart.mean(axis=0)
    found: np.ndarray = 2 * sum(np.vecdot(each - center, each - center) for each in apart) / (len(values) - 1)
    return found


def whole_batches(corpus: Corpus) -> list[tuple[Batch, float]]:
    """Batches that are in the corpus with all their rows, and the weight of these."""
    return [(batch, part.weight) for part in corpus.parts if part.index is None for batch in part.batches]


def drawn_parts(corpus: Corpus) -> list[RealisedDraw]:
    """Parts that are some rows of their batches, or some rows repeatedly."""
    return [part for part in corpus.parts if part.index is not None]


def multiplicities(part: RealisedDraw) -> Iterator[tuple[Batch, np.ndarray]]:
    """How often each row of a batch is drawn, [1 or replicates, rows]; batches without any are left out."""
    assert part.index is not None
    index = np.atleast_2d(part.index)
    start = 0
    for batch in part.batches:
        inside = (index >= start) & (index < start + batch.rows)
        if inside.any():
            replicate, _ = np.nonzero(inside)
            cells = replicate * batch.rows + (index[inside] - start)
            counts = np.bincount(cells, minlength=len(index) * batch.rows)
            yield batch, counts.reshape(len(index), batch.rows).astype(float)
        start += batch.rows


def gather(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Rows of [replicates, rows, …] at `index`, [k] or [replicates, k]."""
    index = np.atleast_2d(index)
    replicate = np.arange(len(values))[:, None]
    taken: np.ndarray = values[replicate, np.broadcast_to(index, (len(values), index.shape[-1]))]
    return taken


def by_row(scores: np.ndarray) -> np.ndarray:
    """Scores [replicates, rows] as the contract has them: without the axis of a single replicate."""
    return scores[0] if len(scores) == 1 else scores


def probability(log_odds: np.ndarray) -> np.ndarray:
    """Logistic function, kept off 0 and 1."""
    found: np.ndarray = 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))
    return found


def terms_of(corpus: Corpus, sums: RunningSum[T], drawn: Callable[[RealisedDraw], T]) -> list[T]:
    """What a corpus adds up to, at least one term: its whole batches together, then each part of drawn rows."""
    whole = whole_batches(corpus)
    return ([sums.total(whole)] if whole else []) + [drawn(part) for part in drawn_parts(corpus)]


def of_drawn(part: RealisedDraw, replicates: int, known: Memo[T], compute: Callable[[RealisedDraw], T]) -> T:
    """A part's term; of rows that every replicate and generation draws alike it is remembered."""
    assert part.index is not None
    if part.index.ndim == 1 and replicates > 1:
        name = (tuple(batch.key for batch in part.batches), part.index.tobytes(), part.weight)
        return known.get(name, lambda: compute(part))
    return compute(part)
