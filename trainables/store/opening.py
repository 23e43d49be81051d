"""The store that a URL names."""

from __future__ import annotations

from trainables.store.base import Store
from trainables.store.memory import MemoryStore


def open_store(url: str | None, wait: bool = True) -> Store:
    """The store at a local path or any fsspec URL; None is a `MemoryStore`.

    Args:
        url: where; a local folder is made when something is first written.
        wait: whether `once` sleeps until a key that another process computes is there, or raises `Busy`.

    Raises:
        StoreError: the place can't be used, or was written by another version.
    """
    if url is None:
        return MemoryStore()
    from trainables.store.fsspec_store import FsspecStore

    return FsspecStore(url, wait)
