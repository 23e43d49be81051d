"""From a path to tables of pictures, one a split: folders, archives, Parquet, and what `datasets` saved."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.sources.damage import BROKEN_ARCHIVE, first_line
from trainables.sources.images.archives import LARGEST, Shards, Shelf, files_of, is_tar, is_zip, opened
from trainables.sources.images.base import ALL
from trainables.sources.images.decode import kept_for
from trainables.sources.images.labels_file import METADATA, beside
from trainables.sources.images.layout import NAMES, by_split, classes, is_picture
from trainables.sources.images.pixels import LABEL

if TYPE_CHECKING:
    from datasets import Dataset

IMAGE = "image"


@dataclass(frozen=True)
class Tables:
    """Rows with pictures.

    Attributes:
        parts: by split, or under one name.
        left_out: pictures that are in none, by reason.
    """

    parts: Mapping[str, Dataset]
    left_out: Mapping[str, int] = field(default_factory=dict)


def open_tables(path: str, digest: str, label_column: str | None = None) -> Tables:
    """Tables of a folder of pictures, a zip or tar of them, Parquet, or a folder written by `datasets`.

    Args:
        path: local, or any fsspec URL.
        digest: names the content.
        label_column: of classes, in a labels file beside pictures.

    Raises:
        ValueError: there is nothing of the kind, or it is ambiguous; one line says what is there.
    """
    import datasets

    try:
        return _opened(path, digest, label_column)
    except (*BROKEN_ARCHIVE, datasets.exceptions.DatasetsError) as problem:
        raise ValueError(f"source.path: no images can be read at {path!r} ({first_line(problem)})") from problem


def first_cells(path: str, column: str, label_column: str | None, count: int) -> Iterator[Any]:
    """Some pictures of what `open_tables` would open, as its tables hold them: of folders and archives evenly spaced
    ones, of Parquet the first of each file. What `datasets` saved is of one kind, and not looked at.

    Args:
        path: local, or any fsspec URL.
        column: of pictures, in Parquet.
        label_column: of classes, where one is asked for.
        count: pictures at most, of each file.

    Raises:
        ValueError: there is nothing of the kind, or no such column.
    """
    try:
        if any((Path(path) / mark).exists() for mark in ("state.json", "dataset_dict.json")):
            return
        if path.lower().endswith(".parquet"):
            yield from _first_rows(path, column, label_column, count)
        elif is_zip(path) or is_tar(path):
            yield from _some_pictures(path, label_column, count)
        else:
            _check_folder(path)
            tables = _tables(files_of(path))
            for place in tables.values():
                yield from _first_rows(place, column, label_column, count)
            if not tables:
                yield from _some_pictures(path, label_column, count)
    except BROKEN_ARCHIVE as problem:
        raise ValueError(f"source.path: no images can be read at {path!r} ({first_line(problem)})") from problem


def _check_folder(path: str) -> None:
    """Refuse a file that is none of what else is read.

    Raises:
        ValueError: it is one.
    """
    if "://" not in path and not Path(path).is_dir():
        raise ValueError(
            f"source.path: {path!r} is neither a folder of pictures, a zip or tar of one, Parquet, nor IDX (which ends "
            "with ubyte or .idx)"
        )


def _some_pictures(path: str, label_column: str | None, count: int) -> Iterator[Any]:
    with opened(path) as shelf:
        pictures = [name for name in shelf.sizes if is_picture(name)]
        if not pictures:
            raise ValueError(f"source.path: no pictures in {path!r} ({_contents(shelf)})")
        beside(shelf, pictures, label_column)
        for name in pictures[:: max(1, len(pictures) // count)][:count]:
            yield shelf.cell(name)


def _first_rows(place: str, column: str, label_column: str | None, count: int) -> Iterator[Any]:
    import fsspec
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with fsspec.open(place, "rb") as raw:
            file = parquet.ParquetFile(raw)
            names = file.schema_arrow.names
            for name in (column, label_column):
                if name is not None and name not in names:
                    raise ValueError(f"source: no column {name!r} among {', '.join(names)}")
            if not file.metadata.num_rows:
                raise ValueError(f"source.path: {place!r} holds no row")
            yield from next(file.iter_batches(count, columns=[column])).column(0).to_pylist()
    except pa.ArrowInvalid as problem:
        raise ValueError(f"source.path: {place!r} can't be read as parquet ({first_line(problem)})") from problem


def _opened(path: str, digest: str, label_column: str | None) -> Tables:
    if any((Path(path) / mark).exists() for mark in ("state.json", "dataset_dict.json")):
        return Tables(_saved(path))
    if is_zip(path) or is_tar(path):
        return _pictures(path, digest, label_column)
    if path.lower().endswith(".parquet"):
        return Tables({ALL: _parquet([path], digest)})
    _check_folder(path)
    return _folder(path, digest, label_column)


def _saved(path: str) -> dict[str, Dataset]:
    import datasets

    saved = datasets.load_from_disk(path)
    if not isinstance(saved, datasets.DatasetDict):
        return {ALL: saved}
    unknown = sorted(set(saved) - set(NAMES))
    if unknown:
        raise ValueError(f"source.path: {path!r} has splits that are none of {', '.join(NAMES)}: {', '.join(unknown)}")
    return {NAMES[split]: table for split, table in saved.items()}


def _folder(path: str, digest: str, label_column: str | None) -> Tables:
    places = files_of(path)
    tables = sorted(_tables(places))
    pictures = sum(map(is_picture, places))
    archives = [name for name in places if is_tar(name) or is_zip(name)]
    if archives and (pictures or tables):
        beside = f"{pictures} pictures" if pictures else f"{len(tables)} Parquet files"
        raise ValueError(
            f"source.path: {path!r} holds {beside} and {len(archives)} archives ({archives[0]}); name the one or the "
            "other, or move one away"
        )
    if tables and pictures:
        raise ValueError(
            f"source.path: {path!r} holds {pictures} pictures and {len(tables)} Parquet files ({tables[0]}); name "
            "the one or the other"
        )
    if not tables:
        return _pictures(path, digest, label_column)
    splits = by_split(tables, path, tables=True)
    return Tables({split: _parquet([places[n] for n in names], digest) for split, names in splits.items()})


def _tables(places: Mapping[str, str]) -> dict[str, str]:
    """Of files, those that are Parquet and say nothing of pictures beside them."""
    found = (n for n in places if n.lower().endswith(".parquet") and n.rpartition("/")[2] not in METADATA)
    return {name: places[name] for name in found}


def _parquet(files: list[str], digest: str) -> Dataset:
    import datasets

    kept = str(kept_for(digest))
    return datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=kept)


def _pictures(path: str, digest: str, label_column: str | None) -> Tables:
    with opened(path) as shelf:
        pictures = [name for name in shelf.sizes if is_picture(name)]
        if not pictures:
            raise ValueError(f"source.path: no pictures in {path!r} ({_contents(shelf)})")
        sized = [name for name in pictures if shelf.sizes[name] <= LARGEST]
        splits = _splits(shelf, sized, path)
        told, missing = beside(shelf, sized, label_column)
        labels = told or _classes(shelf, splits)
    parts = {split: _table(path, digest, names, labels, label_column or LABEL) for split, names in splits.items()}
    left_out = Counter(too_large=len(pictures) - len(sized), missing=missing)
    return Tables(parts, +left_out)


def _splits(shelf: Shelf, pictures: list[str], path: str) -> dict[str, list[str]]:
    """Names by split. Of several tars the tars' own names tell it, as in `train-000000.tar`."""
    if not isinstance(shelf, Shards):
        return by_split(pictures, path)
    told = by_split(shelf.shards, path, tables=True)
    return {split: [name for name in pictures if shelf.shard(name) in shards] for split, shards in told.items()}


def _classes(shelf: Shelf, splits: Mapping[str, list[str]]) -> dict[str, str | None]:
    """Classes by folders. Which tar a picture is in tells none."""
    if not isinstance(shelf, Shards):
        return classes(dict(splits))
    names = [name for found in splits.values() for name in found]
    inner = classes({ALL: [shelf.inner(name) for name in names]})
    return {name: inner[shelf.inner(name)] for name in names} if inner else {}


def _contents(shelf: Shelf) -> str:
    """What there is instead, by ending."""
    endings = Counter(Path(name).suffix.lower() or "no ending" for name in shelf.sizes)
    return "it holds " + (", ".join(f"{count} × {ending}" for ending, count in endings.most_common(3)) or "nothing")


def _table(path: str, digest: str, names: list[str], labels: Mapping[str, str | None], column: str) -> Dataset:
    """Pictures as rows, with classes where there are any; one that has none is of the class "None"."""
    import datasets

    found = [labels.get(name) for name in names]
    if any(found) and None in found:
        count = found.count(None)
        logging.getLogger(__name__).warning("%d of %d pictures have no class; they are one, None", count, len(names))
    if not any(found) and labels:
        logging.getLogger(__name__).warning("none of %d pictures has a class, so none is used", len(names))
    features = datasets.Features({IMAGE: {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}})
    if any(found):
        features[column] = datasets.Value("string")
    where: dict[str, Any] = {"path": path, "digest": digest, "names": tuple(names), "column": column}
    where["labels"] = tuple(found) if any(found) else None  # tuples: `datasets` takes lists for shards
    kept = str(kept_for(digest))
    return datasets.Dataset.from_generator(_rows, gen_kwargs=where, features=features, cache_dir=kept)


def _rows(
    path: str, digest: str, names: tuple[str, ...], labels: tuple[str | None, ...] | None, column: str
) -> Iterator[dict[str, Any]]:
    """Rows of `_table`. `digest` names the content: `datasets` caches by arguments."""
    with opened(path) as shelf:
        for row, name in enumerate(names):
            yield {IMAGE: shelf.cell(name)} | ({} if labels is None else {column: labels[row]})
