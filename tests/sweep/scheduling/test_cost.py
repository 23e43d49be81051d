"""What the steps of a cell cost: rows, tokens, operations and bytes of each artifact that is made."""

import pytest

from sweep.scheduling.cost import cell_work
from sweep.scheduling.job import make_job
from trainables import Cell
from trainables.recursion import Steps


def works(policy, **fields):
    given = {"family": {"kind": "gaussian", "dim": 3}, "policy": policy, "generations": 3, "rows": 10, "replicates": 4}
    cell = Cell.model_validate(given | fields)
    return cell, [work for _, work in cell_work(cell)]


def kinds(generation):
    return [part.kind for part in generation]


def test_each_generation_fits_a_model_and_samples_the_batch_before():
    cell, generations = works({"kind": "replace"})
    assert [kinds(one) for one in generations] == [["model"], ["model", "batch"], ["model", "batch"]]
    cost = cell.family.cost(10)
    for model in (one[0] for one in generations):
        assert (model.rows, model.tokens, model.flops) == (40, 40.0, 40 * cost.fit_flops)
        assert model.size == 4 * cost.parameters * 8
    batch = generations[2][1]
    assert (batch.rows, batch.tokens, batch.flops, batch.size) == (
        40,
        40.0,
        40 * cost.sample_flops,
        40 * cost.row_bytes,
    )
    assert batch.name == f"batch/{batch.key}"


def test_what_accumulates_is_fitted_on_more_and_sampled_as_before():
    _, generations = works({"kind": "accumulate"})
    assert [one[0].rows for one in generations] == [40, 80, 120]
    assert [part.rows for one in generations for part in one[1:]] == [40, 40]


def test_candidates_are_sampled_and_kept_rows_stored():
    cell, generations = works({"kind": "verified", "candidates": 3})
    batch = generations[1][1]
    assert batch.rows == 3 * 40
    assert batch.flops == 120 * cell.family.cost(30).sample_flops
    assert batch.size == 40 * cell.family.cost(30).row_bytes


def test_tokens_are_rows_times_those_of_a_row():
    _, generations = works({"kind": "replace"}, family={"kind": "language", "context": 24}, replicates=1)
    assert [part.tokens / part.rows for one in generations for part in one] == [24.0] * 5


def test_a_checkpoint_that_the_study_makes_is_made_once():
    pretrain = {"rows": 50, "epochs": 1}
    family = {"kind": "language", "context": 24, "start": "checkpoint", "checkpoint": {"pretrain": pretrain}}
    cell, generations = works({"kind": "replace"}, family=family, replicates=1)
    assert [kinds(one) for one in generations] == [["model", "checkpoint"], ["model", "batch"], ["model", "batch"]]
    checkpoint = generations[0][1]
    rows, cost = cell.family.pretraining()
    assert (checkpoint.rows, checkpoint.tokens) == (rows, rows * 24.0) == (50, 1200.0)
    assert (checkpoint.flops, checkpoint.size) == (50 * cost.fit_flops, 4 * cost.parameters)
    assert checkpoint.key == cell.family.checkpoint_key()
    first, second, _ = make_job(cell, {}).stages
    assert (first.checkpoint, first.pretraining) == (checkpoint.key, checkpoint.flops)
    assert first.flops == pytest.approx(generations[0][0].flops + checkpoint.flops)
    assert (second.checkpoint, second.pretraining) == ("", 0.0)


def test_a_chain_begins_at_the_checkpoint_once():
    """With `previous` generation 1 alone starts there."""
    family = {"kind": "language", "context": 24, "start": "previous", "checkpoint": {"pretrain": {"rows": 50}}}
    _, generations = works({"kind": "replace"}, family=family, replicates=1)
    assert [kinds(one).count("checkpoint") for one in generations] == [1, 0, 0]


def test_a_populations_step_names_all_its_models_together():
    cell = Cell.model_validate(works({"kind": "replace"}, population={"models": 3})[0].canonical())
    steps = Steps(cell)
    for number, (step, work) in enumerate(cell_work(cell), 1):
        assert step.model == steps.population_key(number)
        assert (step.model in {part.key for part in work}) == (number == 1), "of shared rows they begin as one"
    alone, generations = works({"kind": "replace"})
    assert [step.model for step, _ in cell_work(alone)] == [one[0].key for one in generations]


@pytest.mark.parametrize(("real", "first"), [("shared", 1), ("own", 3)])
def test_a_population_makes_what_is_the_same_of_several_once(real, first):
    """In a ring each member reads its own latest batch and its neighbour's, all three batches are read twice."""
    _, generations = works({"kind": "replace"}, population={"models": 3, "real": real})
    assert kinds(generations[0]) == ["model"] * first
    for generation in generations[1:]:
        assert sorted(kinds(generation)) == ["batch"] * 3 + ["model"] * 3
        assert len({part.name for part in generation}) == 6
        assert {part.rows for part in generation if part.kind == "model"} == {80}
