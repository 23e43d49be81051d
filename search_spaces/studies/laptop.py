"""`laptop/<family>`: the seed paper's four systems in minutes on two cores; `paper/<family>` differs in configuration
only."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

REPLACE_ACCUMULATE = Grid(values=("replace", "accumulate"))
SEEDS = Grid(values=(0, 1, 2))


def laptop_linear() -> Study:
    """Stands for the paper's figure on linear regression: test error against generations under both policies, with the
    closed forms c·n and c·Σ1/i², over dimensions and noise levels; and what ridge and a fresh design change."""
    cell: dict[str, Any] = {"family": {"kind": "linear"}, "rows": 100, "generations": 20, "replicates": 1000}
    grid = {"family.dim": Grid(values=(10, 50)), "family.noise": Grid(values=(0.3, 1.0))}
    policies = Grid(values=("replace", "accumulate", "replace_multiple"))
    ols = Block(name="ols", cell=cell, space=grid | {"policy.kind": policies, "seed": SEEDS})
    variants = {
        "fresh": {"kind": "linear", "design": "fresh"},
        "ridge": {"kind": "linear", "estimator": "ridge", "penalty": 10.0},
        "power_law": {"kind": "linear", "covariance": "power_law"},
    }
    pairs = {"policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS}
    blocks = [Block(name=name, cell=cell | {"family": family}, space=pairs) for name, family in variants.items()]
    return Study(
        name="laptop/linear",
        description="linear regression: sizes, noise, design and estimator under replace and accumulate",
        blocks=(ols, *blocks),
    )


def laptop_language() -> Study:
    """Stands for the paper's figures on language models and its table 2: two architectures, two sizes, temperatures 1.0
    and 0.3, and the control `replace_multiple`, on Python's own documentation in place of TinyStories."""
    cell: dict[str, Any] = {"family": {"kind": "language"}, "generations": 5}
    sizes = Block(
        name="sizes",
        cell=cell,
        space={
            "family.architecture": Grid(values=("gpt2", "llama")),
            "family.size": Grid(values=("0.1M", "0.4M")),
            "policy.kind": REPLACE_ACCUMULATE,
            "seed": SEEDS,
        },
    )
    more_seeds = Grid(values=(0, 1, 2, 3, 4))  # at temperature 0.3 recursions differ widely once they have collapsed
    cold = {"family.temperature": Grid(values=(0.3,)), "policy.kind": REPLACE_ACCUMULATE, "seed": more_seeds}
    control = {"policy.kind": Grid(values=("replace_multiple",)), "seed": SEEDS}
    return Study(
        name="laptop/language",
        description="small GPT-2 and Llama from scratch: sizes, temperature 0.3, data-matched control",
        blocks=(sizes, Block(name="cold", cell=cell, space=cold), Block(name="control", cell=cell, space=control)),
    )


def laptop_vae() -> Study:
    """Stands for the paper's figures on variational autoencoders: replacing goes to a few blurred modes, accumulating
    does not, on scanned digits in place of CelebA. `-o family.source=…` takes other images."""
    cell: dict[str, Any] = {"family": {"kind": "vae"}, "rows": 1000, "generations": 6}
    space = {"family.width": Grid(values=(8, 16)), "policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS}
    return Study(
        name="laptop/vae",
        description="autoencoders of 8×8 digits at two widths under replace and accumulate",
        blocks=(Block(cell=cell, space=space),),
    )


def laptop_diffusion() -> Study:
    """Stands for the paper's figure on molecule conformation generation: denoising loss against generations, on small
    molecules with computed conformers in place of GEOM-Drugs."""
    sizes = {
        "small": {"width": 32, "messages": 16, "layers": 2},
        "large": {"width": 64, "messages": 32, "layers": 3},
    }
    cell = {"rows": 300, "generations": 6}
    space = {"policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS}
    blocks = [
        Block(name=name, cell=cell | {"family": {"kind": "diffusion"} | size}, space=space)
        for name, size in sizes.items()
    ]
    return Study(
        name="laptop/diffusion",
        description="conformers of small molecules, denoisers of two sizes, under replace and accumulate",
        blocks=tuple(blocks),
    )
