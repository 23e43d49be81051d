"""The order of policies in tables and legends: that of their registry, unknown ones last."""

from __future__ import annotations

from collections.abc import Iterable

from trainables.policies import POLICIES

_ORDER = {kind: rank for rank, kind in enumerate(POLICIES)}


def order(policies: Iterable[str]) -> list[str]:
    """Policies in the order of legends and columns, each once."""
    return sorted(set(policies), key=lambda policy: (_rank(policy), policy))


def _rank(policy: str) -> int:
    return _ORDER.get(policy.split("(")[0], len(_ORDER))
