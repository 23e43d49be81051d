"""Image sources: named, told apart by content, and read as square pixels of one size."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.config import Registry
from trainables.sources.base import Source
from trainables.sources.images.pixels import Pixels

IMAGE_SOURCES = Registry(
    "image source",
    {
        "digits": "trainables.sources.images.embedded:Digits",
        "mnist5k": "trainables.sources.images.embedded:Mnist5k",
        "folder": "trainables.sources.images.files:Folder",
        "hub": "trainables.sources.images.hub:Hub",
        "celeba": "trainables.sources.images.hub:CelebA",
    },
)

ALL = "all"
"""Name of the one part of a source that has no splits of its own."""


@dataclass(frozen=True)
class Labelled:
    """Images and, where known, their classes.

    Attributes:
        pixels: the images.
        labels: of each image, [rows], any values that compare; None where the source has none.
        left_out: images of this part that could not be read, by reason.
    """

    pixels: Pixels
    labels: np.ndarray | None
    left_out: Mapping[str, int] = field(default_factory=dict)


class ImageSource(Source, ABC):
    """Base of every image source. Subclasses add `kind: Literal[...]`.

    Attributes:
        size: side of the square images, in pixels; others are cropped at the centre and resized.
        channels: 1 is grey, 3 is colour.
        test, validation: shares held out by the hash of an image's pixels, where the source has no such split.
    """

    kind: str
    size: int = Field(default=32, ge=8, le=256)
    channels: Literal[1, 3] = 3
    test: float = Field(default=0.1, gt=0, lt=0.5)
    validation: float = Field(default=0.05, gt=0, lt=0.5)
    places: ClassVar[frozenset[str]] = frozenset()
    """Fields that say where the data lies: no part of the identity."""

    def identity(self) -> dict[str, Any]:
        """What the images are: the fields that shape them and a digest of the content, never a place.

        Raises:
            ValueError: the data can't be read; one line says which and why.
        """
        fields = {name: value for name, value in self.canonical().items() if name not in self.places}
        return fields | {"digest": self.digest()}

    @abstractmethod
    def digest(self) -> str:
        """What tells this content from any other."""

    @abstractmethod
    def read(self) -> Mapping[str, Labelled]:
        """The images by split: `train`, `test` and `validation`, of which the last two may be missing, or `all`.

        Raises:
            ValueError: the data can't be read; one line says which and why.
        """

    def most_held_out(self) -> float:
        """Images that are held out at most, from the config alone; inf where that is not known."""
        return math.inf

    def known_rows(self) -> int | None:
        """Training rows where these are known without reading anything."""
        return None
