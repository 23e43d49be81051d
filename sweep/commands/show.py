"""`collapse-sweep show`."""

from __future__ import annotations

from sweep.commands.outcome import DONE
from sweep.errors import UsageError
from sweep.workspace import Workspace
from trainables.recursion import ancestry_of, find
from trainables.store import open_store


def show(prefix: str, workspace: Workspace) -> int:
    """Print an artifact's ancestry as a tree, with sizes and losses."""
    store = open_store(workspace.storage)
    found = find(store, prefix)
    if not found:
        raise UsageError(f"KEY: no artifact in {workspace.storage} has a key that starts with {prefix!r}")
    if len({key for _, key in found}) > 1:
        listed = ", ".join(f"{kind}/{key}" for kind, key in found[:5])
        raise UsageError(f"KEY: {prefix!r} starts {len(found)} keys ({listed}, …); give more digits")
    for node in ancestry_of(store, *found[0]):
        print(node)
    return DONE
