"""Text corpora: embedded, from files, or from the hub."""

from trainables.sources.text.base import TEXTS, Pair, Pydoc, TextSource

__all__ = [
    "TEXTS",
    "Pair",
    "Pydoc",
    "TextSource",
]
