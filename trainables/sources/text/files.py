"""Text in files: documents between separators, JSON lines, or Parquet, at a local path or any fsspec URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from trainables.sources.digests import content_digest
from trainables.sources.text.base import ALL, TextSource

BLOCK = 1 << 20
"""Characters read at a time."""


class TextFile(TextSource):
    """Documents of one file.

    Attributes:
        path: the file. Its name tells the format: `.jsonl` and `.json` are JSON lines, `.parquet` is Parquet,
            with documents in `column`; anything else is plain UTF-8 text.
        separator: what lies between two documents of plain text.
        column: of the documents, where the data has columns.
        test_path: a second file of the same format whose documents are all held out; None takes shares of `path`.
    """

    kind: Literal["text"] = "text"
    path: str = Field(min_length=1)
    separator: str = Field(default="\n\n", min_length=1)
    column: str = "text"
    test_path: str | None = None
    places: ClassVar[frozenset[str]] = frozenset({"path", "test_path"})

    def digest(self) -> str:
        paths = [self.path] if self.test_path is None else [self.path, self.test_path]
        return "-".join(map(content_digest, paths))

    def read(self) -> Mapping[str, Iterable[str]]:
        if self.test_path is None:
            return {ALL: self._documents(self.path)}
        return {"train": self._documents(self.path), "test": self._documents(self.test_path)}

    def _documents(self, path: str) -> Iterator[str]:
        content_digest(path)  # refuses a file that is not there
        if path.endswith((".jsonl", ".json")):
            return columns("json", path, self.column)
        if path.endswith(".parquet"):
            return columns("parquet", path, self.column)
        return separated(path, self.separator)


def separated(path: str, separator: str) -> Iterator[str]:
    """Documents of a plain text file, read block by block; what follows the last separator is one too.

    Raises:
        ValueError: the file is not UTF-8.
    """
    import fsspec

    rest = ""
    try:
        with fsspec.open(path, "rt", encoding="utf-8", newline=None) as file:
            while block := file.read(BLOCK):
                *whole, rest = (rest + block).split(separator)
                yield from whole
    except UnicodeDecodeError as problem:
        raise ValueError(f"source.path: {path!r} is not UTF-8 text ({problem.reason})") from problem
    if rest.strip():
        yield rest


def columns(form: str, path: str, column: str) -> Iterator[str]:
    """Documents of a column; a missing value is an empty document.

    Raises:
        ValueError: the file is not of this form, or has no such column.
    """
    import datasets

    try:
        rows = datasets.load_dataset(form, data_files=path, split="train", streaming=True)
        for row in rows:
            if column not in row:
                raise ValueError(f"source.column: no column {column!r} among {', '.join(row)}")
            yield row[column] or ""
    except (OSError, datasets.exceptions.DatasetsError) as problem:
        reason = str(problem.__cause__ or problem).strip().splitlines()[0]
        raise ValueError(f"source.path: {path!r} can't be read as {form} ({reason})") from problem
