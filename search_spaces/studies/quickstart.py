"""The study to start with: three families, three policies, minutes on two cores, no download."""

from __future__ import annotations

from search_spaces.study import Block, Study
from search_spaces.words import Grid

POLICIES = Grid(values=("replace", "accumulate", "accumulate_subsample"))


def quickstart() -> Study:
    """Does replacing data collapse a linear model, a Gaussian and small language models, and does accumulating not?"""
    return Study(
        name="quickstart",
        description="linear, gaussian and small language models under three policies; minutes on two cores",
        blocks=(_gaussian(),),
    )


def _gaussian() -> Block:
    """Shumailov et al. 2024's one-dimensional Gaussian, where replacing loses the variance."""
    return Block(
        name="gaussian",
        cell={"family": {"kind": "gaussian", "dim": 1}, "rows": 100, "generations": 50, "replicates": 1000},
        space={"policy.kind": POLICIES, "seed": Grid(values=(0, 1, 2))},
    )
