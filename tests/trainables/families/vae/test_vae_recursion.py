"""Whole recursions of the autoencoder on embedded digits: collapse, its absence, failures, and a golden curve."""

import numpy as np
import pytest

from trainables import Cell, CellFailed, run
from trainables.families.vae.rows import pixels_of
from trainables.recursion import Recursion
from trainables.store import MemoryStore

TINY = {"kind": "vae", "width": 4, "latent": 4, "epochs": 6, "judged": 64, "feature_steps": 20}


def cell(policy="replace", generations=2, rows=200, seed=0, **fields):
    return Cell.model_validate(
        {
            "family": TINY | fields,
            "policy": {"kind": policy},
            "generations": generations,
            "rows": rows,
            "seed": seed,
        }
    )


def test_a_cell_by_names_alone_is_complete():
    whole = Cell.model_validate({"family": {"kind": "vae"}, "policy": {"kind": "replace"}})
    assert whole.rows <= (whole.family.available_rows() or 0)
    assert whole.family.size_label() == "0.0202M"


def test_policies_of_one_seed_share_the_first_generation():
    store = MemoryStore()
    replace, accumulate = (list(run(cell(policy), store)) for policy in ("replace", "accumulate"))
    assert replace[0].model == accumulate[0].model
    assert replace[0].test_loss == accumulate[0].test_loss
    assert replace[1].test_loss != accumulate[1].test_loss
    assert [r.corpus_rows for r in accumulate] == [200, 400]
    assert [r.real_fraction for r in accumulate] == [1.0, 0.5]


def test_no_held_out_image_is_in_any_corpus():
    recursion = Recursion(cell("accumulate", generations=3), MemoryStore())
    recursion.record(3)
    held_out = {row.tobytes() for row in pixels_of(recursion.family.held_out()).array()}
    for part in recursion.corpus(recursion.steps.step(3)).parts:
        for batch in part.batches:
            if batch.number == 0:
                assert not held_out & {row.tobytes() for row in pixels_of(batch.payload).array()}


def test_divergence_fails_the_cell_at_its_generation():
    with pytest.raises(CellFailed, match="generation 1: training loss by update") as failure:
        list(run(cell(learning_rate=1e30)))
    assert failure.value.generation == 1


def test_a_source_with_too_few_rows_is_refused_before_training(monkeypatch):
    monkeypatch.setattr("trainables.families.vae.objective.fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match="the training split of vae holds 1477"):
        list(run(cell(rows=1500)))


@pytest.mark.slow
def test_replacing_collapses_and_accumulating_does_not():
    """The claim of Gerstgrasser et al. 2024 for autoencoders, in small: two seeds, three generations."""
    store = MemoryStore()
    rise = {}
    for policy in ("replace", "accumulate"):
        cells = [cell(policy, 3, 600, seed, width=8, latent=8, epochs=20, batch=32) for seed in (0, 1)]
        records = [list(run(c, store)) for c in cells]
        rise[policy] = np.array([r[-1].test_loss - r[0].test_loss for r in records])
        narrowed = [r[-1].metrics["variance_ratio"] / r[0].metrics["variance_ratio"] for r in records]
        assert max(narrowed) < 0.75 if policy == "replace" else min(narrowed) > 0.85
    assert rise["replace"].min() > 15
    assert rise["accumulate"].max() < 0.1 * rise["replace"].min()
