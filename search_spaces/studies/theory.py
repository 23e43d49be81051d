"""Families with closed forms: theory stands beside the measurement in each record, wherever a formula is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

WHOLE: tuple[dict[str, Any], ...] = (
    {"kind": "replace"},
    {"kind": "replace_multiple"},
    {"kind": "accumulate"},
    {"kind": "accumulate_subsample"},
    {"kind": "sliding_window", "window": 2},
    {"kind": "sliding_window", "window": 4},
    {"kind": "synthetic_augmentation"},
    {"kind": "fresh_mix"},
    {"kind": "weighted_fresh"},
    {"kind": "ratio_mix"},
)
"""Policies whose error has a formula on a fixed design, and `accumulate_subsample`, of which a leading order is known
(Kazdan et al. 2024), and no more."""


def theory_linear() -> Study:
    """Excess error of linear models against c·n, c·Σ1/i² and their kin, fixed and fresh design (Dohmatob et al. 2024,
    arXiv 2402.07712; Gerstgrasser et al. 2024; Kazdan et al. 2024). On a fresh design `replace`, `replace_multiple` and
    `accumulate` have exact values."""
    cell = {"family": {"kind": "linear"}, "rows": 100, "generations": 20, "replicates": 4000}
    space = {"family.design": Grid(values=("fixed", "fresh"))}
    return _study(
        "theory/linear", "linear models: ten policies, against a formula where one is exact", cell, WHOLE, space
    )


def theory_gaussian() -> Study:
    """Variance and mean of recursively fitted Gaussians (Shumailov et al. 2024; Kazdan et al. 2024)."""
    cell = {"family": {"kind": "gaussian"}, "generations": 100, "replicates": 1000}
    space = {"rows": Grid(values=(10, 32, 100, 316)), "family.estimator": Grid(values=("biased", "unbiased"))}
    policies = ({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "accumulate_subsample"})
    return _study("theory/gaussian", "Gaussians: variance and mean over 100 generations", cell, policies, space)


def theory_discrete() -> Study:
    """Loss of rare categories, as genetic drift: E[1 − Σp²] decays as (1 − 1/N)ⁿ under replace."""
    cell = {"family": {"kind": "discrete"}, "rows": 100, "generations": 50, "replicates": 1000}
    policies = ({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "accumulate_subsample"})
    space = {"family.start": Grid(values=("uniform", "zipf"))}
    return _study("theory/discrete", "categories: which of them survive", cell, policies, space)


def theory_kde() -> Study:
    """Kernel density estimates of plane shapes, which widen by the bandwidth each generation (Kazdan et al. 2024)."""
    cell = {"family": {"kind": "kde"}, "rows": 100, "generations": 20, "replicates": 200}
    policies = ({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "accumulate_subsample"})
    space = {"family.data": Grid(values=("moons", "circles", "blobs", "swiss_roll"))}
    return _study("theory/kde", "kernel density estimates of four plane shapes", cell, policies, space)


def theory_counts() -> Study:
    """Coins and counts fitted by their mean: when does one value alone remain?"""
    cell = {"rows": 20, "generations": 50, "replicates": 1000}
    policies = ({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "replace_multiple"})
    kinds = Grid(values=({"kind": "bernoulli"}, {"kind": "poisson"}))
    return _study("theory/counts", "coins and counts: error, variance, absorption", cell, policies, {"family": kinds})


def theory_glm() -> Study:
    """Logistic, probit and Poisson regression on their own labels: the same n and π²/6 for every link (Dey & Donoho
    2024), by the Fisher information and so to leading order in 1/rows."""
    cell = {"family": {"kind": "glm", "source": {"kind": "simulated", "dim": 2}}, "rows": 4000, "generations": 8}
    policies = ({"kind": "replace"}, {"kind": "accumulate"}, {"kind": "replace_multiple"}, {"kind": "weighted_fresh"})
    space = {"family.link": Grid(values=("logistic", "probit", "poisson"))}
    return _study("theory/glm", "regressions of three links", cell | {"replicates": 500}, policies, space)


def theory_random_features() -> Study:
    """Ridge on random features, of its own labels and of a surrogate's, by deterministic equivalents (Dohmatob et al.
    2024, arXiv 2402.07712 and 2410.04840) and so to leading order in the dimension."""
    cell = {"family": {"kind": "random_features", "dim": 80, "width": 60}, "rows": 200, "generations": 5}
    mixed = {"kind": "ratio_mix", "ratio": 0.2, "fresh": True}
    policies = ({"kind": "replace"}, {"kind": "fresh_mix"}, mixed, {"kind": "accumulate"})
    space = {
        "family.labeller": Grid(values=("model", "surrogate")),
        "family.distortion": Grid(values=(0.0, 0.5)),
        "family.width": Grid(values=(40, 160)),
    }
    return _study("theory/random_features", "ridge on random features", cell | {"replicates": 300}, policies, space)


def _study(
    name: str, says: str, cell: dict[str, Any], policies: Sequence[dict[str, Any]], space: dict[str, Any]
) -> Study:
    words = space | {"policy": Grid(values=tuple(policies)), "seed": Grid(values=(0, 1, 2))}
    return Study(name=name, description=says, blocks=(Block(cell=cell, space=words),))
