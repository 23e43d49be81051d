"""Text corpora: embedded, from files, or from the hub."""

from trainables.sources.text.base import TEXTS, Pydoc, TextSource

__all__ = [
    "TEXTS",
    "Pydoc",
    "TextSource",
]
