"""The study to start with: three families, three policies, minutes on two cores, no download."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

POLICIES = Grid(values=("replace", "accumulate", "accumulate_subsample"))
SEEDS = Grid(values=(0, 1, 2))


def quickstart() -> Study:
    """Does replacing data collapse a linear model, a Gaussian and small language models, and does accumulating not?"""
    return Study(
        name="quickstart",
        description="linear, gaussian and small language models under three policies; minutes on two cores",
        blocks=(_linear(), _gaussian(), _language()),
    )


def _linear() -> Block:
    """The paper's linear models at dim 10, 100 rows, unit noise: closed forms are known for every policy."""
    cell = {"family": {"kind": "linear", "dim": 10, "noise": 1.0}, "rows": 100, "generations": 20, "replicates": 1000}
    return Block(name="linear", cell=cell, space={"policy.kind": POLICIES, "seed": SEEDS})


def _gaussian() -> Block:
    """Shumailov et al. 2024's one-dimensional Gaussian, where replacing loses the variance."""
    cell = {"family": {"kind": "gaussian", "dim": 1}, "rows": 100, "generations": 50, "replicates": 1000}
    return Block(name="gaussian", cell=cell, space={"policy.kind": POLICIES, "seed": SEEDS})


def _language() -> Block:
    """Two architectures of 0.1M parameters, from scratch on a hundred rows of Python's own documentation, ten
    recursions side by side.

    Every fit takes fifty updates of four rows, two passes over a hundred: policies differ in their data alone, where
    passes over a corpus that accumulates would also be more and more training. With four passes the first synthetic
    corpus costs as much as the next ten, and a jump and a line take eleven generations to be told from an approach to a
    bound. docs/analysis.md says how many recursions and generations a verdict takes.
    """
    cell: dict[str, Any] = {
        "family": {"kind": "language", "steps": 50},
        "rows": 100,
        "generations": 10,
        "replicates": 10,
    }
    space = {"family.architecture": Grid(values=("gpt2", "llama")), "policy.kind": POLICIES}
    return Block(name="language", cell=cell, space=space)
