"""`paper/<family>`: the seed paper's four systems at its own scale (Gerstgrasser et al. 2024, arXiv 2404.01413)."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.studies.laptop import REPLACE_ACCUMULATE, SEEDS
from search_spaces.study import Block, Study

STORIES = 2_000_000
"""Documents of a TinyStories-sized corpus: what its training split holds once the held-out shares are taken."""


def paper_linear() -> Study:
    """The paper's figure on linear regression: test error of both policies over generations, dimensions and noise."""
    cell: dict[str, Any] = {"family": {"kind": "linear"}, "generations": 50, "replicates": 1000}
    space = {
        "family.dim": Grid(values=(10, 32, 100)),
        "family.noise": Grid(values=(0.1, 0.316, 1.0)),
        "rows": Grid(values=(316, 1000, 3162)),
        "policy.kind": Grid(values=("replace", "accumulate", "replace_multiple", "accumulate_subsample")),
        "seed": SEEDS,
    }
    return Study(
        name="paper/linear",
        description="linear regression over dimensions, rows and noise, 1,000 recursions a cell",
        blocks=(Block(cell=cell, space=space),),
    )


LANGUAGE: dict[str, Any] = {
    "kind": "language",
    "source": {"kind": "tinystories"},
    "vocabulary": 8000,
    "context": 512,
    "sequences": "documents",
    "prompts": "first_token",
    "validation": 0.01,
    "test": 0.01,
    "epochs": 1.0,
    "batch": 32,
    "learning_rate": 1e-3,
    "initializer_range": 0.02,
    "test_rows": 10_000,
}
"""As the authors' published runs have it: 66,235 updates an epoch on about 2.12 million documents are 32 of them an
update, one a row; samples go on from the first token of a real document (`first_token_inclusive`)."""

GPT2 = LANGUAGE | {"architecture": "gpt2", "size": "9M"}


def paper_language() -> Study:
    """The paper's figures on language models and its table 2: GPT-2 9M for eleven fits at temperatures 1.0 and 0.3;
    Llama 12M, 42M and 126M for five; the controls `replace_multiple`, three epochs and less data.

    Larger updates and samples from BOS alone: `-o family.batch=128 -o family.prompts=bos`.
    """
    gpt2, llama = GPT2, LANGUAGE | {"architecture": "llama"}
    return Study(
        name="paper/language",
        description="GPT-2 9M and Llama 12M, 42M, 126M on TinyStories, with the paper's controls",
        blocks=(
            _block("gpt2", gpt2, 11, {"family.temperature": (1.0, 0.3)}, ("replace", "accumulate")),
            _block("llama", llama, 5, {"family.size": ("12M", "42M", "126M")}, ("replace", "accumulate")),
            _block("control", gpt2, 5, {}, ("replace_multiple",)),
            _block("epochs", gpt2 | {"epochs": 3.0}, 5, {}, ("replace", "accumulate")),
            _block("small-data", gpt2, 5, {"rows": (STORIES // 10,)}, ("replace", "accumulate")),
        ),
    )


def paper_language_50() -> Study:
    """Fifty fits of GPT-2 9M, as far as the authors' longest runs go; otherwise as `paper/language`."""
    return Study(
        name="paper/language-50",
        description="GPT-2 9M on TinyStories for fifty fits",
        blocks=(_block("gpt2", GPT2, 50, {}, ("replace", "accumulate")),),
    )


def _block(
    name: str, family: dict[str, Any], generations: int, grids: dict[str, tuple[Any, ...]], policies: tuple[str, ...]
) -> Block:
    cell: dict[str, Any] = {"family": family, "generations": generations, "rows": STORIES}
    words = {path: Grid(values=values) for path, values in grids.items()}
    return Block(name=name, cell=cell, space=words | {"policy.kind": Grid(values=policies), "seed": SEEDS})


def paper_vae() -> Study:
    """The paper's figures on variational autoencoders: CelebA at 64×64, ten fits under both policies."""
    family = {
        "kind": "vae",
        "source": {"kind": "celeba"},
        "width": 64,
        "depth": 4,
        "latent": 128,
        "batch": 256,
        "epochs": 20.0,
        "learning_rate": 1e-3,
    }
    cell: dict[str, Any] = {"family": family, "rows": 160_000, "generations": 10}
    space = {"policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS}
    return Study(
        name="paper/vae",
        description="a convolutional autoencoder of CelebA faces at 64×64",
        blocks=(Block(cell=cell, space=space),),
    )


def paper_diffusion() -> Study:
    """The paper's figure on molecule conformation generation: GEOM-Drugs, 40,000 conformations, eight generations.

    GEOM is distributed as pickles: point `-o family.source.path=…` at its `rdkit_folder`, and allow them with
    `-o family.source.allow_pickle=true`.
    """
    family = {
        "kind": "diffusion",
        "source": {"kind": "geom_drugs", "path": "rdkit_folder"},
        "width": 256,
        "messages": 128,
        "layers": 6,
        "radial": 16,
        "scale": 2.5,
        "schedule": "sigmoid",
        "timesteps": 5000,
        "beta_start": 1e-7,
        "beta_end": 2e-3,
        "sampling_steps": 1000,
        "batch": 64,
        "epochs": 50.0,
        "learning_rate": 1e-3,
        "test_molecules": 200,
        "judged_molecules": 200,
        "cov_threshold": 1.25,
    }
    cell: dict[str, Any] = {"family": family, "rows": 40_000, "generations": 8}
    space = {"policy.kind": REPLACE_ACCUMULATE, "seed": SEEDS}
    return Study(
        name="paper/diffusion",
        description="conformers of GEOM-Drugs molecules by an equivariant denoiser",
        blocks=(Block(cell=cell, space=space),),
    )
