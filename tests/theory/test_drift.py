"""Forgetting by genetic drift: exact curves and times against 2,000 recursions, run until one category is left."""

import numpy as np
import pytest

from analysis.theory import drift
from analysis.theory.discrete import probabilities
from trainables import Cell, run
from trainables.recursion import Recursion
from trainables.store import MemoryStore

ROWS, GENERATIONS, REPLICATES = 8, 90, 2000
"""After 90 generations of 8 rows more than one category is left in 1 of 10⁴ recursions."""


@pytest.fixture(scope="module")
def measured():
    """The cell, and every recursion's surviving categories, [replicates, generations]."""
    cell = Cell.model_validate(
        {
            "family": {"kind": "discrete", "categories": 6},
            "policy": {"kind": "replace"},
            "rows": ROWS,
            "generations": GENERATIONS,
            "replicates": REPLICATES,
        }
    )
    store = MemoryStore()
    recursion = Recursion(cell, store)
    for n in range(1, GENERATIONS + 1):
        recursion.record(n)
    records = [store.get("record", recursion.steps.step(n).record) for n in range(1, GENERATIONS + 1)]
    assert recursion.record(5).metrics["theory_surviving_categories"] == pytest.approx(
        drift.survivors(probabilities(cell.family), ROWS, 5)[-1]
    )
    return cell, np.stack([record.tensors["surviving_categories"] for record in records], axis=1)


def within(values, expected):
    error = values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return (np.abs(values.mean(axis=0) - expected) <= 4 * error + 4 / len(values)).all()


def test_survivors_and_the_chance_of_one(measured):
    cell, left = measured
    real = probabilities(cell.family)
    assert within(left, drift.survivors(real, ROWS, GENERATIONS))
    assert within((left == 1) * 1.0, drift.one_left(real, ROWS, GENERATIONS))


def test_records_tell_who_has_forgotten_beside_its_law():
    settings = {"family": {"kind": "discrete", "categories": 6}, "policy": {"kind": "replace"}, "rows": ROWS}
    cell = Cell.model_validate(settings | {"generations": 30, "replicates": REPLICATES, "seed": 1})
    shares = []
    for record in run(cell):
        found, exact = record.metrics["forgotten"], record.metrics["theory_forgotten"]
        assert abs(found - exact) <= 4 * record.metrics["forgotten_se"] + 4 / REPLICATES, record.generation
        shares.append(found)
    assert shares == sorted(shares), "what is forgotten never comes back"
    assert 0 < shares[5] < shares[-1]


def test_the_forgetting_time_is_exact(measured):
    cell, left = measured
    times = 1.0 + (left > 1).sum(axis=1)
    expected = drift.mean_forgetting_time(probabilities(cell.family), ROWS)
    assert abs(times.mean() - expected) < 4 * times.std() / np.sqrt(REPLICATES)


def test_times_are_sums_of_chances():
    real = np.array([0.5, 0.3, 0.2])
    chances = drift.one_left(real, 12, 2000)
    assert drift.mean_forgetting_time(real, 12) == pytest.approx(1 + (1 - chances).sum())
    assert drift.survivors(real, 12, 1)[0] == pytest.approx((1 - (1 - real) ** 12).sum())
