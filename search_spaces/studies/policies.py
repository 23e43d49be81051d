"""`policies/<family>`: every data policy that a family supports, side by side."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study
from trainables.families import FAMILIES
from trainables.policies import POLICIES

SPARSE: dict[str, dict[str, Any]] = {
    "fresh_mix": {"real": 0.25, "synthetic": 0.75},
    "weighted_fresh": {"real": 0.25, "synthetic": 0.75},
}
"""Settings for families whose real rows run out: what `fresh_mix` adds each generation has to be there."""


def policies_on(family: str) -> Study:
    """All policies on one family, with three seeds: which of them keep it healthy?"""
    base = FAMILIES.get(family).policy_study
    finite = "replicates" not in base
    policies = tuple(
        {"kind": kind} | (SPARSE.get(kind, {}) if finite else {}) for kind in POLICIES if _runs(kind, family)
    )
    space = {"policy": Grid(values=policies), "seed": Grid(values=(0, 1, 2))}
    block = Block(cell={"family": {"kind": family}} | base, space=space)
    return Study(name=f"policies/{family}", description=f"every policy on {family}, side by side", blocks=(block,))


def _runs(kind: str, family: str) -> bool:
    """Whether a policy, by its name alone, runs on a family. A composition is no policy without its parts."""
    if kind == "compose":
        return False
    return bool(POLICIES.get(kind)().requires() <= FAMILIES.get(family).abilities)
