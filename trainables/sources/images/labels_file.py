"""Classes that stand in files beside pictures: `metadata.csv`, `.jsonl` or `.parquet`, and WebDataset's `.cls`."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from posixpath import basename, dirname, join, normpath
from typing import Any

from trainables.sources.images.archives import Shelf
from trainables.sources.images.pixels import LABEL

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE = "file_name"


def beside(shelf: Shelf, pictures: Sequence[str], column: str | None) -> tuple[dict[str, str | None], int]:
    """Classes of pictures that files beside them tell, and how many entries name no picture that is there.

    Args:
        shelf: what holds them.
        pictures: their names.
        column: of classes, in metadata; None takes `label` where there is one.

    Raises:
        ValueError: metadata can't be read, or has no such column.
    """
    told = _metadata(shelf, column) or _cls(shelf, pictures)
    known = set(pictures)
    return {name: label for name, label in told.items() if name in known}, len(told.keys() - known)


def _cls(shelf: Shelf, pictures: Sequence[str]) -> dict[str, str | None]:
    """`0001.cls` beside `0001.jpg`."""
    held = {_key(name): name for name in shelf.sizes if name.endswith(".cls")}
    of = {name: held.get(_key(name)) for name in pictures} if held else {}
    return {
        name: None if file is None else shelf.read(file).decode(errors="replace").strip() for name, file in of.items()
    }


def _key(name: str) -> str:
    """Of a sample in a WebDataset: its name up to the first dot."""
    return join(dirname(name), basename(name).partition(".")[0])


def _metadata(shelf: Shelf, column: str | None) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in shelf.sizes:
        if basename(name) in METADATA:
            found |= {normpath(join(dirname(name), file)): label for file, label in _table(shelf, name, column).items()}
    return found


def _table(shelf: Shelf, name: str, column: str | None) -> Mapping[str, str | None]:
    """Labels by file; empty where no column is asked for and none is named `label`."""
    import pandas as pd

    readers: dict[str, Callable[[io.BytesIO], Any]] = {
        ".csv": pd.read_csv,
        ".jsonl": _lines,
        ".parquet": pd.read_parquet,
    }
    try:
        frame = readers[name[name.rindex(".") :]](io.BytesIO(shelf.read(name)))
    except (ValueError, OSError) as problem:  # parser's, decoder's and Arrow's are of these
        raise ValueError(f"source.path: {name} can't be read ({str(problem).splitlines()[0]})") from problem
    columns = ", ".join(map(str, frame.columns))
    if FILE not in frame:
        raise ValueError(f"source.path: {name} has no column {FILE!r} (columns: {columns})")
    if column is None and LABEL not in frame:
        return {}
    if (column or LABEL) not in frame:
        raise ValueError(f"source.label_column: no column {column!r} in {name} (columns: {columns})")
    labels = frame[column or LABEL]
    texts = [None if missing else str(label) for label, missing in zip(labels, labels.isna(), strict=True)]
    return dict(zip(frame[FILE].astype(str), texts, strict=True))


def _lines(file: io.BytesIO) -> Any:
    import pandas as pd

    return pd.read_json(file, lines=True)
