"""Text sources: documents by name, told apart by content."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Literal

from trainables.config import Registry
from trainables.sources.base import Source

TEXTS = Registry(
    "text source",
    {
        "pydoc": "trainables.sources.text.base:Pydoc",
        "docstrings": "trainables.sources.text.docstrings:Docstrings",
        "text": "trainables.sources.text.files:TextFile",
        "blend": "trainables.sources.text.blend:Blend",
        "hub": "trainables.sources.text.hub:TextHub",
        "tinystories": "trainables.sources.text.hub:TinyStories",
    },
)

RULES = re.compile(r"[-=+*~^|]{4,}")
"""What tables are drawn with."""

ALL = "all"
"""Name of the one part of a source that has no splits of its own."""


class Pair(str):
    """A document that is a prompt and a response, one after the other."""

    prompt: str
    response: str

    @classmethod
    def of(cls, prompt: str, response: str) -> Pair:
        """The two as one document."""
        pair = cls(prompt + response)
        pair.prompt, pair.response = prompt, response
        return pair


class TextSource(Source, ABC):
    """Base of every text source. Subclasses add `kind: Literal[...]`."""

    kind: str
    places: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where the text lies: no part of the identity."""

    @property
    def paired(self) -> bool:
        """Whether its documents are `Pair`s."""
        return False

    def identity(self) -> dict[str, Any]:
        """What the documents are: the fields that shape them and a digest of the content, never a place.

        Raises:
            ValueError: the text can't be read; one line says which and why.
        """
        fields = {name: value for name, value in self.canonical().items() if name not in self.places}
        return fields | {"digest": self.digest()}

    @abstractmethod
    def digest(self) -> str:
        """What tells this content from any other. Light to compute."""

    @abstractmethod
    def read(self) -> Mapping[str, Iterable[str]]:
        """Documents by split, `train`, `test` and `validation`, of which the last two may be missing, or `all`.

        In the source's own order, empty documents and repetitions included.

        Raises:
            ValueError: the text can't be read; one line says which and why.
        """


class Pydoc(TextSource):
    """The language reference that Python's own help shows: about 340,000 characters of edited English.

    A document is a paragraph, its line breaks and indentation joined to single spaces, without headings and
    without the lines that tables are drawn with.
    The digest covers the text, which differs between Python versions.
    """

    kind: Literal["pydoc"] = "pydoc"

    def digest(self) -> str:
        return _pydoc_digest()

    def read(self) -> Mapping[str, Iterable[str]]:
        return {ALL: _paragraphs()}


def _paragraphs() -> Iterator[str]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        for paragraph in topics[name].replace("\r\n", "\n").split("\n\n"):
            lines = paragraph.split("\n")
            if not any(_ruler(line) for line in lines):
                yield " ".join(RULES.sub(" ", paragraph).split())


@cache
def _pydoc_digest() -> str:
    """Taken once a process: the text is part of the interpreter."""
    return digest_of(_paragraphs())


def digest_of(texts: Iterable[str]) -> str:
    """32 hex digits that name a sequence of texts."""
    total = hashlib.sha256()
    for text in texts:
        total.update(text.encode("utf-8", "surrogatepass"))
        total.update(b"\x00")
    return total.hexdigest()[:32]


def _ruler(line: str) -> bool:
    """Whether a line underlines a heading."""
    return len(line) >= 3 and len(set(line)) == 1 and line[0] in "*=-~^\"'"
