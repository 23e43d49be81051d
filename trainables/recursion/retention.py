"""What of a study's artifacts is kept. Records always are; weights and batches can be computed again.

`all`      everything stays.
`last`     of a finished cell, what one further generation needs: the last model and the batches it draws on.
`records`  of a finished cell, nothing but its records.

What a cell that is not finished needs stays in any case, and so does what no given cell names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from trainables.cell import Cell
from trainables.recursion.graph import Name, last_uses
from trainables.recursion.steps import Steps
from trainables.store import Artifact, Payload, Store, StoreError

Keep = Literal["all", "last", "records"]

COLLECTED = "collected"
"""Kind of the note that stays where an artifact was removed: its parents, its size, its seconds."""


@dataclass(frozen=True)
class Removal:
    """One artifact that goes.

    Attributes:
        kind: model, batch, judge or scores.
        key: its lineage key.
        size: bytes.
        seconds: it took to compute, 0 where that was not recorded.
    """

    kind: str
    key: str
    size: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """What was removed, or would be.

    Attributes:
        removals: artifacts, in the order of their names.
        dry_run: whether they are still there.
    """

    removals: tuple[Removal, ...]
    dry_run: bool

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(removal.size for removal in self.removals)

    @property
    def seconds(self) -> float:
        """What computing all of it again would take, one step after the other."""
        return sum(removal.seconds for removal in self.removals)


def collect(store: Store, keep: Keep, cells: Iterable[Cell], dry_run: bool = False) -> Report:
    """Remove what `keep` lets go of the cells' artifacts, and leave a note of each.

    A process that is using the store at the same time loses nothing but the time to compute a removed
    artifact again. Cells that share artifacts must be given together.

    Raises:
        ValueError: no such `keep`.
        StoreError: the store can't be read or written.
    """
    if keep not in get_args(Keep):
        raise ValueError(f"keep: {keep!r} is none of {', '.join(get_args(Keep))}")
    free: set[Name] = set()
    needed: set[Name] = set()
    for cell in cells if keep != "all" else ():
        steps = Steps(cell)
        uses = last_uses(steps, further=keep == "last")
        done = _done(store, steps)
        free.update(uses)
        needed.update(name for name, last in uses.items() if done is not None and last > done)
    removals = [_removal(artifact) for artifact in _present(store, free - needed)]
    if not dry_run:
        _remove(store, removals)
    return Report(tuple(removals), dry_run)


def remove(store: Store, names: Iterable[Name]) -> None:
    """Remove artifacts, as far as they are there, and leave a note of each.

    Raises:
        StoreError: the store can't be read or written.
    """
    _remove(store, [_removal(artifact) for artifact in _present(store, set(names))])


def _done(store: Store, steps: Steps) -> int | None:
    """How many generations of a cell are done; None where it has failed for good and needs nothing more."""
    last = steps.cell.generations
    keys = [steps.step(generation).record for generation in range(1, last + 1)]
    records = {record.key: record for record in store.walk("record", keys)}
    if any("failed" in record.meta for record in records.values()):
        return None
    return next((number for number, key in enumerate(keys) if key not in records), last)


def _present(store: Store, names: set[Name]) -> Iterator[Artifact]:
    for kind in sorted({kind for kind, _ in names}):
        yield from store.walk(kind, {key for of, key in names if of == kind})


def _removal(artifact: Artifact) -> Removal:
    seconds = artifact.meta.get("fit_seconds", artifact.meta.get("sample_seconds", 0.0))
    return Removal(artifact.kind, artifact.key, artifact.size, float(seconds))


def _remove(store: Store, removals: Iterable[Removal]) -> None:
    """Remove artifacts. A note is written first; on a full disk that has no room for it, once there is."""
    late = []
    for removal in removals:
        artifact = store.describe(removal.kind, removal.key)
        if artifact is None:
            continue
        try:
            _note(store, removal, artifact)
        except StoreError:
            late.append((removal, artifact))
        store.delete(removal.kind, removal.key)
    for removal, artifact in late:
        _note(store, removal, artifact)


def _note(store: Store, removal: Removal, artifact: Artifact) -> None:
    note = {"kind": removal.kind, "size": removal.size, "seconds": removal.seconds, "made": dict(artifact.made)}
    store.put(COLLECTED, removal.key, Payload(note), artifact.parents)
