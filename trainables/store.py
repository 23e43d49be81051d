"""Content-addressed artifacts: what a lineage key names, kept once, committed atomically.

STORE CONTRACT. `get` returns a complete, checked artifact or None, never a part of one. `put` makes an
artifact visible in one step (the manifest is written last), so that a kill at any moment leaves either
all of it or nothing. Two processes may put the same key: both write equal content, either may win.
Nothing read from a store is executed: weights are safetensors, tables are Arrow, the rest is JSON.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Payload:
    """What an artifact holds. Families put their models and batches into this form themselves.

    Attributes:
        meta: plain JSON data; a batch says its `rows` here.
        tensors: named arrays, kept as safetensors.
        table: rows of any schema, kept as Arrow and memory-mapped when read from a local disk.
        files: other small files by name (pictures, SDF), kept as they are.
    """

    meta: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    table: Dataset | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows of a batch."""
        return int(self.meta["rows"])


class Store(ABC):
    """Where artifacts live. `kind` is the sort of thing (model, batch, record, …), `key` its lineage key."""

    @abstractmethod
    def get(self, kind: str, key: str) -> Payload | None:
        """The artifact, or None when it is not there (or was found damaged and set aside)."""

    @abstractmethod
    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        """Commit an artifact. `parents` (name -> "kind/key") is what it was derived from.

        Raises:
            StoreError: it could not be written (full disk, read-only, unreachable).
        """

    @abstractmethod
    def has(self, kind: str, key: str) -> bool:
        """Whether the artifact was committed, by its manifest alone."""

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        """The artifact; computed and committed first where it is missing."""
        found = self.get(kind, key)
        if found is None:
            found = compute()
            self.put(kind, key, found, parents)
        return found


class StoreError(Exception):
    """The store can't be used as asked; the message is one line for the user."""


class MemoryStore(Store):
    """A store that lives and dies with its process."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Payload] = {}

    def get(self, kind: str, key: str) -> Payload | None:
        return self._held.get((kind, key))

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        self._held[kind, key] = payload

    def has(self, kind: str, key: str) -> bool:
        return (kind, key) in self._held


def open_store(url: str | None) -> Store:
    """The store at a local path or any fsspec URL; None is a `MemoryStore`.

    Raises:
        StoreError: the place can't be used, or was written by a newer version.
    """
    if url is None:
        return MemoryStore()
    from trainables.artifacts import FsspecStore

    return FsspecStore(url)


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A private temporary folder for an artifact on its way into or out of a store."""
    return tempfile.TemporaryDirectory(prefix="collapse-sweep-")
