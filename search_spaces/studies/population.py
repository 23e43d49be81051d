"""`population/<family>`: models that feed each other. Which graphs keep them healthy, with and without real data at one
of them?"""

from __future__ import annotations

from typing import Any

from search_spaces.search import Confirm, FalsifySearch
from search_spaces.space import Choice, Grid, Range
from search_spaces.studies.laptop import REPLACE_ACCUMULATE, SEEDS
from search_spaces.study import Block, Study

GRAPHS = ("alone", "ring", "complete", "star")
ANCHOR: dict[str, Any] = {"kind": "weighted_fresh", "real": 1.0, "synthetic": 1.0, "weight": 0.5}
"""A member that gives half of its loss to N new real rows each generation."""


def population_linear() -> Study:
    """Three linear models, least squares on one design, against the exact covariance of their errors."""
    cell: dict[str, Any] = {"family": {"kind": "linear"}, "rows": 100, "generations": 20, "replicates": 1000}
    return _study("linear", "three linear models that feed each other", cell)


def population_gaussian() -> Study:
    """Three Gaussians, whose means and variances have exact expectations."""
    cell: dict[str, Any] = {"family": {"kind": "gaussian"}, "rows": 100, "generations": 20, "replicates": 1000}
    return _study("gaussian", "three Gaussians that feed each other", cell)


def population_language() -> Study:
    """Three small GPT-2 on Python's own documentation, apart and feeding each other."""
    cell: dict[str, Any] = {"family": {"kind": "language", "size": "0.1M"}, "rows": 100, "generations": 3}
    return _study("language", "three small language models that feed each other", cell, Grid(values=(0, 1)))


def population_falsify() -> Study:
    """Does real data at one of three models keep `replace` bounded at all? Not where the graph does not carry it on:
    nobody feeds anybody, or the centre of a star has none."""
    cell: dict[str, Any] = {"family": {"kind": "linear"}, "rows": 100, "generations": 20, "replicates": 100}
    cell["population"] = {"models": 3, "anchor": ANCHOR}
    space: dict[str, Any] = {
        "population.graph": Choice(values=GRAPHS),
        "population.anchored": Choice(values=((1,), (2,))),
        "population.shares": Range(low=0.1, high=0.9),
        "population.anchor.weight": Range(low=0.05, high=0.95),
    }
    search = FalsifySearch(claim="replace stays bounded", num_samples=16, independent=8, confirm=Confirm(candidates=2))
    return Study(
        name="population/falsify",
        description="graphs in which real data at one of three linear models does not reach the others",
        blocks=(Block(cell=cell, space=space, search=search),),
    )


def _study(name: str, says: str, cell: dict[str, Any], seeds: Grid = SEEDS) -> Study:
    population = {"models": 3, "real": "own"}
    graph = {"population.graph": Grid(values=GRAPHS), "seed": seeds}
    closed = Block(
        name="closed", cell=cell | {"population": population}, space=graph | {"policy.kind": REPLACE_ACCUMULATE}
    )
    anchored = Block(
        name="anchored",
        cell=cell | {"policy": {"kind": "replace"}, "population": population | {"anchor": ANCHOR}},
        space=graph | {"population.anchored": Grid(values=((1,), (2,)))},
    )
    return Study(name=f"population/{name}", description=says, blocks=(closed, anchored))
