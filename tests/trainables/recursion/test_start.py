"""`start: previous`: a generation is fitted on from its predecessor, and all that reads the graph knows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sweep.scheduling import make_job
from tests.support.toys import Counting
from trainables import Cell, run
from trainables.families import FAMILIES
from trainables.recursion import Graph, Recursion, Steps, ancestry_of, collect, last_uses
from trainables.store import MemoryStore

FAMILIES_WITH_STARTS = ("vae", "language", "diffusion")


def cell(kind: str, start: str = "previous", policy: str = "replace", generations: int = 3, **family: Any) -> Cell:
    tiny, rows = FAMILIES.get(kind).tiny()
    fields = tiny.canonical() | {"start": start} | family
    return Cell.model_validate(
        {"family": fields, "policy": {"kind": policy}, "rows": rows, "generations": generations, "seed": 1}
    )


@pytest.mark.parametrize("kind", FAMILIES_WITH_STARTS)
def test_the_default_is_no_part_of_the_canonical_form(kind: str) -> None:
    assert not {"start", "checkpoint"} & cell(kind, "fresh").family.canonical().keys()
    assert cell(kind, "fresh").family.start_identity() == {}


@pytest.mark.parametrize("kind", FAMILIES_WITH_STARTS)
def test_generation_1_is_shared_and_later_ones_are_not(kind: str) -> None:
    fresh, previous = Steps(cell(kind, "fresh")), Steps(cell(kind))
    assert fresh.step(1) == previous.step(1)
    assert fresh.batch(1).key == previous.batch(1).key
    assert fresh.step(2).model != previous.step(2).model
    assert fresh.step(3).model != previous.step(3).model
    assert fresh.cell.key != previous.cell.key


@pytest.mark.parametrize("kind", FAMILIES_WITH_STARTS)
def test_a_fit_goes_on_where_its_predecessor_ended(kind: str) -> None:
    slow = {"learning_rate": 1e-12} | ({"weight_decay": 0.0} if kind != "diffusion" else {})
    recursion = Recursion(cell(kind, generations=2, **slow), MemoryStore())
    first, second = recursion.model(1).tensors, recursion.model(2).tensors
    assert max(float(np.abs(second[name] - first[name]).max()) for name in first) < 1e-6
    again = Recursion(cell(kind, "fresh", generations=2, **slow), MemoryStore()).model(2).tensors
    assert max(float(np.abs(again[name] - first[name]).max()) for name in first) > 1e-3


def test_the_graph_knows_the_predecessor() -> None:
    steps = Steps(cell("vae"))
    graph = Graph(steps)
    assert "previous" not in graph.model(1).provenance
    assert graph.model(3).provenance["previous"] == f"model/{steps.step(2).model}"
    assert last_uses(steps)["model", steps.step(1).model] == 2
    assert last_uses(steps)["model", steps.step(2).model] == 3
    assert last_uses(steps, further=True)["model", steps.step(3).model] == 4


def test_a_predecessor_stays_until_its_successor_is_fitted_and_shows_in_the_ancestry() -> None:
    store, asked = MemoryStore(), cell("vae", policy="accumulate")
    recursion = Recursion(asked, store)
    recursion.record(1)
    recursion.record(2)
    collect(store, "records", [asked])
    assert store.has("model", recursion.steps.step(2).model)
    lines = [str(node) for node in ancestry_of(store, "model", recursion.steps.step(2).model)]
    assert any(f"previous: model {recursion.steps.step(1).model}" in line for line in lines)


def test_an_interrupted_recursion_goes_on_to_the_last_digit(tmp_path: Path) -> None:
    asked = cell("vae", generations=3)
    whole = [record.test_loss for record in run(asked)]
    half = asked.model_copy(update={"generations": 2})
    assert [record.test_loss for record in run(half, str(tmp_path))] == whole[:2]
    store = Counting(MemoryStore())
    kept = run(asked, str(tmp_path))
    assert [record.test_loss for record in kept] == whole
    later = Recursion(asked, store)  # type: ignore[arg-type]
    assert later.record(3).test_loss == whole[2]
    assert sum(name.startswith("model/") for name in store.computed) == 3, "a lost chain is fitted again, once"


def test_costs_are_those_of_fresh_fits() -> None:
    flops = [[stage.flops for stage in make_job(cell("vae", start), {}).stages] for start in ("fresh", "previous")]
    assert flops[0] == flops[1]


def test_pretraining_is_counted_once() -> None:
    pretrain = {"pretrain": {"rows": 64, "epochs": 2}}
    fresh, tuned = cell("language", "fresh"), cell("language", "checkpoint", checkpoint=pretrain)
    flops = [[stage.flops for stage in make_job(asked, {}).stages] for asked in (fresh, tuned)]
    assert flops[0][1:] == flops[1][1:]
    made = tuned.family.pretraining()
    assert made is not None
    assert flops[1][0] - flops[0][0] == pytest.approx(made[0] * made[1].fit_flops)


@pytest.mark.parametrize("kind", ["vae", "diffusion"])
def test_networks_are_saved_and_taken_as_checkpoints(kind: str, tmp_path: Path) -> None:
    made = Recursion(cell(kind, "fresh", generations=1), MemoryStore())
    model = made.model(1)
    made.family.export(model, tmp_path / "saved")
    given = {"path": str(tmp_path / "saved")}
    tuned = Recursion(cell(kind, "checkpoint", checkpoint=given), MemoryStore())
    held = tuned.family.checkpoint().tensors
    assert all(np.array_equal(held[name], value) for name, value in model.tensors.items())
    assert tuned.graph.model(2).provenance["checkpoint"] == f"checkpoint/{tuned.steps.checkpoint}"
    assert np.isfinite(tuned.record(2).test_loss)
    followed = Steps(cell(kind, "previous", checkpoint=given))
    assert followed.step(1).model == tuned.steps.step(1).model
    assert "previous" in Graph(followed).model(2).provenance
    with pytest.raises(ValidationError, match=r"family\.checkpoint: .* is of another model"):
        cell(kind, "checkpoint", checkpoint=given, width=made.cell.family.width + 4)


def test_a_closed_form_without_a_start_says_so() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Cell.model_validate({"family": {"kind": "gaussian", "start": "previous"}, "policy": {"kind": "replace"}})
