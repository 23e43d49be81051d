"""Text of any dataset on the Hugging Face hub, or in a local folder of the same layout."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from trainables.sources.digests import content_digest
from trainables.sources.hub import open_split, placeless
from trainables.sources.text.base import TextSource, digest_of
from trainables.sources.text.files import paired

if TYPE_CHECKING:
    from datasets import Dataset


class TextHub(TextSource):
    """A dataset by name.

    A remote dataset is told apart by name, subset and revision, so that a study can be planned without it;
    pin `revision` to a commit where the numbers must stand. A local folder is told apart by its content.

    Attributes:
        name: `owner/dataset`, or a local folder that `datasets` can load or has saved.
        subset: the dataset's configuration, where it has several.
        revision: commit, tag or branch.
        split: of the training documents.
        test_split, validation_split: held-out documents; None takes shares of `split`.
        column: of the documents.
        prompt_column: of prompts, where documents are pairs; `column` then holds the responses.
    """

    kind: Literal["hub"] = "hub"
    name: str = Field(min_length=1)
    subset: str | None = None
    revision: str = "main"
    split: str = "train"
    test_split: str | None = None
    validation_split: str | None = None
    column: str = "text"
    prompt_column: str | None = Field(default=None, min_length=1, exclude_if=lambda column: column is None)

    @property
    def paired(self) -> bool:
        return self.prompt_column is not None

    def identity(self) -> dict[str, Any]:
        """As of any source; a local folder's name and revision give way to its content."""
        return placeless(self.name, super().identity())

    def digest(self) -> str:
        if not Path(self.name).is_dir():
            return ""
        files = sorted(file for file in Path(self.name).rglob("*") if file.is_file())
        return digest_of(f"{file.relative_to(self.name)} {content_digest(str(file))}" for file in files)

    def read(self) -> Mapping[str, Iterable[str]]:
        names = {"train": self.split, "test": self.test_split, "validation": self.validation_split}
        return {part: self._documents(split) for part, split in names.items() if split is not None}

    def _documents(self, split: str) -> Iterator[str]:
        rows = open_split(self.name, self.subset, self.revision, split)
        if self.prompt_column is None:
            return _column(rows, "column", self.column)
        return paired(_column(rows, "prompt_column", self.prompt_column), _column(rows, "column", self.column))


def _column(rows: Dataset, field: str, name: str) -> Iterator[str]:
    """The texts of a column; a missing value is an empty one."""
    if name not in rows.column_names:
        raise ValueError(f"source.{field}: no column {name!r} among {', '.join(rows.column_names)}")
    return (row[name] or "" for row in rows.select_columns(name))


class TinyStories(TextHub):
    """Stories in the words of a small child, about 470 million tokens (Eldan and Li 2023, arXiv 2305.07759).

    The published validation stories are the test split; repetitions of them among the training stories, and
    repetitions within them, are left out.
    """

    kind: Literal["tinystories"] = "tinystories"  # type: ignore[assignment]
    name: str = Field(default="roneneldan/TinyStories", min_length=1)
    test_split: str | None = "validation"
