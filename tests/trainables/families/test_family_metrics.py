"""What families declare of their figures, and what names mean where no family declares them."""

from typing import Any

import pytest

from trainables.cell import Cell
from trainables.families import FAMILIES, Metric, recorded, undeclared
from trainables.recursion import run
from trainables.testing import Bench

ELSEWHERE: dict[str, list[dict[str, Any]]] = {
    "linear": [{"rows": 10, "family": {"kind": "linear", "dim": 10, "estimator": "minimum_norm"}}],
    "gaussian": [{"rows": 4, "family": {"kind": "gaussian", "dim": 3}}],
    "diffusion": [{"family": {"test_molecules": 10_000}}],
}
"""Cells whose records hold what those of the tiny one do not."""


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_what_is_declared_for_some_cells_is_recorded_there(kind: str) -> None:
    tiny = Bench(kind).fields
    seen: set[str] = set()
    for fields in ({}, *ELSEWHERE.get(kind, ())):
        family = tiny["family"] | fields.get("family", {})
        cell = tiny | fields | {"family": family, "policy": {"kind": "replace"}, "generations": 1}
        seen |= set(next(iter(run(Cell.model_validate(cell)))).metrics)
    declared = {metric.name for metric in recorded(kind)} - {"test_loss", "disagreement"}
    assert declared <= seen
    assert not undeclared(sorted(seen), recorded(kind))


@pytest.mark.parametrize("kind", list(FAMILIES))
def test_a_population_records_the_declared_disagreement(kind: str) -> None:
    bench = Bench(kind)
    found = bench.family.disagree([bench.model, bench.recursion.model(2)], bench.stream("apart"))
    assert set(found) == {m.name for m in recorded(kind)} & {"disagreement"}


def test_names_of_an_unknown_family_mean_what_they_mean_elsewhere() -> None:
    found = {metric.name: metric for metric in recorded("imported")}
    assert found["test_loss"] == Metric("test_loss", "held-out loss", "", worse=1, judged=True)
    assert found["trace_ratio"].role == "spread"
    assert [name for name, metric in found.items() if metric.judged] == ["test_loss"]
    assert len(found) == len(recorded("imported"))


def test_what_no_declaration_explains_is_named() -> None:
    declared = [Metric("nll", "negative log-likelihood", "nats", worse=1)]
    names = ["nll", "nll_se", "nll_q05", "nll_median", "source_empty", "theory_nll", "novel", "novel_se"]
    assert undeclared(names, declared) == {"novel"}
    assert declared[0].axis == "negative log-likelihood (nats)"
    assert declared[0].growth_unit == "nats per generation"
