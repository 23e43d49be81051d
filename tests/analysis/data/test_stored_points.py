"""Figures come from the store wherever it has them; the tracker only says which cells there are."""

from __future__ import annotations

from pathlib import Path

import pytest

import analysis
from analysis.data import CellRun, Points
from analysis.data.stored_points import from_store, metrics_of
from tests.support import simulated
from trainables import Cell, run
from trainables.config import canonical_json
from trainables.store import MemoryStore, Store, open_store

CELL = Cell.model_validate(
    {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 3, "seed": 1}
)


def held(store: Store) -> dict[int, float]:
    return {record.generation: record.test_loss for record in run(CELL, store)}


def test_the_store_s_values_replace_others_and_what_it_lacks_stays() -> None:
    store = MemoryStore()
    losses = held(store)
    points = Points()
    for step in range(1, 6):
        points.add("a", "test_loss", step, 0.01)
        points.add("b", "test_loss", step, 0.02)
    runs = [CellRun("a", {}, canonical_json(CELL.canonical())), CellRun("b", {}, "{}")]
    found = from_store(runs, points, store)
    values = {
        (r, s): v for r, n, s, v in zip(found.run, found.name, found.step, found.value, strict=True) if n == "test_loss"
    }
    assert {s: v for (r, s), v in values.items() if r == "a"} == {**losses, 4: 0.01, 5: 0.01}
    assert {v for (r, _), v in values.items() if r == "b"} == {0.02}
    own = {
        n: v for r, n, s, v in zip(found.run, found.name, found.step, found.value, strict=True) if (r, s) == ("a", 2)
    }
    assert own == metrics_of(list(run(CELL, store))[1])


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")
def test_a_changed_database_changes_no_figure(tmp_path: Path) -> None:
    losses = held(open_store(str(tmp_path / "store")))
    forged = {"done 1": (CELL.canonical(), {"test_loss": [0.01, 0.01, 0.01]})}
    simulated.log_with_mlflow(f"sqlite:///{tmp_path / 'mlflow.db'}", "study", forged)
    assert analysis.load(tmp_path)["test_loss"].tolist() == list(losses.values())
    assert (
        analysis.load(tmp_path, tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")["test_loss"].tolist() == [0.01] * 3
    )
