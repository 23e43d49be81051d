"""Images on disk or at any fsspec URL: a folder of pictures, a zip or tar of them, Parquet, or IDX as MNIST uses."""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.runtime import check_place
from trainables.sources.damage import UNREADABLE, first_line
from trainables.sources.images.archives import files_of
from trainables.sources.images.base import ALL, ImageSource, Labelled
from trainables.sources.images.decode import VERSION, Unreadable, decode, prepare, resize
from trainables.sources.images.layout import is_leftover
from trainables.sources.images.opening import first_cells, open_tables
from trainables.sources.images.pixels import LABEL, Pixels

if TYPE_CHECKING:
    from datasets import Dataset


class Folder(ImageSource):
    """Pictures at a path.

    Attributes:
        path: a folder of pictures (subfolders name their classes), a zip or tar of such a folder, a folder of tars
            (shards, as WebDataset writes them), a Parquet file or a folder of them, a folder written by `datasets`,
            or an IDX file, gzipped or not. Folders `train` and `test` or `validation` (Parquet files and tars that
            begin so, splits that `datasets` wrote) keep what they hold out.
        labels: an IDX file of labels, for IDX images.
        column: the column of images, where the data has columns.
        label_column: the column of classes, in the data or in a `metadata.csv`, `.jsonl` or `.parquet` beside pictures,
            whose `file_name` names them; None takes `label` where there is one. Pictures without a class are one class.
        crop: side of the centre square that is kept, before resizing; None keeps the largest.
    """

    kind: Literal["folder"] = "folder"
    path: str = Field(min_length=1)
    labels: str | None = None
    column: str = "image"
    label_column: str | None = None
    crop: int | None = Field(default=None, ge=1)
    places: ClassVar[frozenset[str]] = frozenset({"path", "labels"})

    def identity(self) -> dict[str, Any]:
        """As of every source, with the version of what decodes pictures."""
        return super().identity() | {"decoder": VERSION}

    def digest(self) -> str:
        parts = [content_digest(self.path), content_digest(self.labels) if self.labels else "none"]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]

    def read(self) -> Mapping[str, Labelled]:
        if _is_idx(self.path):
            return {ALL: self._idx()}
        if self.labels is not None:
            raise ValueError("source.labels: for IDX images only; other data names its label_column")
        digest = content_digest(self.path)
        tables = open_tables(self.path, digest, self.label_column)
        parts = {split: labelled(table, self, f"{digest}/{split}") for split, table in tables.parts.items()}
        first = next(iter(parts))
        return parts | {
            first: replace(parts[first], left_out=Counter(parts[first].left_out) + Counter(tables.left_out))
        }

    def peek(self) -> list[str]:
        if _is_idx(self.path):
            read_idx(self.path, dimensions=3)
            return []
        lost, seen = Counter[str](), 0
        for cell in first_cells(self.path, self.column, self.label_column, self.PEEK):
            seen += 1
            try:
                decode(cell, self.size, self.channels, self.crop)
            except Unreadable as problem:
                lost[str(problem)] += 1
        told = ", ".join(f"{count} × {reason.replace('_', ' ')}" for reason, count in lost.most_common())
        return [f"source.path: {lost.total()} of {seen} pictures looked at can't be read: {told}"] if lost else []

    def _idx(self) -> Labelled:
        if self.label_column is not None:
            raise ValueError("source.label_column: IDX has no columns; `labels` names its file of labels")
        images = read_idx(self.path, dimensions=3)
        labels = read_idx(self.labels, dimensions=1) if self.labels else None
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"source.labels: {len(labels)} labels for {len(images)} images")
        return Labelled(Pixels.of(resize(images[..., None], self.size, self.channels, self.crop)), labels)


def labelled(raw: Dataset, source: Any, digest: str) -> Labelled:
    """A table's images, decoded, as `source` (with `column`, `label_column`, `crop`) wants them.

    `digest` names the content, as in `prepare`.

    Raises:
        ValueError: there is no such column, or its labels are lists.
    """
    for name in (source.column, source.label_column):
        if name is not None and name not in raw.column_names:
            raise ValueError(f"source: no column {name!r} among {', '.join(raw.column_names)}")
    label = source.label_column or (LABEL if LABEL in raw.column_names else None)
    if label is not None and not _one_value(raw, label):
        raise ValueError(f"source.label_column: {label!r} holds lists or records; a class is one number or one word")
    ready = prepare(raw, digest, source.column, label, source.size, source.channels, source.crop)
    pixels = Pixels.from_table(ready.table, (source.size, source.size, source.channels))
    labels = None if label is None else _plain(np.array(ready.table.data.column(LABEL).to_pylist()))
    return Labelled(pixels, labels, ready.left_out)


def _one_value(raw: Dataset, column: str) -> bool:
    from datasets import ClassLabel, Value

    return isinstance(raw.features[column], (Value, ClassLabel))


def _plain(labels: np.ndarray) -> np.ndarray:
    """Labels that compare with each other; a missing one is the class "None"."""
    return labels.astype(str) if labels.dtype == object else labels


def read_idx(path: str, dimensions: int) -> np.ndarray:
    """The unsigned bytes of an IDX file, gzipped or not (format: yann.lecun.com/exdb/mnist).

    Raises:
        ValueError: it can't be read, is no such file, or is cut short.
    """
    import fsspec

    form = f">4B{dimensions}I"
    try:
        with fsspec.open(path, "rb", compression="gzip" if path.endswith(".gz") else None) as file:
            head = file.read(struct.calcsize(form))
            if len(head) < struct.calcsize(form) or head[:4] != bytes([0, 0, 8, dimensions]):
                raise ValueError(f"source.path: {path!r} is no IDX file of unsigned bytes with {dimensions} dimensions")
            shape = struct.unpack(form, head)[4:]
            data = file.read(math.prod(shape) + 1)  # no more, whatever a compressed file unpacks to
    except (*UNREADABLE, OverflowError, MemoryError) as problem:
        raise ValueError(f"source.path: {path!r} can't be read ({first_line(problem)})") from problem
    if not math.prod(shape):
        raise ValueError(f"source.path: {path!r} holds nothing: its dimensions are {', '.join(map(str, shape))}")
    if len(data) != math.prod(shape):
        held = f"{len(data)} bytes" if len(data) < math.prod(shape) else "more bytes"
        raise ValueError(f"source.path: {path!r} holds {held} of data, not {math.prod(shape)}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def content_digest(path: str) -> str:
    """32 hex digits that name the content of a file, or of a folder's files and their names inside it, leftovers apart.

    Raises:
        ValueError: there is nothing at `path`.
    """
    import fsspec

    check_place("source.path", path)
    if "://" in path:
        filesystem, place = fsspec.url_to_fs(path)
        names = sorted(n for n in filesystem.find(place) if not is_leftover(n.removeprefix(place)))
        marks = [f"{name.removeprefix(place)} {filesystem.checksum(name)}" for name in names]
        return hashlib.sha256("\0".join(marks or [str(filesystem.checksum(place))]).encode()).hexdigest()[:32]
    root = Path(path)
    if not root.exists():
        raise ValueError(f"source.path: no such file or folder: {path!r}")
    seen = {"": path} if root.is_file() else files_of(path)
    stats = [(file, name, os.stat(file).st_size, os.stat(file).st_ctime_ns) for name, file in sorted(seen.items())]
    return _files_digest(tuple(stats))


@lru_cache(maxsize=16)
def _files_digest(files: tuple[tuple[str, str, int, int], ...]) -> str:
    total = hashlib.sha256()
    for path, name, _, _ in files:
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{name}\0{content}\0".encode())
    return total.hexdigest()[:32]


def _is_idx(path: str) -> bool:
    return path.removesuffix(".gz").endswith(("ubyte", ".idx"))
