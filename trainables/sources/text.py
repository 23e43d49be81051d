"""Text sources: documents by name, cleaned, counted, and told apart by content."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal

from trainables.config import Config, Registry

TEXTS = Registry(
    "text source",
    {
        "pydoc": "trainables.sources.text:Pydoc",
    },
)


class TextSource(Config, ABC):
    """Base of every text source. Subclasses add `kind: Literal[...]`."""

    kind: str

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """What the documents are: a digest of the content, never a place. Light to compute.

        Raises:
            ValueError: the text can't be read; one line says which and why.
        """

    @abstractmethod
    def documents(self) -> Iterator[str]:
        """The documents in the source's own order, empty ones and repetitions included."""


class Pydoc(TextSource):
    """The language reference that Python's own help shows: about 340,000 characters of edited English.

    A document is a paragraph, its line breaks and indentation joined to single spaces, headings left out.
    The digest covers the text, which differs between Python versions.
    """

    kind: Literal["pydoc"] = "pydoc"

    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "digest": digest(self.documents())}

    def documents(self) -> Iterator[str]:
        from pydoc_data.topics import topics

        for name in sorted(topics):
            for paragraph in topics[name].replace("\r\n", "\n").split("\n\n"):
                lines = paragraph.split("\n")
                if not any(_ruler(line) for line in lines):
                    yield " ".join(paragraph.split())


def digest(texts: Iterator[str]) -> str:
    """32 hex digits that name a sequence of texts."""
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode("utf-8", "surrogatepass"))
        total.update(b"\x00")
    return total.hexdigest()[:32]


def _ruler(line: str) -> bool:
    """Whether a line underlines a heading."""
    return len(line) >= 3 and len(set(line)) == 1 and line[0] in "*=-~^\"'"
