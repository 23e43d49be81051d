"""Images on disk or at any fsspec URL: a folder of pictures, a zip of them, Parquet, or IDX as MNIST uses."""

from __future__ import annotations

import hashlib
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.runtime import check_place
from trainables.sources.images.base import ALL, ImageSource, Labelled
from trainables.sources.images.decode import VERSION, kept_for, prepare, resize
from trainables.sources.images.pixels import LABEL, Pixels

if TYPE_CHECKING:
    from datasets import Dataset


LARGEST = 256 * 2**20
"""Bytes of one packed picture at most, unpacked: a small zip may claim to hold any number."""


class Folder(ImageSource):
    """Pictures at a path.

    Attributes:
        path: a folder of pictures (subfolders name their classes), a zip of such a folder, a Parquet file or a
            folder of them, a folder written by `datasets`, or an IDX file, gzipped or not.
        labels: an IDX file of labels, for IDX images.
        column: the column of images, where the data has columns.
        label_column: the column of classes; None takes `label` where there is one.
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
            images = read_idx(self.path, dimensions=3)
            labels = read_idx(self.labels, dimensions=1) if self.labels else None
            if labels is not None and len(labels) != len(images):
                raise ValueError(f"source.labels: {len(labels)} labels for {len(images)} images")
            return {ALL: Labelled(Pixels.of(resize(images[..., None], self.size, self.channels)), labels)}
        if self.labels is not None:
            raise ValueError("source.labels: for IDX images only; other data names its label_column")
        return {ALL: labelled(open_table(self.path), self, content_digest(self.path))}


def labelled(raw: Dataset, source: Any, digest: str) -> Labelled:
    """A table's images, decoded, as `source` (with `column`, `label_column`, `crop`) wants them.

    `digest` names the content, as in `prepare`.

    Raises:
        ValueError: there is no such column.
    """
    for name in (source.column, source.label_column):
        if name is not None and name not in raw.column_names:
            raise ValueError(f"source: no column {name!r} among {', '.join(raw.column_names)}")
    label = source.label_column or (LABEL if LABEL in raw.column_names else None)
    ready = prepare(raw, digest, source.column, label, source.size, source.channels, source.crop)
    pixels = Pixels.from_table(ready, (source.size, source.size, source.channels))
    labels = None if label is None else _plain(np.array(ready.data.column(LABEL).to_pylist()))
    return Labelled(pixels, labels, raw.num_rows - ready.num_rows)


def _plain(labels: np.ndarray) -> np.ndarray:
    """Labels that compare with each other; a missing one is the class "None"."""
    return labels.astype(str) if labels.dtype == object else labels


def open_table(path: str) -> Dataset:
    """Rows of a folder of pictures, a zip of them, Parquet, or a folder written by `datasets`.

    Raises:
        ValueError: there is nothing of the kind at `path`.
    """
    import datasets

    local, kept = Path(path), str(kept_for(content_digest(path)))
    try:
        if (local / "state.json").exists():
            return datasets.load_from_disk(path)
        if path.endswith(".parquet"):
            return datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=kept)
        if local.is_dir() and any(local.glob("**/*.parquet")):
            files = sorted(str(file) for file in local.glob("**/*.parquet"))
            return datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=kept)
        if path.endswith(".zip"):
            where = {"path": path, "digest": content_digest(path)}
            return datasets.Dataset.from_generator(_zipped, gen_kwargs=where, cache_dir=kept)
        return datasets.load_dataset("imagefolder", split="train", data_dir=path, cache_dir=kept)
    except (OSError, ValueError, zipfile.BadZipFile, datasets.exceptions.DatasetsError) as problem:
        raise ValueError(f"source.path: no images can be read at {path!r} ({_first_line(problem)})") from problem


def _zipped(path: str, digest: str) -> Iterator[dict[str, Any]]:
    """Pictures of a zip as rows, with the folder that holds each as its `label` where there are several.

    `digest` names the content: `datasets` caches by arguments.
    """
    import fsspec
    from PIL import Image

    pictures = tuple(Image.registered_extensions())
    with fsspec.open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith(pictures) and "__MACOSX" not in n)
        folders = {name: name.rpartition("/")[0] for name in names}
        several = len(set(folders.values())) > 1
        for name in names:
            cell = {"bytes": _member(archive, name), "path": name}
            yield {"image": cell, "label": folders[name]} if several else {"image": cell}


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A picture's bytes; none where they are damaged, encrypted or far too many, which is no picture."""
    if archive.getinfo(name).file_size > LARGEST:
        return b""
    try:
        return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return b""


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
    except (OSError, EOFError, OverflowError, MemoryError) as problem:
        raise ValueError(f"source.path: {path!r} can't be read ({_first_line(problem)})") from problem
    if len(data) != math.prod(shape):
        held = f"{len(data)} bytes" if len(data) < math.prod(shape) else "more bytes"
        raise ValueError(f"source.path: {path!r} holds {held} of data, not {math.prod(shape)}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def content_digest(path: str) -> str:
    """32 hex digits that name the content of a file, or of a folder's files and their names inside it.

    Raises:
        ValueError: there is nothing at `path`.
    """
    import fsspec

    check_place("source.path", path)
    if "://" in path:
        filesystem, place = fsspec.url_to_fs(path)
        return hashlib.sha256(str(filesystem.checksum(place)).encode()).hexdigest()[:32]
    root = Path(path)
    if not root.exists():
        raise ValueError(f"source.path: no such file or folder: {path!r}")
    files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if file.is_file())
    seen = [(file, "" if root.is_file() else file.relative_to(root).as_posix()) for file in files]
    stats = [(str(file), name, file.stat().st_size, file.stat().st_ctime_ns) for file, name in seen]
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


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
