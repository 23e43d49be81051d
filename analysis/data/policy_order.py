"""The order of policies in tables and legends."""

from __future__ import annotations

from collections.abc import Iterable

_ORDER = (
    "replace", "accumulate", "accumulate_subsample", "replace_multiple", "sliding_window", "synthetic_augmentation",
    "fresh_mix", "weighted_fresh", "ratio_mix", "decaying_real", "verified", "self_verified", "curated",
    "detector_weighted", "token_edit",
)  # fmt: skip


def order(policies: Iterable[str]) -> list[str]:
    """Policies in the order of legends and columns, each once."""
    return sorted(set(policies), key=lambda policy: (_rank(policy), policy))


def _rank(policy: str) -> int:
    kind = policy.split("(")[0]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
