"""Studies of populations: planned as they run, shared, and searched for graphs that real data does not reach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import analysis
from analysis.theory.populations import spectral_radius
from search_spaces import Block, FalsifySearch, Grid, Study, load_study
from search_spaces.expansion import expand
from search_spaces.loading.study import study_from
from search_spaces.search import Confirm
from sweep.planning import plan_study
from sweep.scheduling import Board, Spending, cell_work
from sweep.search import FalsifySource
from sweep.search.falsification import account
from tests.support.commands import call
from tests.support.toys import drain
from trainables import Cell, run
from trainables.population import Population
from trainables.store import MemoryStore, open_store

CELL: dict[str, Any] = {"family": {"kind": "gaussian"}, "rows": 20, "generations": 3, "replicates": 4}


def study() -> Study:
    """Two graphs and no population, under two policies."""
    populations = (None, {"models": 3, "graph": "star"}, {"models": 3, "graph": "ring", "real": "own"})
    space = {"population": Grid(values=populations), "policy.kind": Grid(values=("replace", "accumulate"))}
    return Study(name="populations", blocks=(Block(cell=CELL, space=space),))


def test_a_plan_counts_every_members_models_and_what_is_shared_once(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    found = plan_study(study(), store).totals
    assert (found.cells, found.generations) == (6, 2 * (3 + 9 + 9))
    # member 1 of a star is the plain recursion, and all start from its model, but for members 2 and 3 of the ring
    assert found.trained == 1 + 2 * 2 + 2 * 2 * 2 + 2 + 2 * 3 * 2
    for point in expand(study()):
        list(run(point.cell, store))
    assert len(list(store.keys("model"))) == found.trained
    again = plan_study(study(), store).totals
    assert again.stored == again.trained == found.trained


def test_a_budget_counts_every_members_models_and_what_cells_share_once() -> None:
    whole, alone = Spending(study().budget), Spending(study().budget)
    cells = [point.cell for point in expand(study())]
    for cell in cells:
        assert whole.take(part for _, parts in cell_work(cell) for part in parts)
    planned = plan_study(study()).totals
    assert (whole.cells, whole.generations, whole.flops) == (6, planned.trained, planned.flops)
    assert alone.take(part for _, parts in cell_work(cells[-1]) for part in parts)
    assert alone.generations == 3 * 3


@pytest.mark.parametrize("name", ["linear", "gaussian", "language"])
def test_named_studies_ask_each_graph_with_and_without_real_data_at_one_model(name: str) -> None:
    cells = [point.cell for point in expand(load_study(f"population/{name}"))]
    found = {(c.population.graph, c.population.anchor is not None) for c in cells if c.population is not None}
    assert found == {(graph, real) for graph in ("alone", "ring", "complete", "star") for real in (False, True)}
    assert {c.population.models for c in cells if c.population is not None} == {3}


def test_the_study_of_the_page_loads_and_its_policy_shares_are_possible() -> None:
    page = (Path(__file__).parents[2] / "docs" / "populations.md").read_text(encoding="utf-8")
    found = study_from(yaml.safe_load(page.split("```yaml\n")[1].split("```")[0]), "populations.md")
    assert len(expand(found)) == 12
    asked = {"kind": "compose", "sample": {"times": 0.3333}, "corpus": [{"source": "latest"}]}
    fed = {"population": {"models": 3, "graph": "complete"}, "policy": asked, "rows": 300}
    *_, last = run(Cell.model_validate(CELL | fed))
    assert last.corpus_rows == 3 * 300


def test_the_hunt_finds_graphs_that_do_not_carry_real_data_to_everybody() -> None:
    """Real data at one model keeps `replace` bounded where the spectral radius is below 1, and nowhere else."""
    named = load_study("population/falsify")
    block = named.blocks[0]
    search = FalsifySearch(
        claim="replace stays bounded", num_samples=8, independent=8, seeds=2, confirm=Confirm(candidates=1, seeds=4)
    )
    cell = block.cell | {"replicates": 40, "rows": 60, "generations": 12}
    small = named.model_copy(update={"blocks": (block.model_copy(update={"search": search, "cell": cell}),)})
    store = MemoryStore()
    source = FalsifySource(small, 0, None)
    board = Board(store, concurrency=2)
    board.add_source(source)
    drain(board, store)
    outcome = account(source, board.jobs, store)
    assert outcome.outcome == "refuted"
    radii = []
    for candidate in outcome.confirmed:
        job = next(j for j in board.jobs.values() if all(j.values[k] == v for k, v in candidate.values.items()))
        population = job.cell.population
        assert population is not None
        radii.append(_radius(population))
    assert radii == pytest.approx([1.0] * len(radii))
    assert any(_radius(job.cell.population) < 0.99 for job in board.jobs.values()), "healthy graphs were tried too"


def _radius(population: Population | None) -> float:
    assert population is not None
    weight = population.anchor.weight  # type: ignore[union-attr]
    real = [weight if member in population.anchored else 0.0 for member in range(1, population.models + 1)]
    return spectral_radius(population.weights, real)


@pytest.mark.slow
def test_a_study_of_populations_runs_to_its_report(tmp_path: Path) -> None:
    text = """\
name: fed
cell: {family: {kind: linear, dim: 3}, policy: {kind: replace}, rows: 20, generations: 6, replicates: 50}
space:
  population.graph: {grid: [ring, alone]}
  seed: {grid: [0, 1]}
"""
    (tmp_path / "fed.yaml").write_text(text.replace("rows: 20", "population: {models: 3, real: own}, rows: 20"))
    call(tmp_path, "run", "fed.yaml", "--tracking-uri", "sqlite:///mlflow.db")
    frame = analysis.load(tmp_path / "collapse-runs", study="fed", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert set(frame["population.graph"]) == {"ring", "alone"}
    assert frame["config"].nunique() == 2
    last = frame[frame["generation"] == 6].groupby("population.graph")["test_loss"].mean()
    assert last["ring"] < last["alone"]
    for column in ("disagreement", "worst_loss", "test_loss_3", "theory_test_loss_3", "theory_disagreement"):
        assert frame[column].notna().all()
    config = json.loads(frame["cell_config"].iloc[0])
    assert config["population"]["models"] == 3
