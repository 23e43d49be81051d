"""Time to collapse: events where they are planted, censoring instead of dropping, lifelines' own numbers."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from lifelines import KaplanMeierFitter
from scipy.stats import chi2

from analysis.data import BROKEN
from analysis.stats import curves_of, times
from analysis.stats.survival import compare, kaplan_meier, medians
from tests.support import simulated


def study(ends: dict[str, list[tuple[int, int]]]) -> object:
    """Curves by (generation of doubling, generations run); a doubling beyond the run is never seen."""
    values = {}
    for policy, cells in ends.items():
        for seed, (doubled, length) in enumerate(cells):
            n = np.arange(1, length + 1)
            values["a", policy, seed] = np.where(n >= doubled, 2.5, 1.0)
    return curves_of(simulated.study(values, "toy"))


def test_events_and_censoring() -> None:
    held = study({"replace": [(3, 10), (5, 10), (99, 10), (99, 4)]})
    found = times(held, "catastrophic_increase").sort_values("seed")
    assert found["generation"].tolist() == [3, 5, 10, 4]
    assert found["collapsed"].tolist() == [True, True, False, False]
    assert found["ended"].tolist() == [10, 10, 10, 4]
    middle = medians(found).iloc[0]
    assert middle[["recursions", "collapsed", "censored", "ended_early"]].tolist() == [4, 2, 2, 1]


def test_a_rise_must_last() -> None:
    n = np.arange(1, 9)
    values = {
        ("a", "replace", 0): np.where(n == 4, 1.2, 1.0),
        ("a", "replace", 1): np.where(n >= 6, 1.2, 1.0),
        ("a", "replace", 2): np.where(n >= 2, 1.2, 1.0)[:5],
    }
    found = times(curves_of(simulated.study(values, "toy")), "any_increase").sort_values("seed")
    assert found["collapsed"].tolist() == [False, True, True]
    assert found["generation"].tolist() == [8, 6, 2]


def test_kaplan_meier_is_lifelines() -> None:
    rng = np.random.default_rng(0)
    cells = [
        (int(t), int(length)) for t, length in zip(rng.geometric(0.2, 80) + 1, rng.integers(3, 15, 80), strict=True)
    ]
    found = times(study({"replace": cells}), "catastrophic_increase")
    table = kaplan_meier(found)
    seen = [min(t, length) for t, length in cells]
    fitter = KaplanMeierFitter().fit(seen, [t <= length for t, length in cells])
    np.testing.assert_allclose(table["surviving"], fitter.survival_function_.iloc[:, 0])
    assert medians(found)["median"].iloc[0] == fitter.median_survival_time_


def exact_median(ends: Sequence[int], collapsed: Sequence[bool]) -> float:
    """By fractions: the first generation that no more than half survive."""
    surviving = Fraction(1)
    for generation in sorted(set(ends)):
        at_risk = sum(end >= generation for end in ends)
        events = sum(event and end == generation for end, event in zip(ends, collapsed, strict=True))
        surviving *= 1 - Fraction(events, at_risk)
        if surviving <= Fraction(1, 2):
            return float(generation)
    return float("inf")


def test_a_half_that_rounding_lifts_is_a_half() -> None:
    """The guess was 4, as three of six collapse by then; lifelines 0.30.0 says inf, for 0.5000000000000001 survive."""
    half = [(2, 9), (3, 9), (4, 9), (99, 9), (99, 9), (99, 9)]
    assert medians(times(study({"replace": half}), "catastrophic_increase"))["median"].iloc[0] == 4


def test_medians_are_those_of_fractions() -> None:
    rng = np.random.default_rng(0)
    for count in (5, 6, 8, 13, 18, 20):
        cells = [(int(t), int(n)) for t, n in zip(rng.integers(2, 12, count), rng.integers(6, 12, count), strict=True)]
        found = medians(times(study({"replace": cells}), "catastrophic_increase"))["median"].iloc[0]
        assert found == exact_median([min(cell) for cell in cells], [t <= n for t, n in cells]), cells


def test_the_estimate_finds_the_planted_hazard() -> None:
    """A hazard of 10 % per generation, observed for 12: survival follows 0.9^n within its interval."""
    rng = np.random.default_rng(1)
    cells = [(int(t), 12) for t in rng.geometric(0.1, 2000) + 1]
    table = kaplan_meier(times(study({"replace": cells}), "catastrophic_increase")).set_index("generation")
    for n in (3, 6, 11):
        assert table.loc[n, "low"] < 0.9 ** (n - 1) < table.loc[n, "high"]


def test_policies_are_compared_by_log_rank() -> None:
    held = study({"replace": [(3, 10)] * 8, "accumulate": [(99, 10)] * 8})
    assert compare(times(held, "catastrophic_increase")) < 0.001
    assert np.isnan(compare(times(study({"replace": [(3, 10)]}), "catastrophic_increase")))
    with pytest.raises(ValueError, match=r"event: no 'x' \(known: catastrophic_increase"):
        times(held, "x")


@pytest.mark.parametrize("event", ["catastrophic_increase", "any_increase"])
def test_a_recursion_that_diverged_has_collapsed_by_then(event: str) -> None:
    """Four of eight have no number from generation 5 on: 2 events above the 2 expected, of variance 0.8; χ² = 5."""
    lost = np.where(np.arange(1, 11) >= 5, np.inf, 1.0)
    values = {("a", "accumulate", seed): np.ones(10) for seed in range(8)}
    values |= {("a", "replace", seed): lost if seed < 4 else np.ones(10) for seed in range(8)}
    found = times(curves_of(simulated.study(values, "toy")), event)
    own = found[found["policy"] == "replace"].sort_values("seed")
    assert own["collapsed"].tolist() == [True] * 4 + [False] * 4
    assert own["generation"].tolist() == [5] * 4 + [10] * 4
    assert found["collapsed"].sum() == 4
    table = kaplan_meier(found).set_index(["policy", "generation"])
    assert table.loc[("replace", 5.0), "surviving"] == pytest.approx(0.5)
    assert compare(found) == pytest.approx(chi2.sf(5, 1))


def test_a_loss_that_went_to_infinity_and_came_back_was_there() -> None:
    held = curves_of(simulated.study({("a", "replace", 0): np.where(np.arange(8) == 5, np.inf, 1.0)}, "toy"))
    assert times(held, "catastrophic_increase")[["generation", "collapsed"]].to_numpy().tolist() == [[6, True]]
    assert times(held, "any_increase")[["generation", "collapsed"]].to_numpy().tolist() == [[8, False]]


def test_a_cell_that_failed_for_good_has_collapsed_where_its_next_value_would_be() -> None:
    frame = simulated.study({("a", "replace", seed): np.ones(4) for seed in range(3)}, "toy")
    status = frame["seed"].map({0: "failed", 1: "done", 2: BROKEN})
    held = times(curves_of(frame.assign(status=status)), "any_increase").sort_values("seed")
    assert held[["generation", "collapsed"]].to_numpy().tolist() == [[5, True], [4, False], [4, False]]


def test_of_recursions_side_by_side_one_has_ended_all() -> None:
    frame = simulated.study({("a", "replace", 0): np.ones(4)}, "toy").assign(status="failed")
    held = times(curves_of(frame, replicates={frame["cell"].iloc[0]: np.ones((3, 4))}), "any_increase")
    assert held[["generation", "collapsed"]].to_numpy().tolist() == [[5, True], [4, False], [4, False]]
