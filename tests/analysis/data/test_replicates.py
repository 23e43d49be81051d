"""What is read of each replicate: forgetting times, censored where a recursion has not forgotten yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.data.replicates import times_until, values_of
from search_spaces import Block, Grid, Study
from search_spaces.expansion import expand
from sweep.reporting.report import stored
from sweep.scheduling import Board
from tests.support.toys import drain
from trainables import Cell
from trainables.families.language.config import LanguageConfig
from trainables.recursion import Recursion, run
from trainables.store import MemoryStore


def test_forgetting_times_are_those_of_each_recursion_and_censored_at_the_end() -> None:
    cell = {"family": {"kind": "discrete", "categories": 4}, "rows": 5, "generations": 8, "replicates": 30}
    space = {"policy.kind": Grid(values=("replace", "accumulate"))}
    study, store = Study(name="s", blocks=(Block(cell=cell, space=space),)), MemoryStore()
    board = Board(store)
    board.admit(expand(study))
    drain(board, store)
    times = times_until(stored(study, board, store), store, "surviving_categories", 1)
    assert len(times) == 60
    for job in board.jobs.values():
        steps = Recursion(job.cell, store).steps
        records = [store.get("record", steps.step(n).record) for n in range(1, 9)]
        left = np.stack([record.tensors["surviving_categories"] for record in records if record is not None], axis=1)
        found = times[times["policy"] == job.cell.policy.kind]
        for replicate, one in enumerate(found.sort_values("replicate").to_dict("records")):
            first = np.flatnonzero(left[replicate] == 1)
            assert (one["time"], one["reached"]) == ((first[0] + 1, True) if len(first) else (8, False))
    shares = times.groupby("policy")["reached"].mean()
    assert 0 < shares["replace"] < 1, "some are censored"
    assert shares["accumulate"] < shares["replace"]


def test_replicates_have_no_figure_that_their_record_does_not_have() -> None:
    """Of rows of three tokens records once held a repetition of 1, which the frame leaves out."""
    family = LanguageConfig.tiny()[0].canonical() | {"context": 3}
    cell = Cell.model_validate(
        {"family": family, "policy": {"kind": "replace"}, "rows": 32, "generations": 1, "replicates": 2}
    )
    store, older = MemoryStore(), MemoryStore()
    next(iter(run(cell, store)))
    key = Recursion(cell, store).steps.step(1).record
    held = store.get("record", key)
    assert held is not None
    each = {"repetition": np.array([1.0, 0.25])}
    older.once("record", key, lambda: replace(held, tensors={**held.tensors, **each}))
    found = values_of(cell, 1, older)
    assert found["test_loss"].shape == (2, 1)
    assert "repetition" not in found
