"""Survival on a published table, with its published figures, and events at their borders."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.stats import curves_of, restricted_mean, times
from analysis.stats.survival import EVENTS, compare, kaplan_meier, medians
from tests.support import simulated

MERCAPTOPURINE = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"
"""Weeks of remission, "+" where it lasted (Freireich et al. 1963, "The effect of 6-mercaptopurine", Blood 21)."""


def leukaemia() -> pd.DataFrame:
    rows = [
        (policy, int(word.rstrip("+")), not word.endswith("+"))
        for policy, words in (("6-MP", MERCAPTOPURINE), ("placebo", PLACEBO))
        for word in words.split()
    ]
    table = pd.DataFrame(rows, columns=["policy", "generation", "collapsed"])
    return table.assign(ended=table["generation"], status="done")


def test_surviving_shares_are_those_that_were_published() -> None:
    """Kalbfleisch & Prentice 2002, table 1.1; 6 of the 21 under 6-MP are at risk until week 23: 0.538 · 5/6."""
    found = kaplan_meier(leukaemia()).set_index(["policy", "generation"])["surviving"]
    published = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448, 35: 0.448}
    assert {week: round(found["6-MP", week], 3) for week in published} == published
    assert [round(found["placebo", week], 3) for week in (1, 8, 23)] == [0.905, 0.381, 0.0]


def test_bounds_are_those_of_the_log_minus_log_survival() -> None:
    """Greenwood's variance of ln(−ln S) in week 10: (3/(21·18) + 1/(17·16) + 1/(15·14)) / ln²S."""
    found = kaplan_meier(leukaemia(), confidence=0.9).set_index(["policy", "generation"]).loc[("6-MP", 10.0)]
    surviving = (18 / 21) * (16 / 17) * (14 / 15)
    error = (3 / (21 * 18) + 1 / (17 * 16) + 1 / (15 * 14)) ** 0.5 / abs(np.log(surviving))
    bounds = [surviving ** np.exp(sign * 1.6448536 * error) for sign in (1, -1)]
    assert found["surviving"] == pytest.approx(surviving)
    assert found[["low", "high"]].tolist() == pytest.approx(bounds, rel=1e-5)
    assert found[["at_risk", "collapsed", "censored"]].tolist() == [15, 1, 1]


def test_medians_counts_and_means_are_those_that_were_published() -> None:
    """Medians 23 and 8 weeks; every placebo week is known, so that the mean is theirs: 182/21."""
    table = leukaemia()
    found = medians(table).set_index("policy")
    assert found["median"].to_dict() == {"6-MP": 23, "placebo": 8}
    assert found.loc["6-MP", ["recursions", "collapsed", "censored", "stopped"]].tolist() == [21, 9, 12, 0]
    assert found.loc["6-MP", "ended_early"] == 11, "all of the censored but the one of 35 weeks"
    assert restricted_mean(table[table["policy"] == "placebo"]) == pytest.approx(182 / 21)
    own = table[table["policy"] == "6-MP"]
    steps = [(6, 1.0), (1, 18 / 21), (3, 0.806723), (3, 0.752941), (3, 0.690196), (6, 0.627451), (1, 0.537815)]
    assert restricted_mean(own) == pytest.approx(sum(w * s for w, s in steps) + 12 * 0.448179, rel=1e-5)


def test_the_log_rank_test_is_the_published_one() -> None:
    """χ² = 16.79 of one degree of freedom."""
    table = leukaemia()
    assert compare(table) == pytest.approx(4.17e-5, rel=0.002)
    assert compare(table.assign(policy=table["policy"].map({"6-MP": "b", "placebo": "a"}))) == compare(table)
    assert np.isnan(compare(table.assign(collapsed=False)))


def test_what_was_stopped_bounds_the_median_from_below() -> None:
    """Those that were stopped in week 6 and 9 count as events of week 7 and 10; ties come before what is censored."""
    table = leukaemia()
    own = table[table["policy"] == "6-MP"].copy()
    stopped = ~own["collapsed"] & own["generation"].isin((6, 9, 10, 11, 17))
    own.loc[stopped, "status"] = "stopped_early"
    shown = medians(own).iloc[0]
    assert (shown["stopped"], shown["median"]) == (5, 23)
    as_if = own.assign(generation=own["generation"] + stopped, collapsed=own["collapsed"] | stopped, status="done")
    assert shown["median_low"] == medians(as_if)["median"].item() == 16


def curve(*values: float, policy: str = "replace", seed: int = 0) -> dict[tuple[str, str, int], np.ndarray]:
    return {("a", policy, seed): np.array(values)}


def event(name: str, *values: float) -> tuple[int, bool, int]:
    row = times(curves_of(simulated.study(curve(*values))), name).iloc[0]
    return int(row["generation"]), bool(row["collapsed"]), int(row["ended"])


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((1.0, 2.0, 2.0), (3, False, 3)),
        ((1.0, 2.0, 2.0001), (3, True, 3)),
        ((1.0, 2.0001, 0.5), (2, True, 3)),
        ((-1.0, 50.0, 50.0), (3, False, 3)),
        ((0.0, 5.0, 5.0), (3, False, 3)),
        ((-1.0, np.inf, -1.0), (2, True, 3)),
        ((4.0, np.nan, 9.0), (3, True, 3)),
        ((1.0, 1.0, np.inf), (3, True, 3)),
    ],
    ids=str,
)
def test_a_catastrophe_is_more_than_twice_a_positive_first_loss(
    losses: tuple[float, ...], expected: tuple[int, bool, int]
) -> None:
    assert event("catastrophic_increase", *losses) == expected


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((2.0, 2.1, 2.1), (3, False, 3)),
        ((2.0, 2.11, 2.11), (2, True, 3)),
        ((2.0, 2.11, 2.0), (3, False, 3)),
        ((2.0, 2.11, 2.0, 2.11), (4, True, 4)),
        ((-2.0, -1.9, -1.9), (3, False, 3)),
        ((-2.0, -1.89, -1.89), (2, True, 3)),
        ((0.0, 0.001, 0.002), (2, True, 3)),
        ((1.0, np.nan, 1.2), (3, True, 3)),
        ((1.0, 1.2, np.nan, 1.2), (2, True, 4)),
    ],
    ids=str,
)
def test_a_rise_is_one_of_more_than_a_twentieth_of_the_first_losss_size_that_lasts(
    losses: tuple[float, ...], expected: tuple[int, bool, int]
) -> None:
    assert event("any_increase", *losses) == expected


def test_what_an_event_is_stands_beside_it() -> None:
    assert EVENTS == {
        "catastrophic_increase": "first generation with loss above 2 × the first",
        "any_increase": "first generation from which on the loss stays 5% above the first",
    }
    with pytest.raises(ValueError, match=r"^event: no 'collapse' \(known: catastrophic_increase, any_increase\)$"):
        times(curves_of(simulated.study(curve(1.0, 2.0))), "collapse")


def test_a_failure_is_placed_a_step_behind_where_generations_are_numbered_in_steps() -> None:
    frame = simulated.study(curve(1.0, 1.0, 1.0)).assign(status="failed")
    tens = frame.assign(generation=(frame["generation"] - 1) * 10 + 1)
    found = times(curves_of(tens), "any_increase").iloc[0]
    assert found[["generation", "collapsed", "ended"]].tolist() == [31, True, 31]
    single = times(curves_of(frame[frame["generation"] == 1]), "any_increase").iloc[0]
    assert single[["generation", "collapsed"]].tolist() == [2, True]


@pytest.mark.parametrize("name", list(EVENTS))
def test_a_generation_that_is_missing_before_a_recursion_diverges_is_no_collapse(name: str) -> None:
    """It was dated to the gap, two generations early."""
    assert event(name, 1.0, np.nan, 1.0, np.inf, np.inf) == (4, True, 4)
    assert event(name, 1.0, np.nan, 1.0, np.nan) == (4, True, 4)
    failed = simulated.study(curve(1.0, 1.0, 1.0, 1.0)).assign(status="failed")
    without = failed[failed["generation"] != 2]
    assert times(curves_of(without), name)["generation"].tolist() == [5]


def test_each_of_the_recursions_side_by_side_diverges_in_its_own_generation() -> None:
    frame = simulated.study(curve(1.0, 1.0, 1.0, 1.0))
    held = np.ones((4, 4))
    held[1, 1:], held[2, 3] = np.inf, np.nan
    found = curves_of(frame, replicates={frame["cell"].iloc[0]: held})
    np.testing.assert_array_equal(found.runs["diverged_at"], [np.nan, 2, 4, np.nan])
    assert times(found, "any_increase")["generation"].tolist() == [4, 2, 4, 4]


def test_a_recursion_is_described_by_what_it_is() -> None:
    held = curves_of(simulated.study(curve(1.0, 3.0) | curve(1.0, 1.0, seed=1)))
    found = times(held, "catastrophic_increase")
    assert list(found.columns) == [
        "config", "policy", "seed", "replicate", "status", "generation", "collapsed", "ended"
    ]  # fmt: skip
    assert found.set_index("seed")["collapsed"].to_dict() == {0: True, 1: False}
