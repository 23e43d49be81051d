"""`recovery/<family>`: does a collapsed lineage recover when real data return? Replace to generation 4, then another
policy; what all forks share is fitted once."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

AFTER: tuple[dict[str, Any], ...] = (
    {"kind": "replace"},
    {"kind": "accumulate"},
    {"kind": "ratio_mix", "ratio": 0.5},
    {"kind": "ratio_mix", "ratio": 0.9},
)
"""Policies from generation 5 on: none, the whole pool, half real, one row in ten real."""


def recovery_language() -> Study:
    """A small Llama, four generations on its own text alone, then four with real text again."""
    return _recovery("language", {"kind": "language", "architecture": "llama"}, {})


def recovery_vae() -> Study:
    """An autoencoder of digits, four generations on its own images alone, then four with real ones again."""
    return _recovery("vae", {"kind": "vae"}, {"rows": 1000})


def _recovery(name: str, family: dict[str, Any], fields: dict[str, Any]) -> Study:
    cell: dict[str, Any] = {"family": family, "policy": {"kind": "replace"}, "generations": 8} | fields
    forks = tuple({"generation": 4, "policy": policy} for policy in AFTER)
    block = Block(cell=cell, space={"fork": Grid(values=forks), "seed": Grid(values=(0, 1, 2))})
    return Study(
        name=f"recovery/{name}", description=f"{name}: replace to generation 4, then real data return", blocks=(block,)
    )
