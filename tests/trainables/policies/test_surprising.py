"""`surprising` keeps what the model that said it finds least likely."""

import numpy as np
import pytest
from pydantic import ValidationError

from trainables import Cell, run
from trainables.policies import Selection
from trainables.recursion import Graph, Recursion, Steps
from trainables.recursion.selection import choose
from trainables.store import MemoryStore


def cell(policy: object) -> Cell:
    family = {"kind": "gaussian", "dim": 1}
    return Cell.model_validate({"family": family, "policy": policy, "rows": 40, "generations": 3, "replicates": 50})


def test_the_lowest_scores_are_kept_in_their_order() -> None:
    selection = Selection(rule="bottom", judge="own", keep=2)
    rng = np.random.default_rng(0)
    assert choose(selection, np.array([3.0, 1.0, 2.0, 0.0]), rng).tolist() == [1, 3]
    assert choose(selection, np.array([[3.0, 1.0, 2.0], [0.0, 1.0, -1.0]]), rng).tolist() == [[1, 2], [0, 2]]


def test_each_batch_is_judged_by_the_model_it_comes_from() -> None:
    steps = Steps(cell({"kind": "surprising"}))
    graph = Graph(steps)
    for number in (1, 2):
        found = graph.batch(steps.batch(number)).provenance
        assert found["judge"] == found["model"] == f"model/{steps.step(number).model}"
    first = Steps(cell({"kind": "surprising", "judge": "first"}))
    assert Graph(first).batch(first.batch(2)).provenance["judge"] == f"model/{steps.step(1).model}"


def test_surprising_rows_spread_a_gaussian_and_likely_ones_narrow_it() -> None:
    """Rows far from the mean are the least likely."""
    keep = {"rule": "top", "judge": "own", "candidates": 2.0}
    likely = {"kind": "compose", "keep": keep, "corpus": [{"source": "latest"}]}
    ends = [list(run(cell(policy)))[-1].metrics["trace_ratio"] for policy in ({"kind": "surprising"}, likely)]
    assert ends[0] > 1.5 > 0.5 > ends[1]


def test_a_batch_holds_the_rows_that_its_model_finds_unlikely() -> None:
    recursion = Recursion(cell({"kind": "surprising"}), MemoryStore())
    made = recursion.batch(recursion.steps.batch(2))
    assert made.rows == 40
    assert made.meta["rejected"] == {"bottom_own": 40}


def test_a_bar_of_the_models_own_is_refused() -> None:
    keep = {"rule": "accept", "judge": "own"}
    with pytest.raises(ValidationError, match="own changes with every model"):
        cell({"kind": "compose", "keep": keep, "corpus": [{"source": "latest"}]})
