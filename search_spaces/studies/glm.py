"""`glm/*`: regressions of real tables, and the weight that real rows should have."""

from __future__ import annotations

from typing import Any

from search_spaces.space import Grid
from search_spaces.study import Block, Study

SEEDS = Grid(values=(0, 1, 2))
POLICIES = Grid(values=("replace", "accumulate", "replace_multiple"))


def glm_tables() -> Study:
    """Does what holds for simulated rows hold for real tables? Held-out log loss of logistic regression, plain and with
    ridge, on tables of scikit-learn; plain fits of tables that a plane divides are reported as separated."""
    base: dict[str, Any] = {"kind": "glm", "source": {"kind": "diabetes"}}
    cell = {"family": base, "rows": 120, "generations": 10, "replicates": 200}
    plain = Block(name="plain", cell=cell, space={"policy.kind": POLICIES, "seed": SEEDS})
    tables = ("breast_cancer", "diabetes", "wine")
    sources = Grid(values=tuple({"kind": kind} for kind in tables))
    space = {"family.source": sources, "policy.kind": POLICIES, "seed": SEEDS}
    ridge = Block(name="ridge", cell=cell | {"rows": 100, "family": base | {"penalty": 1.0}}, space=space)
    cancer = cell | {"rows": 300, "family": base | {"source": {"kind": "breast_cancer"}}}
    apart = Block(name="separable", cell=cancer, space={"policy.kind": POLICIES, "seed": SEEDS})
    return Study(
        name="glm/tables",
        description="logistic regression of real tables, plain and with ridge",
        blocks=(plain, ridge, apart),
    )


def glm_weights() -> Study:
    """How much should fresh real rows count? The share of the loss that they carry, against a limit that is lowest at
    0.618 where they are as many as the synthetic ones (He, Xu & Cheng 2025)."""
    weights = (0.3, 0.45, 0.55, 0.618, 0.7, 0.8)
    policies = [{"kind": "weighted_fresh", "weight": weight, "real": 1.0, "synthetic": 1.0} for weight in weights]
    family = {"kind": "glm", "source": {"kind": "simulated", "dim": 2}}
    cell = {"family": family, "rows": 1000, "generations": 15, "replicates": 300}
    space = {"policy": Grid(values=tuple(policies)), "seed": SEEDS}
    return Study(
        name="glm/weights",
        description="logistic regression: weights of fresh real rows",
        blocks=(Block(cell=cell, space=space),),
    )
