"""Which real images are trained on and which are held out: by content, so that no image is on both sides."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from trainables.config import canonical_json
from trainables.sources.images.base import ImageSource, Labelled
from trainables.sources.images.pixels import Pixels

SPLITS = ("test", "validation", "train")
"""In the order of precedence: an image of two splits stays in the first."""

FEWEST = 8
"""Held-out images below which a source is refused: no loss or distance of so few means anything."""

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Split:
    """Images of one split.

    Attributes:
        pixels: the images.
        labels: classes from 0 on, [rows], or None.
    """

    pixels: Pixels
    labels: np.ndarray | None

    @property
    def rows(self) -> int:
        """How many images."""
        return self.pixels.rows


@dataclass(frozen=True)
class Images:
    """A source made ready: its splits, its classes, and how many images were left out and why."""

    train: Split
    validation: Split
    test: Split
    classes: int
    skipped: dict[str, int]


def load(source: ImageSource) -> Images:
    """The source's images, read once per process.

    An image is left out, and counted by reason, where it can't be read (`corrupt` and what else `Unreadable` lists) or
    where its pixels repeat those of an image before it (`repeated`; held-out ones come first, so no training image
    equals a held-out one).

    Raises:
        ValueError: the data can't be read, or too little of it is left.
    """
    return _load(canonical_json(source.identity()), _Unhashed(source))


@dataclass(frozen=True)
class _Unhashed:
    """Carries a source through a cache whose key is the source's identity alone."""

    source: ImageSource = field(compare=False)


@lru_cache(maxsize=4)
def _load(identity: str, carried: _Unhashed) -> Images:
    source = carried.source
    parts = source.read()
    marks = {name: _marks(part.pixels) for name, part in parts.items()}
    chosen = _choose(source, marks)
    repeated = sum(map(len, marks.values())) - sum(len(rows) for split in chosen.values() for _, rows in split)
    left_out = sum((Counter(part.left_out) for part in parts.values()), Counter[str]())
    skipped = {"corrupt": 0} | left_out | {"repeated": repeated}
    if any(skipped.values()):
        counts = _counts(skipped)
        logging.getLogger(__name__).warning("%s: %s images are left out", source.kind, counts)
    splits = {name: _join(parts, chosen[name]) for name in SPLITS}
    _require_enough(source, splits, skipped)
    splits, classes = _number_classes(source, splits)
    return Images(splits["train"], splits["validation"], splits["test"], classes, skipped)


def _counts(skipped: Mapping[str, int]) -> str:
    """`3 corrupt and 1 repeated`."""
    return " and ".join(f"{count} {why.replace('_', ' ')}" for why, count in skipped.items() if count) or "none"


def _marks(pixels: Pixels) -> list[bytes]:
    """16 bytes that name each image's pixels."""
    return [hashlib.sha256(row.tobytes()).digest()[:16] for rows in pixels.each() for row in rows]


Chosen = dict[str, list[tuple[str, list[int]]]]
"""Of each split, which rows of which part."""


def _choose(source: ImageSource, marks: Mapping[str, list[bytes]]) -> Chosen:
    seen: set[bytes] = set()
    chosen: Chosen = {name: [] for name in SPLITS}
    for part in sorted(marks, key=lambda name: SPLITS.index(name) if name in SPLITS else len(SPLITS)):
        rows: dict[str, list[int]] = {name: [] for name in SPLITS}
        for row, mark in enumerate(marks[part]):
            if mark in seen:
                continue
            seen.add(mark)
            own = part if part in ("test", "validation") else _share(source, mark, marks)
            rows[own].append(row)
        for name in SPLITS:
            chosen[name].append((part, rows[name]))
    return chosen


def _share(source: ImageSource, mark: bytes, marks: Mapping[str, list[bytes]]) -> str:
    """Where an image of the part without held-out rows belongs: shares of those splits that the source lacks."""
    test = 0.0 if "test" in marks else source.test
    validation = 0.0 if "validation" in marks else source.validation
    place = int.from_bytes(mark[:8], "big") / 2**64
    return "test" if place < test else "validation" if place < test + validation else "train"


def _join(parts: Mapping[str, Labelled], chosen: list[tuple[str, list[int]]]) -> Split:
    index = [(parts[name], np.array(rows, dtype=np.int64)) for name, rows in chosen]
    pixels = Pixels.join([part.pixels.take(rows) for part, rows in index])
    labels = [part.labels[rows] for part, rows in index if part.labels is not None]
    return Split(pixels, np.concatenate(labels) if len(labels) == len(index) else None)


def _require_enough(source: ImageSource, splits: Mapping[str, Split], skipped: Mapping[str, int]) -> None:
    rows = {name: split.rows for name, split in splits.items()}
    if min(rows["test"], rows["validation"]) < FEWEST or not rows["train"]:
        found = ", ".join(f"{rows[name]} for {name}" for name in ("train", "validation", "test"))
        raise ValueError(
            f"source: {source.kind} gives {found} ({_counts(skipped)} left out); at least {FEWEST} must be held "
            "out for each"
        )


def _number_classes(source: ImageSource, splits: dict[str, Split]) -> tuple[dict[str, Split], int]:
    """Labels as numbers from 0 on, alike in all splits."""
    labels = [splits[name].labels for name in SPLITS]
    known = [values for values in labels if values is not None]
    if len(known) < len(SPLITS):
        return {name: replace(split, labels=None) for name, split in splits.items()}, 0
    names, numbers = np.unique(np.concatenate(known), return_inverse=True)
    if len(names) > MOST_CLASSES:
        raise ValueError(f"source: {source.kind} has {len(names)} labels; classes number {MOST_CLASSES} at most")
    ends = np.cumsum([len(values) for values in known])[:-1]
    numbered = dict(zip(SPLITS, np.split(numbers, ends), strict=True))
    return {name: replace(split, labels=numbered[name]) for name, split in splits.items()}, len(names)
