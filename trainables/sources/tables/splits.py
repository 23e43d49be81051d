"""Which rows of a table are trained on and which are held out: by content, so that no row is on both sides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from trainables.config import canonical_json
from trainables.sources.tables.base import TableSource
from trainables.sources.tables.encode import encode

FEWEST = 8
"""Held-out rows below which a table is refused: no loss of so few means anything."""

REPEATED = 1e-6
"""Standard deviation of a feature of variance 1, given those before it, below which it says nothing of its own: its
square is what fits ask of a pivot."""


@dataclass(frozen=True)
class Split:
    """Rows of one split.

    Attributes:
        x: a constant, then features with mean 0 and variance 1 over the training rows, [rows, columns].
        labels: 0 or 1, or counts, [rows].
    """

    x: np.ndarray
    labels: np.ndarray

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.labels)


@dataclass(frozen=True)
class Splits:
    """A table made ready.

    Attributes:
        train, validation, test: its rows.
        names: of the features, the constant left out.
    """

    train: Split
    validation: Split
    test: Split
    names: tuple[str, ...]

    @cached_property
    def repeated(self) -> str | None:
        """The first feature that is a sum of those before it in all training rows; None where there is none."""
        rows, columns = self.train.x.shape
        if rows < columns:
            return None  # too few rows to tell
        pivots = np.abs(np.diagonal(np.linalg.qr(self.train.x, mode="r"))) / np.sqrt(rows)
        flat = np.flatnonzero(pivots[1:] < REPEATED)
        return self.names[flat[0]] if len(flat) else None


def load(source: TableSource, *, counts: bool) -> Splits:
    """The source's rows, read once per process; labels are counts, or 0 and 1.

    Raises:
        ValueError: the table can't be read or used, or too little of it is left.
    """
    return _load(canonical_json(source.identity()), counts, _Unhashed(source))


@dataclass(frozen=True)
class _Unhashed:
    """Carries a source through a cache whose key is the source's identity alone."""

    source: TableSource = field(compare=False)


@lru_cache(maxsize=8)
def _load(identity: str, counts: bool, carried: _Unhashed) -> Splits:
    source = carried.source
    table = source.read()
    if len(table.target) < 3 * FEWEST:
        raise ValueError(f"source: {source.kind} has {len(table.target)} rows; at least {3 * FEWEST} are needed")
    x, labels, names = encode(source, table, counts=counts)
    places = _places(x, labels)
    test = places < source.test
    validation = ~test & (places < source.test + source.validation)
    train = ~(test | validation)
    _require_enough(source, train, validation, test)
    white = _standardised(x, train, names)
    if not counts and len(set(labels[train].tolist())) < 2:
        raise ValueError(f"source: all {int(train.sum())} training rows are of one class")
    fitted, checked, judged = (Split(white[rows], labels[rows]) for rows in (train, validation, test))
    return Splits(fitted, checked, judged, tuple(names))


def _places(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A number in [0, 1) by each row's content."""
    rows = np.ascontiguousarray(np.column_stack([x + 0.0, labels]), dtype="<f8")
    found = [int.from_bytes(hashlib.sha256(row.tobytes()).digest()[:8], "big") / 2**64 for row in rows]
    return np.array(found)


def _require_enough(source: TableSource, train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> None:
    held = {"training": int(train.sum()), "validation": int(validation.sum()), "test": int(test.sum())}
    if min(held["validation"], held["test"]) < FEWEST or held["training"] < FEWEST:
        shown = ", ".join(f"{rows} for {name}" for name, rows in held.items())
        raise ValueError(f"source: {len(train)} rows of {source.kind} give {shown}; each needs at least {FEWEST}")


def _standardised(x: np.ndarray, train: np.ndarray, names: list[str]) -> np.ndarray:
    """A constant and the features, by mean and standard deviation of the training rows; gaps become the mean."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, spread = np.nanmean(x[train], axis=0), np.nanstd(x[train], axis=0)
    vast = [name for name, width in zip(names, spread, strict=True) if not np.isfinite(width)]
    if vast:
        raise ValueError(f"source: column {vast[0]!r} holds numbers too large to be squared; give it in another unit")
    flat = [name for name, width in zip(names, spread, strict=True) if not width > 0]
    if flat:
        raise ValueError(
            f"source: column {flat[0]!r} is the same in all {int(train.sum())} training rows; leave it out"
        )
    white = (np.where(np.isnan(x), mean, x) - mean) / spread
    return np.column_stack([np.ones(len(x)), white])
