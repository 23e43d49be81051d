"""Content-addressed artifacts: what a lineage key names, kept once, committed atomically. See `base`."""

from trainables.store.backend import open_place
from trainables.store.base import Artifact, Busy, Payload, Store, StoreError
from trainables.store.fsspec_store import FsspecStore
from trainables.store.memory import MemoryStore
from trainables.store.opening import open_store
from trainables.store.orphans import discard, leftovers
from trainables.store.payload_io import INLINE

__all__ = [
    "INLINE",
    "Artifact",
    "Busy",
    "FsspecStore",
    "MemoryStore",
    "Payload",
    "Store",
    "StoreError",
    "discard",
    "leftovers",
    "open_place",
    "open_store",
]
