"""Random effects over configurations, recomputed from their definitions, and what a row of claims is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from statsmodels.stats.proportion import proportion_confint

from analysis.data import configurations
from analysis.stats import curves_of
from analysis.verdicts import claims
from tests.support import simulated

GROUPS = [
    np.array([1.0, 1.4, 0.9, 1.1]),
    np.array([2.0, 2.6, 2.2]),
    np.array([0.1, -0.2, 0.4, 0.3, 0.1]),
    np.array([1.5, 1.2, np.nan]),
    np.array([1.8, 1.2, 1.6]),
]


def moderated(groups: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Means, and variances of means: each group's drawn towards the pooled one, that counts for four of its degrees."""
    held = [g[np.isfinite(g)] for g in groups]
    pooled = sum(((g - g.mean()) ** 2).sum() for g in held) / sum(len(g) - 1 for g in held)
    variances = [(4 * pooled + ((g - g.mean()) ** 2).sum()) / (4 + len(g) - 1) / len(g) for g in held]
    return np.array([g.mean() for g in held]), np.array(variances)


def weighted(means: np.ndarray, variances: np.ndarray, tau2: float) -> tuple[float, float]:
    """The weighted mean, and Cochran's Q about it."""
    weights = 1 / (variances + tau2)
    mean = float((weights * means).sum() / weights.sum())
    return mean, float((weights * (means - mean) ** 2).sum())


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_pooled_growth_is_paule_and_mandels_with_hartung_and_knapps_interval(confidence: float) -> None:
    """τ² is where the weighted squares about the mean are as many as there are degrees of freedom."""
    means, variances = moderated(GROUPS)
    count = len(means)
    tau2 = optimize.brentq(lambda t: weighted(means, variances, t)[1] - (count - 1), 0, 10)
    mean, squares = weighted(means, variances, tau2)
    error = (squares / (count - 1) / (1 / (variances + tau2)).sum()) ** 0.5
    half = stats.t.ppf((1 + confidence) / 2, count - 1) * error
    _, q = weighted(means, variances, 0.0)
    found = claims.heterogeneity(GROUPS, confidence)
    assert found["pooled"] == pytest.approx(mean, rel=1e-3)
    assert (found["pooled_low"], found["pooled_high"]) == pytest.approx((mean - half, mean + half), rel=5e-3)
    assert found["tau"] == pytest.approx(tau2**0.5, rel=5e-3)
    assert found["i2"] == pytest.approx(1 - (count - 1) / q)
    assert found["p_heterogeneity"] == pytest.approx(stats.chi2.sf(q, count - 1))


def test_configurations_that_differ_by_less_than_noise_do_not_differ() -> None:
    groups = [np.array([0.0, 1.0, 2.0]) + shift for shift in (0.0, 0.01, 0.02)]
    found = claims.heterogeneity(groups)
    assert (found["tau"], found["i2"]) == (pytest.approx(0, abs=1e-4), 0)
    assert found["p_heterogeneity"] > 0.99
    assert found["pooled"] == pytest.approx(1.01)


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [np.array([1.0, 2.0])],
        [np.array([1.0, 2.0]), np.array([3.0])],
        [np.array([1.0, 2.0]), np.array([3.0, 3.0])],
        [np.array([1.0, 2.0]), np.array([np.nan, 3.0])],
    ],
)
def test_fewer_than_two_configurations_with_a_spread_say_nothing(groups: list[np.ndarray]) -> None:
    found = claims.heterogeneity(groups)
    assert set(found) == {"pooled", "pooled_low", "pooled_high", "tau", "i2", "p_heterogeneity"}
    assert np.isnan(list(found.values())).all()


def test_a_unit_of_growth_scales_what_is_in_it_and_no_share() -> None:
    one, hundred = claims.heterogeneity(GROUPS), claims.heterogeneity([100 * g for g in GROUPS])
    for name in ("pooled", "pooled_low", "pooled_high", "tau"):
        assert hundred[name] == pytest.approx(100 * one[name], rel=0.01)
    for name in ("i2", "p_heterogeneity"):
        assert hundred[name] == pytest.approx(one[name])


def curves(values: dict[tuple[str, str, int], np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    return claims.effects(curves_of(simulated.study(values)))


def test_an_effect_is_a_slope_over_the_size_of_the_configurations_first_loss() -> None:
    """First losses −4 and −2: their mean is 3 in size; slopes 1 and 3."""
    n = np.arange(4.0)
    found = curves({("a", "replace", 0): -4 + n, ("a", "replace", 1): -2 + 3 * n, ("b", "accumulate", 0): 0 * n})
    assert found["replace"][next(iter(found["replace"]))].tolist() == pytest.approx([1 / 3, 1.0])
    assert "accumulate" not in found, "a share of 0 is none"
    gone = curves({("a", "replace", 0): n + 1, ("a", "replace", 1): np.array([1.0, 2.0, np.inf, np.inf])})
    assert gone == {}


def test_policies_stand_in_their_order_with_their_own_configurations() -> None:
    held = {
        "accumulate": {"a": np.array([0.0, 0.1])},
        "replace": {"a": np.array([1.0, 1.2]), "b": np.array([2.0, 2.2])},
    }
    found = claims.overall(held, 0, 0.95)
    assert found["policy"].tolist() == ["replace", "accumulate"]
    assert found["configurations"].tolist() == [2, 1]
    assert found["growth"].tolist() == pytest.approx([1.6, 0.05])
    assert found[["growth_low", "growth_high"]].isna().all(axis=None), "below four configurations"
    assert found["pooled"].isna().tolist() == [False, True]


def assessment(**words: list[str]) -> pd.DataFrame:
    """Entries of held-out loss by policy: one configuration each word; growth is 0.1 · place."""
    rows = [
        {"config": f"c{i}", "policy": policy, "metric": "test_loss", "verdict": word, "growth_relative": 0.1 * i}
        | {"diverged": int(word == "diverged")}
        for policy, held in words.items()
        for i, word in enumerate(held)
    ]
    return pd.DataFrame(rows)


NAMES = configurations(
    pd.DataFrame(
        {
            "config": [f"c{i}" for i in range(9)],
            "family": "toy",
            "architecture": "",
            "size": [f"dim {i}" for i in range(9)],
        }
    )
)


def summary(table: pd.DataFrame, differences: pd.DataFrame | None = None) -> pd.DataFrame:
    found = claims.summary(table, pd.DataFrame() if differences is None else differences, NAMES, 0.9)
    return found.set_index("claim")


EVERY = ["diverged", "separated", "collapses", "rises", "grows slowly", "levels off", "stable", "undecided"]


def test_every_word_speaks_for_or_against_each_claim_or_for_neither() -> None:
    """What has separated, risen or grown slowly has not been shown to collapse, and degraded only where it grew."""
    found = summary(assessment(replace=EVERY, accumulate=EVERY))
    counts = found[["holds", "refuted", "undecided"]]
    assert counts.loc["replace collapses"].tolist() == [2, 2, 4]
    assert counts.loc["replace degrades"].tolist() == [5, 1, 2]
    assert counts.loc["accumulate does not collapse"].tolist() == [2, 2, 4]
    assert (found["configurations"] == 8).all()


def test_shares_have_wilsons_interval() -> None:
    """3 of 8 at 90 %: centre (3 + z²/2)/(8 + z²)."""
    row = summary(assessment(replace=["collapses"] * 3 + ["stable"] * 5)).loc["replace collapses"]
    z2 = stats.norm.ppf(0.95) ** 2
    centre, half = (3 + z2 / 2) / (8 + z2), (z2 * 3 * 5 / 8 + z2**2 / 4) ** 0.5 / (8 + z2)
    assert row[["share", "share_low", "share_high"]].tolist() == pytest.approx([3 / 8, centre - half, centre + half])
    assert (centre - half, centre + half) == pytest.approx(proportion_confint(3, 8, 0.1, "wilson"))


def test_the_weakest_of_a_claim_is_nearest_to_its_contrary() -> None:
    """The least growth where a policy should collapse, the most where it should not; what diverged grew without end."""
    found = summary(assessment(replace=["collapses", "diverged", "rises"], accumulate=["stable", "diverged", "rises"]))
    weakest = found[["weakest", "weakest_effect", "weakest_verdict"]]
    assert weakest.loc["replace collapses"].tolist() == ["toy · dim 0", 0.0, "collapses"]
    assert weakest.loc["replace degrades"].tolist() == ["toy · dim 0", 0.0, "collapses"]
    assert weakest.loc["accumulate does not collapse"].tolist() == ["toy · dim 1", np.inf, "diverged"]


def difference(policy: str, other: str, low: float, high: float, gone: tuple[int, int] = (0, 0)) -> dict[str, object]:
    lost = any(gone)
    ends = {"growth": (low + high) / 2, "growth_low": low, "growth_high": high}
    return {"metric": "test_loss", "policy": policy, "other": other, "diverged": gone[0], "other_diverged": gone[1]} | (
        dict.fromkeys(ends, np.nan) if lost else ends
    )


def beaten(*rows: dict[str, object]) -> pd.Series:
    table = pd.DataFrame([{"config": f"c{i}"} | row for i, row in enumerate(rows)])
    found = summary(assessment(replace=["stable"]), table)
    return found.loc[next(claim for claim in found.index if "beats" in claim)]


def test_a_rival_is_beaten_where_the_interval_says_so_whoever_stands_first() -> None:
    row = beaten(
        difference("accumulate", "replace", -3, -1),
        difference("replace", "sliding_window", 1, 3) | {"other": "accumulate"},
        difference("accumulate", "replace", -1, 0),
        difference("replace", "accumulate", -3, -1),
    )
    assert row[["holds", "refuted", "undecided"]].tolist() == [2, 1, 1]
    assert row[["weakest", "weakest_effect", "weakest_verdict"]].tolist() == ["toy · dim 3", 2.0, "worse"]


@pytest.mark.parametrize(
    ("pair", "gone", "counts"),
    [
        (("accumulate", "replace"), (1, 0), [0, 1, 0]),
        (("accumulate", "replace"), (0, 1), [1, 0, 0]),
        (("replace", "zebra"), (2, 0), [1, 0, 0]),
        (("replace", "zebra"), (0, 2), [0, 1, 0]),
        (("accumulate", "replace"), (1, 1), [0, 0, 1]),
    ],
)
def test_who_diverges_alone_has_lost_and_who_does_together_has_not(
    pair: tuple[str, str], gone: tuple[int, int], counts: list[int]
) -> None:
    assert beaten(difference(*pair, -1, 1, gone))[["holds", "refuted", "undecided"]].tolist() == counts


def test_differences_of_others_or_of_other_metrics_are_no_claim_beside_the_rival() -> None:
    rows = [difference("accumulate", "zebra", -3, -1), difference("accumulate", "replace", -3, -1) | {"metric": "x"}]
    table = pd.DataFrame([{"config": "c0"} | row for row in rows])
    assert set(summary(assessment(replace=["stable"]), table).index) == {"replace collapses", "replace degrades"}


def test_nothing_judged_makes_no_claim() -> None:
    none = assessment(replace=["stable"]).iloc[:0]
    assert claims.summary(none, pd.DataFrame(), NAMES, 0.95).empty


def test_growth_that_is_unknown_names_no_weakest() -> None:
    table = assessment(replace=["undecided"]).assign(growth_relative=np.nan)
    row = summary(table).loc["replace collapses"]
    assert (row["weakest_verdict"], row["holds"], row["undecided"]) == ("", 0, 1)
    assert np.isnan(row["weakest_effect"])
