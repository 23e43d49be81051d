"""Content-addressed artifacts: what a lineage key names, kept once, committed atomically.

STORE CONTRACT. `get` returns a complete, checked artifact or None, never a part of one. `put` makes an
artifact visible in one step (the manifest is written last), so that a kill at any moment leaves either
all of it or nothing. Two processes may put the same key: both write equal content, either may win.
`once` computes a key in one process at a time: others wait for it, or take over when it dies.
Nothing read from a store is executed: weights are safetensors, tables are Arrow, the rest is JSON.
What `get` and `once` return may lie in a file mapped into memory: treat arrays as read-only, copy to change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.errors import CollapseSweepError

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Payload:
    """What an artifact holds. Families put their models and batches into this form themselves.

    Attributes:
        meta: plain JSON data, finite numbers only; a batch says its `rows` here.
        tensors: named arrays, kept as safetensors and memory-mapped when read; never change them in place.
        table: rows of any schema, kept as Arrow and memory-mapped when read. A format set with
            `Dataset.set_format` is not kept.
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


@dataclass(frozen=True)
class Artifact:
    """What a store knows of an artifact without reading its data.

    Attributes:
        kind: the sort of thing.
        key: its lineage key.
        meta: as in its payload.
        parents: name -> "kind/key" of what it was derived from.
        made: who made it: `run` (key of a `provenance` artifact), `host`, `pid`, `at` (UTC); empty in memory.
        size: bytes kept for it in all.
    """

    kind: str
    key: str
    meta: Mapping[str, Any]
    parents: Mapping[str, str]
    made: Mapping[str, Any]
    size: int

    @property
    def name(self) -> str:
        """As `parents` name it."""
        return f"{self.kind}/{self.key}"


@dataclass(frozen=True)
class Holder:
    """Who is computing a key: a host name and process number, for people to read."""

    host: str
    pid: int

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class StoreError(CollapseSweepError):
    """The store can't be used as asked; the message is one line for the user."""


class Busy(CollapseSweepError):
    """Another process is computing this key, and the store was opened with `wait=False`."""

    def __init__(self, kind: str, key: str, holder: Holder) -> None:
        super().__init__(f"{kind}/{key} is being computed by {holder}")
        self.kind = kind
        self.key = key
        self.holder = holder

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind, self.key, self.holder)


class Store(ABC):
    """Where artifacts live. `kind` is the sort of thing (model, batch, record, …), `key` its lineage key."""

    @abstractmethod
    def get(self, kind: str, key: str) -> Payload | None:
        """The artifact, or None when it is not there (or was found damaged and set aside).

        Raises:
            StoreError: the store can't be reached.
        """

    @abstractmethod
    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        """Commit an artifact. `parents` (name -> "kind/key") is what it was derived from.

        Raises:
            StoreError: it could not be written (full disk, read-only, unreachable).
            ValueError: `meta` holds a number that is not finite, or something that has no JSON form.
        """

    @abstractmethod
    def has(self, kind: str, key: str) -> bool:
        """Whether the artifact was committed, by its manifest alone."""

    @abstractmethod
    def delete(self, kind: str, key: str) -> None:
        """Remove an artifact; nothing happens where there is none."""

    @abstractmethod
    def describe(self, kind: str, key: str) -> Artifact | None:
        """The artifact's manifest, or None when it is not there or its manifest is damaged."""

    @abstractmethod
    def kinds(self) -> list[str]:
        """The kinds of which artifacts may be there, sorted."""

    @abstractmethod
    def keys(self, kind: str, prefix: str = "") -> Iterator[str]:
        """Keys of the committed artifacts of a kind that start with `prefix`, sorted."""

    def walk(self, kind: str, keys: Iterable[str] | None = None) -> Iterator[Artifact]:
        """The committed artifacts of a kind (or those of `keys` that are there), in the order of keys."""
        for key in sorted(self.keys(kind) if keys is None else keys):
            found = self.describe(kind, key)
            if found is not None:
                yield found

    def claimed(self, kind: str) -> set[str]:
        """Keys that somebody has claimed to compute, perhaps a process that is dead by now; see `busy`."""
        return set()

    def busy(self, kind: str, key: str) -> Holder | None:
        """Who is computing the artifact now; None when nobody is, as far as this process can tell."""
        return None

    def free(self, kind: str, key: str) -> bool:
        """Whether nobody computes the artifact now. What a dead process left behind of its claim is removed, so that
        those who could not see it die need not wait for it."""
        return True

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        """The artifact as the store holds it; computed and committed first where it is missing.

        Raises:
            StoreError: it can't be read, claimed or written; told before computing where possible.
            Busy: another process is computing it (or something that `compute` needs), `wait=False`.
        """
        found = self.get(kind, key)
        if found is None:
            made = compute()
            self.put(kind, key, made, parents)
            found = self.get(kind, key) or made
        return found
