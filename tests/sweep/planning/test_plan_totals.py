"""What a plan counts, against sums made by hand.

A Gaussian of one dimension has 1·(1 + 3)/2 = 2 parameters, and fitting or sampling it takes 4·1³ operations a
recursion, whatever the rows (`GaussianConfig.cost`). The toy study has 5 recursions side by side: 20 operations a fit
and a batch, 8·2·5 = 80 bytes a model, 8·1·2·5 = 80 bytes a batch of sufficient statistics.
"""

import json
from dataclasses import asdict

import pytest

from search_spaces import Block, Grid, Study, StudyError, load_study
from search_spaces.study import StudyBudget
from sweep.planning import plan_study
from sweep.scheduling import Board
from tests.support.toys import GAUSSIAN, drain, points, toy
from trainables.families.closed_form.gaussian import GaussianConfig
from trainables.recursion import Recursion, Steps
from trainables.store import MemoryStore

FIT = SAMPLE = 20.0
MODEL, BATCH = 80.0, 80.0


def done(study, policy=None):
    """A store with the study's cells, or those of one policy."""
    store = MemoryStore()
    board = Board(store)
    board.admit([point for point in points(study) if policy in (None, point.cell.policy.kind)])
    drain(board, store)
    return store


def test_totals_are_sums_over_models_and_batches_each_once():
    """Model 1 and batch 1 are the same of both policies: 5 models and 3 batches are made for 6 generations."""
    totals = plan_study(toy(seeds=1)).totals
    assert (totals.cells, totals.generations, totals.trained, totals.stored) == (2, 6, 5, 0)
    fitted = 5 * (20 + 20 + 20 + 40 + 60)  # replace has 20 rows always, accumulate 20, 40 and 60
    assert (totals.rows, totals.tokens) == (fitted, fitted)
    assert totals.flops == 5 * FIT + 3 * SAMPLE
    assert totals.size == 5 * MODEL + 3 * BATCH
    assert totals.disk == (5 + 3 + 1 + 5) * 4096, "a small file each: models, batches, real rows, records"


def test_totals_grow_with_seeds_in_proportion_for_seeds_share_nothing():
    one, four = (asdict(plan_study(toy(seeds=seeds)).totals) for seeds in (1, 4))
    assert four == {name: 4 * value for name, value in one.items()}


def test_what_is_left_is_told_by_make_and_by_cell():
    left = plan_study(toy(seeds=1)).left
    ((make, effort),) = left.efforts.items()
    assert (make.family, make.title, make.parameters) == ("gaussian", "dim 1", 2)
    assert asdict(effort) == {"generations": 5, "fitting": 5 * FIT, "sampling": 3 * SAMPLE}
    assert [asdict(own) for _, own in left.cells] == [
        {"generations": 3, "fitting": 3 * FIT, "sampling": 2 * SAMPLE}
    ] * 2, "each cell on its own, as if nothing were shared"
    assert left.flops == 5 * FIT + 3 * SAMPLE
    assert left.complete == []
    assert left.stored == {}


def test_what_the_store_holds_is_not_left_and_what_a_finished_cell_shares_is_not_either():
    found = plan_study(toy(seeds=1), done(toy(seeds=1), "replace"))
    assert (found.totals.trained, found.totals.stored) == (5, 3)
    ((make, effort),) = found.left.efforts.items()
    assert asdict(effort) == {"generations": 2, "fitting": 2 * FIT, "sampling": SAMPLE}, "batch 1 is there"
    ((_, own),) = found.left.cells
    assert own.generations == 2
    assert [(cell.policy.kind, len(stages)) for cell, stages in found.left.complete] == [("replace", 3)]
    assert len(found.left.stored[make]) == 3 + 1, "generation 1 of the other cell, too"
    assert found.makes[make].policy.kind == "accumulate", "a cell that has work left is the one to be measured"


def test_a_model_without_its_record_is_stored_and_still_to_be_judged():
    store, study = MemoryStore(), toy(("replace",), seeds=1)
    (point,) = points(study)
    Recursion(point.cell, store).model(1)
    found = plan_study(study, store)
    assert store.has("model", Steps(point.cell).step(1).model)
    assert (found.totals.trained, found.totals.stored) == (3, 1)
    ((_, effort),) = found.left.efforts.items()
    assert effort.generations == 3, "its record is still to be made"


def test_a_study_that_is_done_has_nothing_left_and_no_make_to_measure():
    found = plan_study(toy(seeds=2), done(toy(seeds=2)))
    assert found.totals.trained == found.totals.stored == 10
    assert (found.left.flops, found.left.cells, found.makes) == (0.0, [], {})
    assert len(found.left.complete) == 4


def test_each_family_and_size_has_a_line_and_lines_add_up():
    blocks = [
        Block(
            name=kind,
            cell={"family": {"kind": kind}, "policy": {"kind": "replace"}, "generations": 2},
            space={"family.dim": Grid(values=(2, 3)), "seed": Grid(values=(0, 1, 2))},
        )
        for kind in ("gaussian", "linear")
    ]
    found = plan_study(Study(name="lines", blocks=tuple(blocks)))
    told = [(line.family, line.size, line.parameters, line.totals.cells) for line in found.lines]
    assert told == [
        ("gaussian", "dim 2", 2 * 5 // 2, 3),
        ("gaussian", "dim 3", 3 * 6 // 2, 3),
        ("linear", "dim 2", 2, 3),
        ("linear", "dim 3", 3, 3),
    ]
    for name, total in asdict(found.totals).items():
        assert total == sum(asdict(line.totals)[name] for line in found.lines), name


def test_a_population_counts_the_generations_of_every_member():
    space = {"policy.kind": Grid(values=("replace",))}
    cell = GAUSSIAN | {"population": {"models": 3, "real": "own"}}
    totals = plan_study(Study(name="fed", blocks=(Block(cell=cell, space=space),))).totals
    assert (totals.cells, totals.generations, totals.trained) == (1, 3 * 3, 3 * 3)


def test_cells_that_a_budget_leaves_out_are_named_and_cost_nothing():
    study = toy(seeds=3).model_copy(update={"budget": StudyBudget(cells=2)})
    found = plan_study(study)
    assert (found.totals.cells, len(found.asked), len(found.left_out)) == (2, 2, 4)
    assert [cell.seed for cell in found.asked] + [int(title[-1]) for title in found.left_out] == [
        point.cell.seed for point in points(study)
    ], "in the study's order"
    assert all(title.startswith("gaussian / dim 1 / ") for title in found.left_out)


def test_the_json_of_a_plan_is_all_of_it_as_plain_data():
    found = plan_study(toy(seeds=1))
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["study"] == "toy"
    assert told["totals"] == asdict(found.totals)
    assert told["lines"] == [{"family": "gaussian", "size": "dim 1", "parameters": 2, "totals": asdict(found.totals)}]
    assert (told["estimated"], told["left_out"], told["missing"], told["notes"]) == (False, [], [], [])


def test_data_that_can_not_be_read_is_told_once_and_counted_as_it_is_described():
    found = plan_study(load_study("paper/diffusion"))
    assert len(found.missing) == 1
    assert found.missing[0].startswith("cell.family.source.allow_pickle: ")
    assert (found.totals.cells, found.totals.stored) == (6, 0)


@pytest.mark.parametrize(("blocks", "where"), [(("",), ""), (("one", "two"), "one."), (("", ""), "blocks.0.")])
def test_fresh_rows_that_a_source_lacks_are_refused_with_the_block_s_name(monkeypatch, blocks, where):
    """Half of 20 rows in generations 2 and 3 each, beside the 20 of generation 1."""
    space = {"policy.kind": Grid(values=("fresh_mix",))}
    made = tuple(Block(name=name, cell=GAUSSIAN | {"seed": n}, space=space) for n, name in enumerate(blocks))
    study = Study(name="s", blocks=made)
    monkeypatch.setattr(GaussianConfig, "available_rows", lambda self: 40)
    assert plan_study(study).totals.cells == len(blocks)
    monkeypatch.setattr(GaussianConfig, "available_rows", lambda self: 39)
    with pytest.raises(StudyError) as refused:
        plan_study(study)
    assert str(refused.value) == (
        f"{where}cell.rows: 20 real rows and a reserve of 20 fresh ones over 3 generations make 40, but the training "
        "split of gaussian holds 39"
    )
