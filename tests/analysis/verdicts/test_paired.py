"""Differences within a seed, and within a replicate where these are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.verdicts import paired
from tests.support import simulated

N = np.arange(1.0, 6.0)


def frame(curves: dict[tuple[str, int], np.ndarray]):  # type: ignore[no-untyped-def]
    return simulated.study({("dim 10", policy, seed): curve for (policy, seed), curve in curves.items()})


def test_a_difference_is_of_the_seeds_that_both_have() -> None:
    rng = np.random.default_rng(0)
    shared, slopes, ends = rng.standard_normal((4, 5)) * 9, [0.5, 0.7, 0.9], [0.0, 1.0, 3.0]
    curves = {("replace", seed): shared[seed] + slope * N for seed, slope in enumerate(slopes)}
    curves |= {("accumulate", seed): shared[seed] - (N == 5) * end for seed, end in enumerate(ends)}
    curves |= {("accumulate", 3): shared[3]}
    row = paired.differences(frame(curves)).iloc[0]
    assert (row["policy"], row["other"], row["pairs"]) == ("accumulate", "replace", 3)
    found = [np.polyfit(N, curves["accumulate", s] - curves["replace", s], 1)[0] for s in range(3)]
    interval = stats.ttest_1samp(found, 0).confidence_interval(0.95)
    assert row[["growth", "growth_low", "growth_high"]].tolist() == pytest.approx([np.mean(found), *interval])
    last = [curves["accumulate", s][-1] - curves["replace", s][-1] for s in range(3)]
    assert row["last"] == pytest.approx(np.mean(last))
    assert row["p"] == pytest.approx(stats.ttest_1samp(found, 0).pvalue)


def test_pairs_go_over_the_generations_that_both_reached() -> None:
    short = N[:3]
    curves = {("replace", 0): 2 * N, ("replace", 1): 2 * N, ("accumulate", 0): short, ("accumulate", 1): short + 1}
    row = paired.differences(frame(curves)).iloc[0]
    assert row["growth"] == pytest.approx(-1.0)
    assert row["last"] == pytest.approx(-2.5)


def test_seeds_that_one_policy_lacks_make_no_pair() -> None:
    assert paired.differences(frame({("replace", 0): N, ("accumulate", 1): N})).empty


def test_p_values_are_adjusted_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    policies = ("replace", "accumulate", "replace_multiple")
    curves = {(p, s): 0.1 * k * N + 0.1 * rng.standard_normal(5) for k, p in enumerate(policies) for s in range(4)}
    table = paired.differences(frame(curves)).sort_values("p")
    assert len(table) == 3
    p = table["p"].to_numpy()
    expected = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)
    np.testing.assert_allclose(table["p_holm"], expected)


def test_replicates_are_paired_by_their_number() -> None:
    table = frame({("replace", 0): N, ("accumulate", 0): N})
    cells = table.drop_duplicates("cell").set_index("policy")["cell"]
    base = np.random.default_rng(0).standard_normal((3, 5)) * 9
    steps = np.array([[1.0], [2.0], [4.0]])
    held = {cells["replace"]: {"test_loss": base}, cells["accumulate"]: {"test_loss": base + steps * N}}
    row = paired.differences(table, replicates=held).iloc[0]
    assert (row["pairs"], row["growth"]) == (3, pytest.approx(7 / 3))


def test_what_diverged_has_no_growth_to_be_tested() -> None:
    """Of recursions that went to infinity only the calm beginning is seen, which grows less than the other policy."""
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal((2, 4, 5))
    curves = {("accumulate", seed): 1 + 0.1 * N + noise[0, seed] for seed in range(4)}
    curves |= {("replace", seed): 1 + noise[1, seed] for seed in range(4)}
    for seed in range(2):
        curves["replace", seed] = np.where(N > 3, np.inf, curves["replace", seed])
    row = paired.differences(frame(curves)).iloc[0]
    assert (row["policy"], row["pairs"], row["diverged"], row["other_diverged"]) == ("accumulate", 4, 0, 2)
    assert row[["growth", "growth_low", "growth_high", "p", "p_holm"]].isna().all()


def test_of_a_cell_that_failed_one_of_the_recursions_side_by_side_diverged() -> None:
    table = frame({("replace", 0): N, ("accumulate", 0): N})
    table["status"] = table["policy"].map({"replace": "failed", "accumulate": "done"})
    held = {cell: {"test_loss": np.ones((3, 5))} for cell in table["cell"].unique()}
    row = paired.differences(table, replicates=held).iloc[0]
    assert (row["pairs"], row["diverged"], row["other_diverged"]) == (3, 0, 1)
    assert row[["growth", "p"]].isna().all()


def test_policies_that_come_to_the_same_do_not_differ() -> None:
    """Every pair is equal to the last digit: no evidence of anything, and none that Holm's method counts first."""
    rng = np.random.default_rng(0)
    own = 1 + 0.01 * rng.standard_normal((2, 4, 5))
    curves = {(policy, seed): own[0, seed] for policy in ("accumulate", "sliding_window") for seed in range(4)}
    table = paired.differences(frame(curves | {("replace", seed): own[1, seed] for seed in range(4)}))
    row = table.set_index(["policy", "other"]).loc[("accumulate", "sliding_window")]
    assert row[["growth", "growth_low", "growth_high", "p", "p_holm"]].tolist() == [0, 0, 0, 1, 1]
    two = table[table["p"] < 1]["p"].to_numpy()
    assert two[0] == pytest.approx(two[1])
    np.testing.assert_allclose(table[table["p"] < 1]["p_holm"], np.minimum(3 * two, 1))
