"""What cells share is trained once: as many models as the plan says, none the second time, only new ones later."""

from __future__ import annotations

from pathlib import Path

from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.planning import plan_study
from trainables import run
from trainables.store import Store, open_store

POLICIES = (
    {"kind": "replace"},
    {"kind": "accumulate"},
    {"kind": "accumulate_subsample"},
    {"kind": "sliding_window", "window": 2},
)


def study(generations: int) -> Study:
    """4 policies × 3 sizes × 3 seeds."""
    cell = {"family": {"kind": "gaussian"}, "rows": 20, "generations": generations, "replicates": 4}
    space = {
        "policy": Grid(values=POLICIES),
        "family.dim": Grid(values=(1, 2, 3)),
        "seed": Grid(values=(0, 1, 2)),
    }
    return Study(name="sharing", blocks=(Block(cell=cell, space=space),))


def complete(of: Study, store: Store) -> int:
    """Run every cell; how many models were added."""
    before = len(list(store.keys("model", "")))
    for point in expand(of):
        list(run(point.cell, store))
    return len(list(store.keys("model", ""))) - before


def test_a_study_trains_what_its_plan_says_and_no_model_twice(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    found = plan_study(study(5), store).totals
    assert (found.cells, found.generations, found.stored) == (36, 180, 0)
    # generation 1 is shared by four policies, generation 2 by accumulate and a window of 2
    assert found.trained == 180 - 9 * 3 - 9
    assert complete(study(5), store) == found.trained
    assert plan_study(study(5), store).totals.stored == found.trained
    assert complete(study(5), store) == 0


def test_an_extended_study_trains_the_new_generations_alone(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    complete(study(5), store)
    longer = plan_study(study(7), store).totals
    assert longer.trained - longer.stored == 2 * 36
    assert complete(study(7), store) == 2 * 36
