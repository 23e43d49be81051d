"""Contrasts of curves, and curves from a frame."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data import CellRun, Points, tidy
from analysis.stats import by_policy, curves_of, first, known_to_diverge, last, late_excess, ratio, slope
from tests.support import simulated

HOLED = np.array([[np.nan, 1.0, 3.0, np.nan, 9.0], [2.0, np.nan, np.nan, 4.0, np.nan], [np.nan, 5.0, *[np.nan] * 3]])
N = np.array([1, 2, 3, 5, 8])


def test_a_slope_is_that_of_least_squares_over_what_is_there() -> None:
    expected = [np.polyfit(N[np.isfinite(y)], y[np.isfinite(y)], 1)[0] for y in HOLED[:2]]
    np.testing.assert_allclose(slope(HOLED, N), [*expected, np.nan])


def test_first_last_and_their_ratio_are_of_what_is_there() -> None:
    np.testing.assert_array_equal(first(HOLED), [1.0, 2.0, 5.0])
    np.testing.assert_array_equal(last(HOLED), [9.0, 4.0, 5.0])
    np.testing.assert_array_equal(ratio(HOLED), [9.0, 2.0, 1.0])
    np.testing.assert_array_equal(ratio(np.array([[0.0, 1.0], [-1.0, 2.0]])), [np.nan, np.nan])


@pytest.mark.parametrize(
    ("law", "share"),
    [(lambda n: np.cumsum(1 / n**2), 0.08), (np.log, 0.23), (lambda n: n, 0.53)],
    ids=["Σ1/i²", "log", "line"],
)
def test_the_late_rise_of_a_law_is_the_share_that_is_stated(law, share: float) -> None:  # type: ignore[no-untyped-def]
    n = np.arange(1.0, 21.0)
    curve = 5.0 + 3.0 * law(n)[None]
    assert late_excess(curve, 0.0) / (curve[:, -1] - curve[:, 0]) == pytest.approx(share, abs=0.005)
    assert late_excess(curve, 0.2) == pytest.approx(late_excess(curve, 0.0) - 0.2 * (curve[:, -1] - curve[:, 0]))


def test_the_late_rise_needs_four_generations() -> None:
    assert np.isnan(late_excess(np.ones((2, 3)), 0.2)).all()
    np.testing.assert_allclose(late_excess(np.array([[0.0, 1.0, 3.0, 4.0]]), 0.0), [3.0])


def frame(policies: tuple[str, ...] = ("replace", "accumulate")) -> pd.DataFrame:
    return simulated.study(simulated.noisy(np.random.default_rng(0), policies, seeds=2, generations=3))


def test_curves_have_a_row_a_cell_and_a_column_a_generation() -> None:
    found = curves_of(pd.concat([frame(), frame()]))
    assert found.values.shape == (4, 3)
    assert found.generations.tolist() == [1, 2, 3]
    once = frame().set_index(["cell", "generation"])["test_loss"]
    for run, values in zip(found.runs["cell"], found.values, strict=True):
        np.testing.assert_array_equal(values, once[run].to_numpy())
    assert (found.lengths == 3).all()
    assert np.isnan(found.errors).all()
    assert np.isnan(found.theory).all()


def test_errors_and_theory_stand_beside_values() -> None:
    found = curves_of(frame().assign(test_loss_se=0.25, theory_test_loss=lambda table: 2.0 * table["generation"]))
    assert (found.errors == 0.25).all()
    assert (found.theory == [2.0, 4.0, 6.0]).all()


def test_policies_have_their_curves() -> None:
    groups = dict(by_policy(curves_of(frame())))
    assert [policy for _, policy in groups] == ["accumulate", "replace"]
    for (_, policy), held in groups.items():
        assert set(held.runs["policy"]) == {policy}
        assert held.values.shape == (2, 3)
        assert held.runs.index.tolist() == [0, 1]


def test_a_choice_of_runs_is_by_mask_or_place() -> None:
    whole = curves_of(frame())
    some = whole.select(np.array([False, True, False, True]))
    assert some.runs["cell"].tolist() == whole.runs["cell"].iloc[[1, 3]].tolist()
    np.testing.assert_array_equal(some.values, whole.select(np.array([1, 3])).values)


def test_replicates_become_rows() -> None:
    table = frame().assign(test_loss_se=0.25)
    cell = str(table["cell"].iloc[0])
    given = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    found = curves_of(table, replicates={cell: given})
    mine = (found.runs["cell"] == cell).to_numpy()
    assert found.values.shape == (6, 3)
    np.testing.assert_array_equal(found.values[mine], np.pad(given, [(0, 0), (0, 1)], constant_values=np.nan))
    assert found.runs.loc[mine, "replicate"].tolist() == [0, 1, 2]
    assert np.isnan(found.errors[mine]).all()
    assert (found.errors[~mine] == 0.25).all()
    assert found.runs["replicate"][~mine].tolist() == [0, 0, 0]


def test_a_replicate_that_ends_has_diverged() -> None:
    table = frame(("replace",))
    cells = table["cell"].unique()
    given = {cells[0]: np.array([[1.0, 2.0, 3.0], [1.0, np.inf, np.inf]])}
    assert curves_of(table, replicates=given).runs["diverged"].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("losses", "diverged"),
    [
        ([1.0, 2.0, 3.0], False),
        ([1.0, np.nan, 3.0], False),
        ([1.0, 2.0, np.nan], True),
        ([1.0, np.inf, 3.0], True),
    ],
)
def test_a_cell_diverges_where_its_loss_is_infinite_or_ends(losses: list[float], diverged: bool) -> None:
    table = frame(("replace",))
    first_cell = table["cell"] == table["cell"].iloc[0]
    found = curves_of(table.assign(test_loss=table["test_loss"].where(~first_cell, np.tile(losses, 2)[: len(table)])))
    assert found.runs["diverged"].tolist() == [diverged, False]


def test_a_failed_cell_has_diverged() -> None:
    table = frame(("replace",))
    found = curves_of(table.assign(status=table["status"].where(table["seed"] == 0, "failed")))
    assert found.runs["diverged"].tolist() == [False, True]


def test_infinite_means_and_separation_are_a_cells() -> None:
    table = frame(("replace",))
    late = table["generation"] == 3
    zero = table["seed"] == 0
    shown = table.assign(infinite_mean=(zero & ~late) * 1.0, separated=np.where(late, 0.5 * zero, 0.9))
    found = curves_of(shown).runs
    assert found["heavy"].tolist() == [True, False]
    assert found["separated"].tolist() == [0.5, 0.0]
    assert not curves_of(table).runs[["heavy", "separated"]].to_numpy().any()


def test_another_metric_is_taken_by_name() -> None:
    table = frame().assign(other=lambda table: table["generation"] * 10.0)
    found = curves_of(table, "other")
    assert (found.metric, found.values.tolist()) == ("other", [[10.0, 20.0, 30.0]] * 4)
    assert len(curves_of(table.assign(other=table["other"].where(table["policy"] == "replace")), "other").runs) == 2
    with pytest.raises(ValueError, match=r"^metric: no column 'nothing'"):
        curves_of(table, "nothing")


def test_generations_that_end_early_have_no_value() -> None:
    table = frame(("replace",))
    found = curves_of(table[(table["seed"] == 0) | (table["generation"] < 3)])
    assert found.lengths.tolist() == [3, 2]
    assert replace(found, values=found.values[:, :2]).lengths.tolist() == [2, 2]


def test_a_cell_whose_replicates_end_early_has_not_diverged() -> None:
    """One is interrupted after two of three generations, of another a replicate is lost."""
    short = simulated.study({("a", "replace", 0): np.ones(3), ("a", "accumulate", 0): np.ones(2)})
    cells = short.drop_duplicates("cell").set_index("policy")["cell"]
    whole = np.ones((2, 3))
    whole[1, 2] = np.nan
    held = curves_of(short, replicates={cells["accumulate"]: np.ones((2, 2)), cells["replace"]: whole})
    found = held.runs.sort_values(["policy", "replicate"])
    assert found["diverged"].tolist() == [False, False, False, True]
    assert np.sort(held.lengths).tolist() == [2, 2, 2, 3]


def test_a_failure_that_is_tried_again_is_no_divergence() -> None:
    """Memory that ran out says nothing of a recursion."""
    found = {}
    for error in ("diverged", "unexpected"):
        cell = simulated.cell({"kind": "linear"}, {"kind": "replace"}, 0)
        tags = simulated.tags("study", cell, "failed") | {"error": error}
        points = Points(["run"] * 2, ["test_loss"] * 2, [1, 2], [1.0, 1.0])
        found[error] = curves_of(tidy([CellRun("run", tags, json.dumps(cell))], points)).runs["diverged"].item()
    assert found == {"diverged": True, "unexpected": False}


def test_a_loss_whose_square_is_no_number_has_gone_to_infinity() -> None:
    """Gradient descent with too large a rate gets to 1e187 in twelve generations, of which no variance can be taken."""
    values = {("a", "replace", seed): np.array([1.0, 1e90, 1e90 if seed else 1e187]) for seed in range(2)}
    held = curves_of(simulated.study(values))
    assert held.runs.sort_values("seed")["diverged"].tolist() == [True, False]
    assert np.isfinite(held.values).sum() == 5
    frame = simulated.study({("a", "replace", 0): np.ones(3)})
    each = curves_of(frame, replicates={frame["cell"].iloc[0]: np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1e187]])})
    assert each.runs["diverged"].tolist() == [False, True]


def test_of_recursions_side_by_side_one_is_known_to_have_diverged() -> None:
    """A cell fails with the first of them, and keeps no word of which."""
    frame = simulated.study({("a", "replace", seed): np.ones(4) for seed in range(2)})
    frame = frame.assign(status=frame["seed"].map({0: "failed", 1: "done"}))
    cells = frame.drop_duplicates("cell").set_index("seed")["cell"]
    lost = np.ones((3, 4))
    lost[1:, 3] = np.inf
    found = curves_of(frame, replicates={cells[0]: np.ones((3, 4)), cells[1]: lost}).runs
    known = found.assign(known=known_to_diverge(found)).sort_values(["seed", "replicate"])
    assert known["diverged"].tolist() == [True, True, True, False, True, True]
    assert known["known"].tolist() == [True, False, False, False, True, True]
