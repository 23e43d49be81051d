"""A store that lives and dies with its process, and the form in which any store gives a payload back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainables.config import canonical_json
from trainables.store.base import Artifact, Payload, Store


class MemoryStore(Store):
    """A store that lives and dies with its process. What it returns equals what a store on disk returns."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[Payload, Mapping[str, str]]] = {}

    def get(self, kind: str, key: str) -> Payload | None:
        held = self._held.get((kind, key))
        return held[0] if held else None

    def put(self, kind: str, key: str, payload: Payload, parents: Mapping[str, str] | None = None) -> None:
        # a dictionary may be changed by its owner; what is derived when it is read stays unread
        derived = dict(parents) if isinstance(parents, dict) else parents
        self._held[kind, key] = settled(payload), {} if derived is None else derived

    def has(self, kind: str, key: str) -> bool:
        return (kind, key) in self._held

    def delete(self, kind: str, key: str) -> None:
        self._held.pop((kind, key), None)

    def describe(self, kind: str, key: str) -> Artifact | None:
        held = self._held.get((kind, key))
        return Artifact(kind, key, held[0].meta, dict(held[1]), {}, _bytes(held[0])) if held else None

    def kinds(self) -> list[str]:
        return sorted({kind for kind, _ in self._held})

    def keys(self, kind: str, prefix: str = "") -> Iterator[str]:
        yield from sorted(key for held, key in self._held if held == kind and key.startswith(prefix))


def settled(payload: Payload) -> Payload:
    """The payload as it comes back from a disk: plain JSON, arrays in C order, no table format.

    A sum depends on the order of memory in its last digit, so a step that goes on with what it has just
    made must see the same layout as one that reads it.

    Raises:
        ValueError: `meta` is not finite, plain JSON.
    """
    try:
        meta = _plain(dict(payload.meta))
    except (TypeError, ValueError) as error:
        raise ValueError(f"meta: an artifact's meta must be plain JSON with finite numbers: {error}") from error
    tensors = {name: np.asarray(value, order="C") for name, value in payload.tensors.items()}
    table = None if payload.table is None else payload.table.with_format(None)
    return Payload(meta, tensors, table, dict(payload.files))


_ATOMS = {str, int, bool, type(None)}


def _plain(value: Any) -> Any:
    """What comes back from JSON text, without writing it where nothing can come back changed.

    Raises:
        ValueError: a number is not finite.
        TypeError: something has no JSON form.
    """
    kind = type(value)
    if kind in _ATOMS or (kind is float and math.isfinite(value)):
        return value
    if kind is list or kind is tuple:
        return [_plain(item) for item in value]
    if kind is dict and set(map(type, value)) <= {str}:
        within = set(map(type, value.values()))
        if within <= _ATOMS or (within == {float} and all(map(math.isfinite, value.values()))):
            return {name: value[name] for name in sorted(value)}
        return {name: _plain(value[name]) for name in sorted(value)}
    return json.loads(canonical_json(value))


def _bytes(payload: Payload) -> int:
    table = payload.table.data.nbytes if payload.table is not None else 0
    return int(sum(t.nbytes for t in payload.tensors.values()) + table + sum(map(len, payload.files.values())))
