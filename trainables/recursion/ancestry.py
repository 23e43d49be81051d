"""An artifact's ancestry: what it was derived from, and so on, down to the real rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trainables.recursion.retention import COLLECTED
from trainables.store import Artifact, Store


@dataclass(frozen=True)
class Node:
    """An artifact in the tree.

    Attributes:
        role: what it is to the node below: "model", "batch 3", "judge"; of the root, its kind.
        kind: the sort of thing.
        key: its lineage key.
        artifact: what the store knows of it; None where it was never there or is lost.
        collected: whether only a note of it is left; `artifact` is the note.
        loss: held-out loss of a record, or of the record of a model; None where there is none.
        repeated: whether its parents are shown further up.
        branch: of each ancestor in the tree from the root on, and of this node, whether it is the last of its row.
    """

    role: str
    kind: str
    key: str
    artifact: Artifact | None
    collected: bool
    loss: float | None
    repeated: bool
    branch: tuple[bool, ...]

    @property
    def title(self) -> str:
        """What it is, in one line."""
        words = [f"{self.role}: {self.kind} {self.key}" if self.role != self.kind else f"{self.kind} {self.key}"]
        if self.artifact is None:
            words.append("not in the store")
        elif self.collected:
            words.append(f"collected, was {readable(self.artifact.meta['size'])}")
        else:
            words.append(readable(self.artifact.size))
        if self.artifact is not None and "rows" in self.artifact.meta:
            words.append(f"{self.artifact.meta['rows']} rows")
        if self.loss is not None:
            words.append(f"test loss {self.loss:.6g}")
        if self.repeated:
            words.append("parents as above")
        return ", ".join(words)

    def __str__(self) -> str:
        """The node's line of the drawn tree."""
        if not self.branch:
            return self.title
        bars = "".join("   " if last else "│  " for last in self.branch[:-1])
        return f"{bars}{'└─ ' if self.branch[-1] else '├─ '}{self.title}"


def find(store: Store, prefix: str) -> list[tuple[str, str]]:
    """(kind, key) of every artifact whose key starts with `prefix`; notes of collected ones last."""
    kinds = sorted(store.kinds(), key=lambda kind: (kind == COLLECTED, kind))
    return [(kind, key) for kind in kinds for key in store.keys(kind, prefix)]


def ancestry_of(store: Store, kind: str, key: str) -> Iterator[Node]:
    """The tree above an artifact, each node before its parents, which are shown where it comes first."""
    losses = {r.meta["model"]: float(r.meta["test_loss"]) for r in store.walk("record") if "model" in r.meta}
    shown: set[str] = set()
    pending: list[tuple[str, str, str, tuple[bool, ...]]] = [(kind, kind, key, ())]
    while pending:
        role, kind, key, branch = pending.pop()
        artifact = store.describe(kind, key)
        note = store.describe(COLLECTED, key) if artifact is None else None
        about = artifact or note
        parents = sorted(about.parents.items(), key=_order, reverse=True) if about else []
        repeated = bool(parents) and key in shown
        loss = artifact.meta.get("test_loss") if artifact and kind == "record" else losses.get(key)
        yield Node(role, kind, key, about, note is not None, loss, repeated, branch)
        shown.add(key)
        for number, (above, name) in enumerate(parents if not repeated else []):
            of, _, parent = name.partition("/")
            pending.append((above, of, parent, (*branch, number == 0)))


def _order(parent: tuple[str, str]) -> tuple[str, int]:
    """By role, and within it by number."""
    words, _, number = parent[0].rpartition(" ")
    return (words, int(number)) if number.isdigit() else (parent[0], 0)


def readable(size: float) -> str:
    """Bytes in the largest unit that leaves at least one."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
