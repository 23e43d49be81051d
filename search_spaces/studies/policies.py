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

BASES: dict[str, dict[str, Any]] = {
    "linear": {"replicates": 1000},
    "gaussian": {"replicates": 1000},
    "discrete": {"replicates": 1000},
    "kde": {"replicates": 100, "generations": 10},
    "bernoulli": {"replicates": 1000},
    "poisson": {"replicates": 1000},
    "mixture": {"replicates": 100, "generations": 10},
    "glm": {"replicates": 1000},
    "random_features": {"replicates": 300},
    "language": {"rows": 250, "generations": 4},
    "vae": {"rows": 600, "generations": 4},
    "diffusion": {"rows": 400, "generations": 4},
}
"""Cells, by family; the rest is the family's default."""


def policies_on(family: str) -> Study:
    """All policies on one family, with three seeds: which of them keep it healthy?"""
    base = BASES[family]
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


def policies_linear() -> Study:
    """Every policy on linear models."""
    return policies_on("linear")


def policies_gaussian() -> Study:
    """Every policy on Gaussians."""
    return policies_on("gaussian")


def policies_discrete() -> Study:
    """Every policy on categories."""
    return policies_on("discrete")


def policies_kde() -> Study:
    """Every policy on kernel density estimates."""
    return policies_on("kde")


def policies_bernoulli() -> Study:
    """Every policy on coins."""
    return policies_on("bernoulli")


def policies_poisson() -> Study:
    """Every policy on counts."""
    return policies_on("poisson")


def policies_mixture() -> Study:
    """Every policy on mixtures of two Gaussians."""
    return policies_on("mixture")


def policies_glm() -> Study:
    """Every policy on logistic regression."""
    return policies_on("glm")


def policies_random_features() -> Study:
    """Every policy on ridge regression with random features."""
    return policies_on("random_features")


def policies_language() -> Study:
    """Every policy on small language models."""
    return policies_on("language")


def policies_vae() -> Study:
    """Every policy on autoencoders of digits."""
    return policies_on("vae")


def policies_diffusion() -> Study:
    """Every policy on conformer models of small molecules."""
    return policies_on("diffusion")
