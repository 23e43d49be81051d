"""A real text of which a share is foreign: written by another model, or taken from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from trainables.sources.text.base import ALL, TEXTS, TextSource

if TYPE_CHECKING:
    AnyText = TextSource
else:
    AnyText = TEXTS.union(but=("blend",))


class Blend(TextSource):
    """Training documents of two sources, mixed at a stated share, as in Zhu et al. (2024): 0, 25, 50, 75 and 100 %.

    Only documents of `real` are held out, whatever the share. All shares have equally many characters to train on, as
    many as the smaller source has, so that they differ in nothing else: the larger share of a source holds the smaller.

    Attributes:
        real: the text that models are judged on. A split of its own is kept; `family.test` and `family.validation` are
            not used.
        foreign: what another model wrote, or another text; all of it may be trained on.
        share: of the characters trained on, from `foreign`.
        test, validation: shares of `real` held out, by the hash of a document, where it has no such split.
    """

    kind: Literal["blend"] = "blend"
    real: AnyText
    foreign: AnyText
    share: float = Field(ge=0, le=1)
    test: float = Field(default=0.1, gt=0, lt=0.5)
    validation: float = Field(default=0.1, ge=0, lt=0.5)

    @model_validator(mode="after")
    def _alike(self) -> Blend:
        if self.real.paired != self.foreign.paired:
            raise ValueError("foreign: one of `real` and `foreign` has prompts and the other has none")
        return self

    @property
    def paired(self) -> bool:
        return self.real.paired

    def identity(self) -> dict[str, Any]:
        parts = {"real": self.real.identity(), "foreign": self.foreign.identity()}
        return self.canonical() | parts

    def digest(self) -> str:
        return hashlib.sha256(f"{self.real.digest()} {self.foreign.digest()}".encode()).hexdigest()[:32]

    def peek(self) -> list[str]:
        found = ((name, line) for name in ("real", "foreign") for line in getattr(self, name).notes())
        return [f"source.{name}.{line.removeprefix('source.')}" for name, line in found]

    def read(self) -> Mapping[str, Iterable[str]]:
        parts = self._divided()
        held_out = {_mark(text) for name in ("test", "validation") for text in parts[name]}
        foreign = [text for texts in self.foreign.read().values() for text in texts]
        both = [_sizes(texts, held_out) for texts in (parts["train"], foreign)]
        budget = min(sum(sizes.values()) for sizes in both)
        kept = [_some(sizes, part * budget) for sizes, part in zip(both, (1 - self.share, self.share), strict=True)]
        real, other = (_of(texts, marks) for texts, marks in zip((parts["train"], foreign), kept, strict=True))
        return {"test": parts["test"], "validation": parts["validation"], "train": [*real, *other]}

    def _divided(self) -> dict[str, list[str]]:
        """Documents of `real` by split: its own where it has one, else by content."""
        parts = self.real.read()
        found: dict[str, list[str]] = {"train": [], "test": [], "validation": []}
        test = 0.0 if "test" in parts else self.test
        validation = 0.0 if "validation" in parts else self.validation
        for name, texts in parts.items():
            for text in texts:
                place = int.from_bytes(_mark(text)[:8], "big") / 2**64
                split = "test" if place < test else "validation" if place < test + validation else "train"
                found[split if name in ("train", ALL) else name].append(text)
        return found


def _mark(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _sizes(texts: Iterable[str], held_out: set[bytes]) -> dict[bytes, int]:
    """Characters of each document once, those held out apart."""
    sizes = {_mark(text): len(text) for text in texts if text.strip()}
    return {mark: size for mark, size in sizes.items() if mark not in held_out}


def _some(sizes: Mapping[bytes, int], characters: float) -> set[bytes]:
    """Documents of about so many characters: the first by their marks, which are random."""
    kept, total = set[bytes](), 0
    for mark in sorted(sizes):
        if total + sizes[mark] / 2 > characters:
            break
        kept.add(mark)
        total += sizes[mark]
    return kept


def _of(texts: Iterable[str], marks: set[bytes]) -> list[str]:
    """Documents with these marks; empty and repeated ones stay, for whoever counts them."""
    return [text for text in texts if not text.strip() or _mark(text) in marks]
