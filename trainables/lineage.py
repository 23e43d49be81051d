"""Keys that name things by what they were derived from, and the random streams derived from keys.

A key is the only source of randomness: whoever computes the thing that a key names, wherever and in
whatever order, draws the same numbers.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from trainables.config import canonical_json

SCHEMA = 1
"""Version of the meaning of keys. Raise it whenever the same config would give other numbers."""

KEY_DIGITS = 32


def make_key(tag: str, **parts: Any) -> str:
    """The lineage key, 32 hex digits, of the thing of type `tag` made from `parts` (plain data).

    Raises:
        ValueError: a number in `parts` is not finite.
        TypeError: a part has no JSON form.
    """
    text = canonical_json({"schema": SCHEMA, "tag": tag, "parts": parts})
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


class Stream:
    """Random numbers named by a key and a path of words; equal names give equal numbers.

    Streams of different names are independent for practical purposes (SHA-256 seeds a Philox
    counter generator; Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
    """

    def __init__(self, key: str, path: tuple[str, ...] = ()) -> None:
        self.key = key
        self.path = path

    def child(self, *names: str) -> Stream:
        """The stream of a part of this thing."""
        return Stream(self.key, (*self.path, *names))

    def integer(self, *names: str) -> int:
        """A seed of 63 bits. Torch by itself uses 32 of them on a CPU: see `trainables.runtime.generators`."""
        return self._digest(names) >> 193

    def numpy(self, *names: str) -> np.random.Generator:
        """A fresh numpy generator; two calls with equal names repeat the same numbers."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(self._digest(names))))

    def _digest(self, names: tuple[str, ...]) -> int:
        text = canonical_json({"schema": SCHEMA, "key": self.key, "path": [*self.path, *names]})
        return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
