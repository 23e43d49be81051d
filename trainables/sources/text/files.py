"""Text in files: documents between separators, JSON lines or Parquet, packed or not, at a path or any fsspec URL."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, ClassVar, Literal

from pydantic import Field

from trainables.runtime import require
from trainables.sources.damage import damage, first_line
from trainables.sources.digests import content_digest
from trainables.sources.text.base import ALL, Pair, TextSource

BLOCK = 1 << 20
"""Characters read at a time."""

READER = 2
"""Version of how files become documents; part of the identity, so that a mended reader never goes by old results."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
FORMS = {".jsonl": "json", ".ndjson": "json", ".json": "json", ".parquet": "parquet"}
BLANK = re.compile(r"\n[ \t]+(?=\n)")
"""A line that holds nothing but spaces."""


class TextFile(TextSource):
    """Documents of one file.

    Attributes:
        path: the file. Its name tells the format, in capitals or not: `.jsonl`, `.ndjson` and `.json` are JSON lines
            (or one JSON list), `.parquet` is Parquet, with documents in `column`; anything else is plain UTF-8 text.
            `.gz`, `.bz2`, `.xz` and `.zst` after it are unpacked.
        separator: what lies between two documents of plain text. Line ends are `\\n` whatever the file has, and a
            line of spaces is blank.
        column: of the documents, where the data has columns.
        prompt_column: of prompts, where documents are pairs; `column` then holds the responses.
        test_path: a second file of the same format whose documents are all held out; None takes shares of `path`.
    """

    kind: Literal["text"] = "text"
    path: str = Field(min_length=1)
    separator: str = Field(default="\n\n", min_length=1)
    column: str = "text"
    prompt_column: str | None = Field(default=None, min_length=1, exclude_if=lambda column: column is None)
    test_path: str | None = None
    places: ClassVar[frozenset[str]] = frozenset({"path", "test_path"})

    def identity(self) -> dict[str, Any]:
        """As of every source; equal bytes read as another format are other documents."""
        forms = [form_of(path) for path in (self.path, self.test_path) if path is not None]
        return super().identity() | {"forms": forms, "reader": READER}

    @property
    def paired(self) -> bool:
        return self.prompt_column is not None

    def digest(self) -> str:
        paths = [self.path] if self.test_path is None else [self.path, self.test_path]
        return "-".join(map(content_digest, paths))

    def read(self) -> Mapping[str, Iterable[str]]:
        if self.test_path is None:
            return {ALL: self._documents(self.path)}
        return {"train": self._documents(self.path), "test": self._documents(self.test_path, alone=False)}

    def peek(self) -> list[str]:
        found = []
        for path in (self.path, self.test_path):
            first = [] if path is None else list(islice(self._documents(path, alone=path == self.path), self.PEEK))
            if path is not None and not any(text.strip() for text in first):
                what = f"the first {len(first)} documents are empty" if first else "holds no document"
                found.append(f"source.path: {path!r}: {what}")
        return found

    def _documents(self, path: str, alone: bool = True) -> Iterator[str]:
        content_digest(path)  # refuses a file that is not there
        column = {"json": json_column, "parquet": parquet_column}.get(form_of(path))
        if self.prompt_column is not None:
            if column is None:
                raise ValueError(f"source.prompt_column: plain text has no columns: {path!r}; take .jsonl or .parquet")
            return paired(column(path, self.prompt_column), column(path, self.column))
        if column is not None:
            return column(path, self.column)
        return separated(path, self.separator, alone)


def paired(prompts: Iterable[str], responses: Iterable[str]) -> Iterator[Pair]:
    """Pairs of one prompt and one response.

    Raises:
        ValueError: a response is empty.
    """
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True), 1):
        if not response.strip():
            raise ValueError(f"source.column: the response of row {number} is empty; every prompt needs one")
        yield Pair.of(prompt, response)


def form_of(path: str) -> str:
    """How a file is read, by its name: `json`, `parquet` or `text`."""
    name = path.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return next((form for ending, form in FORMS.items() if name.endswith(ending)), "text")


@contextmanager
def _opened(path: str) -> Iterator[IO[str]]:
    """The text of a file, unpacked and without a byte-order mark.

    Raises:
        ValueError: it can't be unpacked, or is not UTF-8.
    """
    import fsspec

    packed = path.lower().endswith(COMPRESSED)
    try:
        with fsspec.open(path, "rt", encoding="utf-8-sig", newline=None, compression=_packing(path)) as file:
            yield file
    except UnicodeDecodeError as problem:
        raise ValueError(f"source.path: {path!r} is not UTF-8 text ({problem.reason})") from problem
    except damage() as problem:
        what = "unpacked" if packed else "read"
        raise ValueError(f"source.path: {path!r} can't be {what} ({first_line(problem)})") from problem


def _packing(path: str) -> str | None:
    """fsspec's name of a compression, by the file's name."""
    import fsspec.utils

    if not path.lower().endswith(COMPRESSED):
        return None
    name: str | None = fsspec.utils.infer_compression(path.lower())
    if name is None:
        require("zstandard", f"source.path: {path!r}")
    return name


def separated(path: str, separator: str, alone: bool = True) -> Iterator[str]:
    """Documents of a plain text file, read block by block; what follows the last separator is one too.

    Args:
        path: of the file.
        separator: what lies between two documents.
        alone: whether the file is all there is, so that it must hold more than one.

    Raises:
        ValueError: the file is not UTF-8, or holds one document only.
    """
    separator = separator.replace("\r\n", "\n")
    by_lines = not separator.strip("\n")
    rest, found = "", 0
    with _opened(path) as file:
        while block := file.read(BLOCK):
            text = rest + block
            if by_lines:
                text = BLANK.sub("\n", text)
            *whole, rest = text.split(separator)
            found += len(whole)
            yield from whole
    if rest.strip():
        if alone and not found:
            raise ValueError(
                f"source.separator: {separator!r} never occurs in {path!r}, which would be one document; say what lies "
                "between two"
            )
        yield rest


def json_column(path: str, column: str) -> Iterator[str]:
    """Documents of a column of JSON lines, or of one JSON list of objects; a missing value is an empty document.

    Raises:
        ValueError: the file is not of this form, or its column is missing or holds no text.
    """
    with _opened(path) as file:
        for number, row in enumerate(_objects(path, file), 1):
            if not isinstance(row, dict):
                raise ValueError(f"source.path: {path!r}, row {number}: {row!r:.40} is no JSON object")
            if column not in row and number == 1:
                raise ValueError(_no_column(column, {name: _named(held) for name, held in row.items()}))
            value = row.get(column)
            if not isinstance(value, str | None):
                texts = [name for name, held in row.items() if isinstance(held, str)]
                raise ValueError(
                    f"source.column: {column!r} of row {number} holds {_named(value)}, not text"
                    + (f"; columns that hold text: {', '.join(texts)}" if texts else "; no column holds text")
                )
            yield value or ""


def _objects(path: str, file: IO[str]) -> Iterator[Any]:
    line, first = 0, True
    try:
        for text in file:
            line += 1
            if first and text.lstrip().startswith("["):
                yield from json.loads(text + file.read())
                return
            if text.strip():
                first = False
                yield json.loads(text.strip())
    except json.JSONDecodeError as problem:
        raise ValueError(
            f"source.path: {path!r} can't be read as JSON lines (line {line + problem.lineno - 1}: {problem.msg})"
        ) from problem


def _named(value: Any) -> str:
    """What a value is, in a user's words."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "content" in value[0]:
        return "chat messages"
    kinds = {
        str: "text",
        type(None): "nothing",
        list: "lists",
        dict: "objects",
        bool: "truth values",
        int: "numbers",
        float: "numbers",
        bytes: "bytes",
    }
    return kinds.get(type(value), type(value).__name__)


def _no_column(column: str, found: Mapping[str, str]) -> str:
    """What the columns there are hold."""
    held = ", ".join(f"{name} ({what})" for name, what in found.items())
    return f"source.column: no column {column!r} among {held}"


def parquet_column(path: str, column: str) -> Iterator[str]:
    """Documents of a column of text of any of Arrow's text types; a missing value is an empty document.

    Raises:
        ValueError: the file is not of this form, or its column is missing or holds no text.
    """
    import fsspec
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with fsspec.open(path, "rb") as raw:
            file = parquet.ParquetFile(raw)
            types = dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
            texts = [name for name, held in types.items() if _is_text(held)]
            if column not in types:
                raise ValueError(_no_column(column, {name: str(held) for name, held in types.items()}))
            if column not in texts:
                offered = f"columns that hold text: {', '.join(texts)}" if texts else "no column holds text"
                raise ValueError(f"source.column: {column!r} holds {types[column]}, not text; {offered}")
            for batch in file.iter_batches(columns=[column]):
                yield from (value or "" for value in batch.column(0).cast(pa.string()).to_pylist())
    except (OSError, pa.ArrowInvalid, UnicodeDecodeError) as problem:
        raise ValueError(f"source.path: {path!r} can't be read as parquet ({first_line(problem)})") from problem


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    held = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(held) or types.is_large_string(held) or types.is_string_view(held))
