"""Files in a store that no artifact needs: halves of a commit that was killed, dead leases, what was set aside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from trainables.store import manifest
from trainables.store.backend import TEMPORARY, Place
from trainables.store.fsspec_store import QUARANTINE, FsspecStore
from trainables.store.leases import FOLDER as LEASES
from trainables.store.manifest import Damaged

AGE = 3600.0
"""Seconds after which a file that no manifest names can't belong to a commit that goes on."""


def leftovers(store: FsspecStore, age: float = AGE) -> list[tuple[str, int]]:
    """Path below the store's root and size in bytes of every leftover at least `age` seconds old by its clock.

    Raises:
        StoreError: the store can't be read.
    """
    with store.reachable():
        now = store.place.now()
        found = []
        for path in _candidates(store):
            with contextlib.suppress(FileNotFoundError):
                if store.place.age(path, now) >= age:
                    found.append((path, store.place.size(path)))
        return found


def sweep(store: FsspecStore, age: float = AGE) -> int:
    """Remove leftovers; bytes freed.

    Raises:
        StoreError: the store can't be read or written.
    """
    return discard(store, leftovers(store, age))


def discard(store: FsspecStore, found: Iterable[tuple[str, int]]) -> int:
    """Remove these leftovers; bytes freed.

    Raises:
        StoreError: the store can't be written.
    """
    freed = 0
    with store.reachable():
        for path, size in found:
            store.place.remove(path)
            freed += size
    return freed


def _candidates(store: FsspecStore) -> Iterator[str]:
    place = store.place
    yield from (name for name in place.names("") if TEMPORARY.search(name))
    yield from (f"{LEASES}/{name}" for name in place.names(LEASES))
    for kind in place.names(QUARANTINE):
        for folder in place.names(f"{QUARANTINE}/{kind}"):
            base = f"{QUARANTINE}/{kind}/{folder}"
            yield from (f"{base}/{name}" for name in place.names(base))
    for kind in store.kinds():
        for shard in place.names(kind):
            yield from _unnamed(place, kind, place.names(f"{kind}/{shard}"))


def _unnamed(place: Place, kind: str, names: list[str]) -> Iterator[str]:
    """Files of one folder that no manifest names."""
    others: dict[str, list[str]] = {}
    for name in names:
        if not name.endswith(".json"):
            others.setdefault(name.partition(".")[0], []).append(name)
    for key, found in others.items():
        folder = manifest.folder(kind, key)
        named = _named(place, kind, key)
        yield from (f"{folder}/{name}" for name in found if f"{folder}/{name}" not in named)


def _named(place: Place, kind: str, key: str) -> set[str]:
    try:
        return set(manifest.decode(place.read(manifest.path(kind, key)), kind, key).files())
    except (FileNotFoundError, Damaged):
        return set()
