"""`features/*`: ridge on random features, of real labels and worse ones: scaling laws, shares and quality."""

from __future__ import annotations

from typing import Any

from search_spaces.search import OptunaSearch
from search_spaces.space import Grid, Range
from search_spaces.study import Block, Study

SEEDS = Grid(values=(0, 1, 2))
ROWS = Grid(values=(120, 240, 480, 960))
WIDTHS = Grid(values=(10, 20, 40, 80))
SURROGATE = {"labeller": "surrogate", "distortion": 0.5}
"""Labels of a teacher that is not the model, at a stated distance from the truth."""


def features_scaling() -> Study:
    """Does the law of loss against width and rows change with the generation (definition 5)? Labels of the model
    itself, replacing and half of them real; and of a surrogate beside real ones, where more rows end on a
    plateau."""
    family: dict[str, Any] = {"kind": "random_features", "dim": 100, "capacity": 1.5}
    cell = {"family": family, "generations": 5, "replicates": 200}
    space = {"rows": ROWS, "family.width": WIDTHS, "seed": SEEDS}
    own = space | {"policy": Grid(values=({"kind": "replace"}, {"kind": "fresh_mix"}))}
    beside = cell | {"family": family | SURROGATE, "policy": {"kind": "fresh_mix"}, "generations": 2}
    return Study(
        name="features/scaling",
        description="random features: loss against width and rows, by policy and generation",
        blocks=(Block(name="own", cell=cell, space=own), Block(name="surrogate", cell=beside, space=space)),
    )


def features_strong() -> Study:
    """How much do a few worse labels cost, and do wider models bear them better? Generation 2 is one fit on stated
    shares of real rows and a surrogate's (Dohmatob et al. 2024, arXiv 2410.04840)."""
    shares = (0.01, 0.1, 0.5)
    policies = tuple({"kind": "ratio_mix", "ratio": share, "fresh": True} for share in shares)
    family = {"kind": "random_features", "dim": 100} | SURROGATE
    space = {
        "policy": Grid(values=policies),
        "family.width": Grid(values=(25, 100, 400)),
        "family.distortion": Grid(values=(0.0, 0.1, 0.5)),
        "rows": Grid(values=(100, 400, 1600)),
    }
    cell = {"family": family, "generations": 2, "replicates": 300}
    return Study(
        name="features/strong",
        description="random features: one fit on real rows and worse ones",
        blocks=(Block(cell=cell, space=space),),
    )


def features_quality() -> Study:
    """Where does a recursion lose most? Width, ridge, synthetic share and quality of labels, searched together."""
    cell = {
        "family": {"kind": "random_features", "dim": 100},
        "policy": {"kind": "ratio_mix", "fresh": True},
        "rows": 200,
        "generations": 10,
        "replicates": 100,
    }
    space = {
        "family.width": Range(low=10, high=400, log=True, integer=True),
        "family.penalty": Range(low=1e-4, high=1.0, log=True),
        "policy.ratio": Range(low=0.05, high=0.95),
        "family.distortion": Range(low=0.001, high=1.0, log=True),
        "seed": SEEDS,
    }
    search = OptunaSearch(num_samples=30, objective="growth", mode="max")
    return Study(
        name="features/quality",
        description="random features: width, ridge, synthetic share and quality that cost most",
        blocks=(Block(cell=cell, space=space, search=search),),
    )
