"""Recursions that lack a generation or ended early: laws, ladders and definitions rest on the block of the verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.definitions import cases
from analysis.stats import block_of, curves_of, fit, growth, laws, whole_block
from analysis.stats.curves import HUGE
from analysis.verdicts import Thresholds
from tests.support import simulated

N = np.arange(1.0, 11)


def line(runs: int = 5) -> np.ndarray:
    return 1 + 0.5 * N + 0.05 * np.random.default_rng(0).standard_normal((runs, len(N)))


def study(values: np.ndarray) -> pd.DataFrame:
    """Rows only where there is a value: what is missing was never logged."""
    frame = simulated.study({("a", "replace", seed): row for seed, row in enumerate(values)})
    return frame[frame["test_loss"].notna()]


def lacking(*gaps: tuple[int, int]) -> np.ndarray:
    values = line()
    for run, generation in gaps:
        values[run, generation - 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("gaps", "runs", "generations"),
    [
        ((), [0, 1, 2, 3, 4], N),
        (((1, 4),), [0, 2, 3, 4], N),
        (((1, 10),), [0, 1, 2, 3, 4], N[:9]),
        (((1, 9), (2, 10)), [0, 1, 2, 3, 4], N[:8]),
        (((0, 4), (1, 4), (2, 4)), [0, 1, 2, 3, 4], np.delete(N, 3)),
    ],
    ids=str,
)
def test_a_block_holds_most_values_and_says_which(gaps, runs: list[int], generations: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    values = lacking(*gaps)
    held, reached = block_of(values)
    assert np.flatnonzero(held).tolist() == runs
    assert (np.flatnonzero(reached) + 1).tolist() == generations.tolist()
    np.testing.assert_array_equal(whole_block(values), values[np.ix_(held, reached)])


def test_a_generation_that_nobody_has_ends_no_recursion() -> None:
    values = lacking(*((run, 3) for run in range(5)))
    held, reached = block_of(values)
    assert held.all()
    assert np.flatnonzero(~reached).tolist() == [2]


def test_the_law_of_a_policy_is_of_the_recursions_that_its_verdict_is_of() -> None:
    """Of recursions that ended early one or two generations before, and one that lacks one, none is left out whole."""
    values = lacking((1, 10), (2, 10), (3, 10))
    found = growth.table(curves_of(study(values))).iloc[0]
    expected = fit(values[:, :9], N[:9].astype(int))
    assert expected is not None
    assert (found["horizon"], found["extrapolated"]) == (18, expected.extrapolated.estimate)
    assert expected.runs == 5


def test_a_definition_needs_as_many_generations_as_the_block_has() -> None:
    short = line()[:, :6]
    short[1:, 5] = np.nan
    (case,) = cases(study(short), Thresholds())
    assert case.law is not None
    assert (case.law.runs, case.law.horizon) == (5, 10)
    short[1:, 4] = np.nan
    (case,) = cases(study(short), Thresholds())
    assert case.law is None, "four generations of most"


def test_a_ladder_loses_a_cell_that_lacks_a_generation_and_no_more() -> None:
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e4, 1e6, 5)
    values = {
        (f"{size:.0f}", "replace", seed): 2 + 50 * size**-0.4 + 0.001 * rng.standard_normal(6)
        for size in sizes
        for seed in range(3)
    }
    frame = simulated.study(values, "language")
    frame = frame.assign(parameters=frame["size"].astype(float))
    gap = (frame["size"] == "10000") & (frame["seed"] == 0) & (frame["generation"] == 3)
    found = laws(curves_of(frame[~gap]), "language")
    assert found["generation"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(found["cells"]) == {14}
    early = frame["seed"].ne(2) & (frame["generation"] == 6)
    found = laws(curves_of(frame[~early]), "language")
    assert found["generation"].tolist() == [1, 2, 3, 4, 5], "of the five that went on alone there would be six"
    assert set(found["cells"]) == {15}


def test_what_is_too_large_to_be_squared_is_no_value_and_a_divergence() -> None:
    frame = study(line(2)).assign(test_loss=lambda t: t["test_loss"].where(t["generation"] < 9, HUGE))
    curves = curves_of(frame)
    assert curves.reaches.tolist() == curves.lengths.tolist() == [8, 8]
    assert curves.runs["diverged"].all()
    assert curves.runs["diverged_at"].tolist() == [9, 9]
    below = study(line(1)).assign(test_loss=np.nextafter(HUGE, 0))
    assert not curves_of(below).runs["diverged"].any()


def test_reaches_go_to_the_last_value_and_lengths_count() -> None:
    curves = curves_of(study(lacking((0, 4), (0, 10), (1, 1), (1, 2))))
    assert curves.reaches.tolist()[:2] == [9, 10]
    assert curves.lengths.tolist()[:2] == [8, 8]
