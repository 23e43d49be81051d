"""Claims over configurations, the hierarchical bootstrap and heterogeneity, against simulated truth."""

import numpy as np
import pytest

from analysis.report import ReportContext
from analysis.stats import curves_of, hierarchical
from analysis.verdicts import claims
from tests.support import simulated


def test_hierarchical_intervals_cover_the_truth() -> None:
    """1,000 studies of 8 configurations and 4 seeds; configurations differ as much as seeds do."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        groups = [1 + rng.standard_normal() + rng.standard_normal(4) for _ in range(8)]
        found = hierarchical(groups, rng, draws=400)
        covered += found.low <= 1 <= found.high
    assert 930 <= covered <= 970


def test_few_groups_have_no_interval() -> None:
    groups = [np.array([1.0, 2.0]), np.array([3.0, np.nan]), np.array([np.nan])]
    found = hierarchical(groups, np.random.default_rng(0))
    assert (found.estimate, found.runs) == (2.25, 2)
    assert np.isnan(found.low)
    assert np.isnan(hierarchical([], np.random.default_rng(0)).estimate)


def test_large_groups_are_drawn_from_their_normal_limit() -> None:
    """Groups of 60 values (resampled) and of 65 (normal limit) give the same interval."""
    rng = np.random.default_rng(0)
    levels = rng.standard_normal(12)
    made = [
        hierarchical([level + np.linspace(-1, 1, size) for level in levels], np.random.default_rng(1), draws=4000)
        for size in (60, 65)
    ]
    assert made[0].low == pytest.approx(made[1].low, abs=0.03)
    assert made[0].high == pytest.approx(made[1].high, abs=0.03)


def test_ragged_groups_are_resampled_within_their_own_size() -> None:
    groups = [np.array([1.0]), np.array([2.0, 2.0, 2.0]), np.array([3.0, 3.0]), np.array([4.0])]
    found = hierarchical(groups, np.random.default_rng(0))
    assert found.estimate == 2.5
    assert found.low < 2.5 < found.high


def test_heterogeneity_finds_the_planted_spread() -> None:
    rng = np.random.default_rng(0)
    found = [
        claims.heterogeneity([1 + 0.5 * rng.standard_normal() + 0.3 * rng.standard_normal(6) for _ in range(20)])
        for _ in range(200)
    ]
    assert np.mean([f["tau"] for f in found]) == pytest.approx(0.5, rel=0.05)
    assert 0.93 <= np.mean([f["pooled_low"] <= 1 <= f["pooled_high"] for f in found]) <= 0.97
    share = 0.25 / (0.25 + 0.09 / 6)
    assert np.median([f["i2"] for f in found]) == pytest.approx(share, abs=0.05)
    none = claims.heterogeneity([1 + 0.3 * rng.standard_normal(50) for _ in range(20)])
    assert none["i2"] < 0.4
    assert np.isnan(claims.heterogeneity([np.ones(3), np.ones(3)])["tau"])


@pytest.mark.parametrize(("configurations", "seeds"), [(6, 3), (12, 3), (12, 5)])
def test_intervals_over_configurations_that_do_not_differ_cover_the_truth(configurations: int, seeds: int) -> None:
    """τ = 0, seeds' spread differing fourfold: 90 to 93 % where each variance stood for itself."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(500):
        spread = rng.choice([0.5, 1.0, 2.0], configurations)
        found = claims.heterogeneity([1 + s * rng.standard_normal(seeds) for s in spread])
        covered.append(found["pooled_low"] <= 1 <= found["pooled_high"])
    assert np.mean(covered) >= 0.935


def test_claims_count_what_holds_and_name_the_weakest() -> None:
    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, sizes=("a", "b", "c", "d"), noise=0.01)
    for seed in range(5):
        values["d", "replace", seed] = 1 + 0.001 * rng.standard_normal(20)
        values["c", "accumulate", seed] = values["c", "replace", seed] * 1.5
    study = ReportContext(simulated.study(values), "x")
    found = study.claims.set_index("claim")
    replace = found.loc["replace collapses"]
    assert replace[["configurations", "holds", "refuted", "undecided"]].tolist() == [4, 3, 1, 0]
    assert replace["share"] == 0.75
    assert replace["weakest"] == "linear · d"
    safe = found.loc["accumulate does not collapse"]
    assert (safe["holds"], safe["refuted"], safe["weakest"]) == (3, 1, "linear · c")
    assert safe["weakest_effect"] == pytest.approx(1.0, rel=0.05)
    beats = found.loc["accumulate beats replace"]
    assert (beats["holds"], beats["refuted"]) == (2, 2)
    assert beats["weakest"] == "linear · c"
    assert beats["weakest_effect"] > 0


def test_what_diverged_beats_nobody_and_is_the_weakest() -> None:
    """Before they went to infinity two of its recursions grew less than the rival's."""
    values = simulated.noisy(np.random.default_rng(0), sizes=("a", "b", "c", "d"), noise=0.01)
    for seed in range(2):
        for size, policy in (("c", "accumulate"), ("d", "replace")):
            values[size, policy, seed] = np.where(np.arange(20) > 10, np.inf, values[size, policy, seed])
    study = ReportContext(simulated.study(values), "x")
    found = study.claims.set_index("claim")
    safe = found.loc["accumulate does not collapse"]
    assert (safe["weakest"], safe["weakest_effect"], safe["weakest_verdict"]) == ("linear · c", np.inf, "diverged")
    beats = found.loc["accumulate beats replace"]
    assert (beats["holds"], beats["refuted"], beats["undecided"]) == (3, 1, 0)
    assert (beats["weakest"], beats["weakest_effect"], beats["weakest_verdict"]) == ("linear · c", np.inf, "worse")
    overall = claims.overall(claims.effects(curves_of(study.frame)), 0, 0.95).set_index("policy")
    assert overall["configurations"].to_dict() == {"replace": 3, "accumulate": 3}


def test_a_study_without_the_rival_makes_no_claim_beside_it() -> None:
    values = simulated.noisy(np.random.default_rng(0), policies=("accumulate",))
    values |= {(size, "ratio_mix", seed): 1.1 * curve for (size, _, seed), curve in values.items()}
    study = ReportContext(simulated.study(values), "x")
    assert not study.differences.empty
    assert set(study.claims["claim"]) == {"accumulate does not collapse", "ratio_mix does not collapse"}


def test_overall_growth_by_policy() -> None:
    values = simulated.noisy(np.random.default_rng(0), sizes=tuple("abcdef"), noise=0.02)
    effects = claims.effects(curves_of(simulated.study(values)))
    found = claims.overall(effects, 0, 0.95).set_index("policy")
    assert found.loc["replace", "growth"] == pytest.approx(1.0, rel=0.02)
    assert found.loc["replace", "growth_low"] < 1 < found.loc["replace", "growth_high"]
    assert found.loc["accumulate", "configurations"] == 6
