"""`falsify/<family>`: hunts for configurations in which the seed paper's claims do not hold."""

from __future__ import annotations

from typing import Any

from search_spaces.search import Confirm, FalsifySearch
from search_spaces.space import Choice, Range
from search_spaces.study import Block, Study

CLAIMS = {
    "bounded": "accumulate stays bounded",
    "diverges": "replace diverges",
    "beats": "accumulate beats replace",
}
"""Block -> the claim that it tries to refute (Gerstgrasser et al. 2024, arXiv 2404.01413)."""


def falsify_linear() -> Study:
    """Linear regression far off the paper's settings: few rows, strong ridge, correlated inputs, fresh designs.

    Ridge is where "replace diverges" should fall: it shrinks a replaced model to 0, and there the error stays."""
    cell: dict[str, Any] = {"family": {"kind": "linear", "dim": 10}, "generations": 20, "replicates": 100}
    space: dict[str, Choice | Range] = {
        "rows": Range(low=20, high=300, log=True, integer=True),
        "family.noise": Range(low=0.1, high=3.0, log=True),
        "family.design": Choice(values=("fixed", "fresh")),
        "family.covariance": Choice(values=("identity", "power_law")),
        "family.estimator": Choice(values=("ols", "ridge")),
        "family.penalty": Range(low=0.1, high=1000.0, log=True, when={"family.estimator": ("ridge",)}),
    }
    return _study("linear", "linear regression", cell, space, 40, Confirm(candidates=4, seeds=10))


def falsify_language() -> Study:
    """Small language models: architecture, learning rate, temperature, passes over the corpus and rows."""
    cell: dict[str, Any] = {"family": {"kind": "language", "size": "0.1M"}, "generations": 6}
    space: dict[str, Choice | Range] = {
        "rows": Range(low=100, high=400, log=True, integer=True),
        "family.architecture": Choice(values=("gpt2", "llama")),
        "family.learning_rate": Range(low=1e-3, high=2e-2, log=True),
        "family.temperature": Range(low=0.3, high=1.3),
        "family.epochs": Range(low=1.0, high=12.0, log=True),
    }
    return _study("language", "language models from scratch", cell, space, 16, Confirm(candidates=2, seeds=6))


def falsify_vae() -> Study:
    """Autoencoders of digits: width, latents, learning rate, weight of the KL part, pixels as means or draws."""
    cell: dict[str, Any] = {"family": {"kind": "vae"}, "generations": 8}
    space: dict[str, Choice | Range] = {
        "rows": Range(low=150, high=1000, log=True, integer=True),
        "family.width": Choice(values=(8, 16, 32)),
        "family.latent": Choice(values=(2, 4, 8, 16)),
        "family.learning_rate": Range(low=1e-3, high=3e-2, log=True),
        "family.beta": Range(low=0.25, high=4.0, log=True),
        "family.pixels": Choice(values=("mean", "draw")),
    }
    return _study("vae", "autoencoders of digits", cell, space, 16, Confirm(candidates=2, seeds=6))


def _study(
    name: str, what: str, cell: dict[str, Any], space: dict[str, Choice | Range], samples: int, confirm: Confirm
) -> Study:
    blocks = [
        Block(
            name=block,
            cell=cell,
            space=dict(space),
            search=FalsifySearch(claim=claim, num_samples=samples, independent=samples // 2, confirm=confirm),
        )
        for block, claim in CLAIMS.items()
    ]
    described = f"{what}: configurations in which the paper's claims do not hold, retested on fresh seeds"
    return Study(name=f"falsify/{name}", description=described, blocks=tuple(blocks))
