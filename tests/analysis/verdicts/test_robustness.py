"""Growth, its interval and the verdict, against simulated truth."""

import numpy as np
import pytest
from scipy import stats

from analysis.definitions.matrix import cases, findings
from analysis.stats import curves_of, detectable, ratio, runs_needed, slope, t_interval
from analysis.stats.intervals import bound_interval, ratio_interval
from analysis.verdicts import Thresholds
from analysis.verdicts.evidence import BOUND, REPLICATES, SEEDS
from analysis.verdicts.paired import differences
from analysis.verdicts.robustness import assess
from tests.support import simulated


def studies(rng: np.random.Generator, truth: np.ndarray, count: int, seeds: int, noise: float) -> dict:
    """Curves of `count` configurations: `truth` plus independent noise per seed and generation."""
    return {
        (f"{number:04d}", "replace", seed): truth + noise * rng.standard_normal(len(truth))
        for number in range(count)
        for seed in range(seeds)
    }


def test_slope_is_least_squares_even_with_gaps() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((50, 12))
    values[rng.random(values.shape) < 0.3] = np.nan
    n = np.arange(1, 13)
    for row, found in zip(values, slope(values, n), strict=True):
        held = np.isfinite(row)
        assert found == pytest.approx(stats.linregress(n[held], row[held]).slope)


def test_ratio_needs_a_positive_first_value() -> None:
    found = ratio(np.array([[1.0, 2.0, np.nan], [-1.0, 2.0, 3.0], [np.nan, 2.0, 3.0]]))
    np.testing.assert_allclose(found, [2.0, np.nan, 1.5])


def test_t_interval_is_scipys() -> None:
    values = np.random.default_rng(1).standard_normal(7) + 1
    found = t_interval(np.append(values, np.nan))
    expected = stats.ttest_1samp(values, 0.0, alternative="greater")
    assert (found.low, found.high) == pytest.approx(tuple(stats.ttest_1samp(values, 0.0).confidence_interval()))
    assert found.p_rise == pytest.approx(expected.pvalue)
    assert found.runs == 7


def test_detectable_growth_is_statsmodels_power() -> None:
    from statsmodels.stats.power import TTestPower

    for runs in (3, 5, 20):
        effect = detectable(1 / np.sqrt(runs), runs)
        assert TTestPower().power(effect, runs, 0.05) == pytest.approx(0.8, abs=1e-3)
        assert runs_needed(effect * 1.0001, 1.0) == runs
    with pytest.raises(ValueError, match=r"effect: 0\.0 must be positive"):
        runs_needed(0.0, 1.0)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_of_growth_cover_the_truth_and_constant_curves_do_not_collapse(seeds: int) -> None:
    """1,000 studies: coverage of 95 % within 93 to 97 %, at most 5 % constant curves called collapse."""
    rng = np.random.default_rng(seeds)
    constant = np.full(8, 1.0)
    found = assess(simulated.study(studies(rng, constant, 1000, seeds, 0.05)))
    assert len(found) == 1000
    covered = (found["growth_low"] <= 0) & (found["growth_high"] >= 0)
    assert 0.93 <= covered.mean() <= 0.97
    assert (found["verdict"] == "collapses").mean() <= 0.05


def test_known_laws_get_their_verdicts() -> None:
    rng = np.random.default_rng(0)
    policies = ("replace", "replace_multiple", "accumulate", "accumulate_subsample", "constant")
    values = simulated.noisy(rng, policies, tuple(f"dim {d}" for d in range(40)), seeds=5, noise=0.02)
    found = assess(simulated.study(values)).groupby("policy")["verdict"].value_counts(normalize=True)
    assert found["replace", "collapses"] == 1
    assert found["replace_multiple", "collapses"] >= 0.97
    assert found["constant", "stable"] >= 0.9
    for policy in ("accumulate", "accumulate_subsample"):
        assert found.get((policy, "collapses"), 0) == 0
        assert found[policy, "levels off"] >= 0.9


def test_too_few_seeds_decide_nothing() -> None:
    rng = np.random.default_rng(0)
    for seeds in (1, 2):
        found = assess(simulated.study(simulated.noisy(rng, seeds=seeds, noise=0.0001)))
        assert set(found["verdict"]) == {"undecided"}
        assert found["reason"].str.startswith("too few seeds").all()
    found = assess(simulated.study(simulated.noisy(rng, seeds=2, noise=0.0001)), Thresholds(min_runs=2))
    assert found.set_index("policy").loc["replace", "verdict"] == "collapses"


def test_three_generations_cannot_tell_a_bound() -> None:
    values = simulated.noisy(np.random.default_rng(0), seeds=5, generations=3, noise=0.001)
    found = assess(simulated.study(values)).set_index("policy")
    assert found.loc["replace", "verdict"] == "rises"
    assert "too few generations" in found.loc["replace", "reason"]


@pytest.mark.parametrize(
    ("rows", "reason"), [(200, "falls, and every bounded law"), (50, "10% of it is left"), (5, "10% of it is left")]
)
def test_a_variance_that_vanishes_over_hundreds_of_generations_collapses(rows: int, reason: str) -> None:
    """Under replace it is (1 − 1/rows)ⁿ on average: 13 %, 0.03 % and nothing of it are left after 400 generations."""
    rng = np.random.default_rng(rows)
    keys = [("dim 2", "replace", seed) for seed in range(20)]
    left = (1 - 1 / rows) ** np.arange(400)
    held = {key: left * (1 + 0.02 * rng.standard_normal(400)) for key in keys}
    flat = {key: 1 + 0.02 * rng.standard_normal(400) for key in keys}
    found = assess(simulated.study(flat, "gaussian", metrics={"trace_ratio": held})).set_index("metric")
    assert found.loc["trace_ratio", "verdict"] == "collapses"
    assert reason in found.loc["trace_ratio", "reason"]
    assert found.loc["test_loss", "verdict"] == "stable"


def test_slow_growth_collapses_and_bounded_growth_levels_off_over_hundreds_of_generations() -> None:
    rng = np.random.default_rng(0)
    noise = {seed: 0.01 * rng.standard_normal(400) for seed in range(10)}
    creeping = {("dim 1", "replace", seed): 1 + 0.004 * np.arange(400) + noise[seed] for seed in noise}
    assert assess(simulated.study(creeping))["verdict"].item() == "collapses"
    for policy, word in (("accumulate", "levels off"), ("accumulate_subsample", "levels off"), ("constant", "stable")):
        law = simulated.LAWS[policy](np.arange(1, 401))
        bounded = {("dim 1", policy, seed): law + noise[seed] for seed in noise}
        assert assess(simulated.study(bounded))["verdict"].item() == word


@pytest.mark.parametrize("gone", [2, 4, 5])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_group_that_holds_a_diverged_recursion_is_never_stable(gone: int, value: float) -> None:
    rng = np.random.default_rng(gone)
    keys = [("dim 1", "replace", seed) for seed in range(5)]
    held = {key: 1 + 0.01 * rng.standard_normal(12) for key in keys}
    for key in keys[:gone]:
        held[key][7:] = value
    frame = simulated.study(held)
    found = assess(frame).iloc[0]
    assert (found["verdict"], found["diverged"]) == ("diverged", gone)
    assert f"{gone} recursions went to infinity" in found["reason"]
    words = findings(cases(frame, Thresholds())).set_index("number")["word"]
    assert words[1] == words[3] == "met"


def test_words_do_not_change_when_a_constant_is_added_to_every_loss() -> None:
    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, (*simulated.LAWS,), tuple(f"dim {d}" for d in range(10)), noise=0.02)
    found = assess(simulated.study(values))
    for constant in (100.0, -3.0):
        moved = assess(simulated.study({key: curve + constant for key, curve in values.items()}))
        assert moved["verdict"].tolist() == found["verdict"].tolist()
    assert len(set(found["verdict"])) >= 3


@pytest.mark.parametrize("levels", [(0.1, 0.2, 0.3), (0.3, 0.7, 0.1, 0.6, 0.9), (1e-3, 1e6, 2 / 3), (0.0, 0.0, 0.0)])
@pytest.mark.parametrize("generations", [2, 3, 6, 10, 37])
def test_curves_that_never_move_are_stable_however_their_sums_are_rounded(
    levels: tuple[float, ...], generations: int
) -> None:
    """An accuracy that every generation keeps, or a policy of real rows alone; 0.3 ten times over "rose" by 1e-17."""
    curves = {("a", "replace", seed): np.full(generations, level) for seed, level in enumerate(levels)}
    row = assess(simulated.study(curves)).iloc[0]
    assert (row["growth"], row["growth_low"], row["growth_high"]) == (0, 0, 0)
    assert row["verdict"] == "stable"


def test_two_hundred_constant_rows_hold_no_collapse() -> None:
    """20 tables of 200 constant curves, 6 to 20 generations: none holds any "collapses"."""
    rng = np.random.default_rng(5)
    held = [assess(simulated.study(studies(rng, np.ones(6 + 2 * (i % 8)), 200, 5, 0.05))) for i in range(20)]
    assert sum((found["verdict"] == "collapses").any() for found in held) <= 1


def test_the_margin_may_be_stated_in_the_metrics_own_unit() -> None:
    rng = np.random.default_rng(0)
    keys = [("dim 1", "accumulate", seed) for seed in range(10)]
    frame = simulated.study({key: 1 + 0.01 * rng.standard_normal(10) for key in keys})
    assert assess(frame, Thresholds(absolute=0.05))["verdict"].item() == "stable"
    assert assess(frame, Thresholds(absolute=1e-6))["verdict"].item() == "undecided"


def test_growth_below_a_stated_margin_is_slow_and_not_stable() -> None:
    rng = np.random.default_rng(0)
    keys = [("dim 1", "replace", seed) for seed in range(10)]
    frame = simulated.study({key: 1 + 0.002 * np.arange(5) + 0.0005 * rng.standard_normal(5) for key in keys})
    assert assess(frame, Thresholds(absolute=0.05))["verdict"].item() == "grows slowly"


def test_a_jump_before_steady_growth_is_not_called_levelling_off() -> None:
    """Held-out losses of GPT-2 0.1M under replace, 300 rows, 8 generations: the last four steps are alike."""
    measured = (
        (4.219, 4.745, 5.001, 5.096, 5.169, 5.221, 5.271, 5.323),
        (4.239, 4.738, 4.964, 5.079, 5.167, 5.232, 5.288, 5.340),
        (4.250, 4.740, 4.966, 5.072, 5.154, 5.217, 5.278, 5.311),
    )
    found = assess(simulated.study({("0.1M", "replace", seed): np.array(row) for seed, row in enumerate(measured)}))
    assert list(found["verdict_alone"]) == ["rises"]
    assert found["reason"].str.contains("it jumped, and grows on").all()


def test_noise_that_all_seeds_share_is_said() -> None:
    """Runs from elsewhere may be judged on the same draws; of curves with noise of their own one in a thousand is."""
    rng = np.random.default_rng(0)
    truth = np.log(np.arange(1, 21))

    def said(shared: float, kind: str = "normal") -> float:
        curves = {}
        for number in range(100):
            common = truth + shared * rng.standard_normal(20)
            for seed in range(5):
                own = 0.1 * rng.standard_normal(20)
                curves[f"{number:03d}", "replace", seed] = common + (own.cumsum() if kind == "walk" else own)
        return float(
            assess(simulated.study(curves))["reason"]
            .str.contains("they share some, which no interval here holds")
            .mean()
        )

    assert said(0.2) >= 0.9
    assert said(0.0) <= 0.02
    assert said(0.0, "walk") <= 0.02


def test_a_rise_that_can_not_be_told_says_what_would_tell() -> None:
    rng = np.random.default_rng(1)
    n = np.arange(1, 11)
    keys = [("dim 1", "replace", seed) for seed in range(5)]
    found = assess(simulated.study({key: 1 + 0.2 * np.log(n) + 0.05 * rng.standard_normal(10) for key in keys}))
    assert found["verdict"].item() == "rises"
    assert "would tell" in found["reason"].item() or "far more" in found["reason"].item()


def test_a_bounded_policy_is_not_called_collapsing_for_noisy_first_values() -> None:
    rng = np.random.default_rng(0)
    law = simulated.LAWS["accumulate_subsample"](np.arange(1, 21))
    keys = [("dim 1", "accumulate_subsample", seed) for seed in range(2000)]
    found = assess(simulated.study({key: law * rng.gamma(2, 0.5, 20) for key in keys}))
    ratios = [values[-1] / values[0] for values in (law * rng.gamma(2, 0.5, 20) for _ in range(2000))]
    assert np.mean(ratios) > 4  # what a mean of ratios would say
    assert found["ratio"].item() == pytest.approx(law[-1] / law[0], rel=0.1)
    assert found["ratio_low"].item() < law[-1] / law[0] < found["ratio_high"].item()
    assert found["verdict"].item() == "levels off"


def test_theory_is_compared_only_where_it_is_known_throughout() -> None:
    rng = np.random.default_rng(0)
    law = simulated.LAWS["replace"](np.arange(1, 11))
    keys = [("dim 1", "replace", seed) for seed in range(5)]
    values = {key: law * (1 + 0.01 * rng.standard_normal(10)) for key in keys}
    for known, compared in ((law, True), (np.where(law > 5, np.nan, law), False)):
        found = assess(simulated.study(values, metrics={"theory_test_loss": dict.fromkeys(keys, known)}))
        assert np.isfinite(found["theory_growth"].item()) == compared
        assert np.isfinite(found["theory_z"].item()) == compared


def test_ratio_interval_covers_the_ratio_of_means() -> None:
    rng = np.random.default_rng(1)
    found = [ratio_interval(3 * rng.gamma(4, 0.25, 60), rng.gamma(4, 0.25, 60)) for _ in range(1000)]
    assert 0.92 < np.mean([f.low < 3 < f.high for f in found]) < 0.98


def test_shrinking_variance_is_a_collapse() -> None:
    n = np.arange(1, 51)
    rng = np.random.default_rng(0)
    keys = [("dim 1", p, s) for p in ("replace", "accumulate") for s in range(5)]
    law = {"replace": 0.99**n, "accumulate": np.cumprod(1 - 1 / (100 * n**2))}
    traces = {k: law[k[1]] * (1 + 0.005 * rng.standard_normal(50)) for k in keys}
    losses = {k: simulated.LAWS[k[1]](n) / 100 for k in keys}
    found = assess(simulated.study(losses, "gaussian", metrics={"trace_ratio": traces}))
    found = found[found["metric"] == "trace_ratio"].set_index("policy")
    assert found["verdict"].to_dict() == {"replace": "collapses", "accumulate": "stable"}
    assert found.loc["replace", "growth"] == pytest.approx(slope(law["replace"][None], n)[0], rel=0.02)
    assert found.loc["replace", "growth_low"] < found.loc["replace", "growth"] < found.loc["replace", "growth_high"] < 0


def test_replicates_are_recursions_of_their_own() -> None:
    rng = np.random.default_rng(0)
    n = np.arange(1, 11)
    walks = n + rng.standard_normal((400, 10)).cumsum(axis=1)
    frame = simulated.study({("dim 1", "replace", 0): walks.mean(axis=0)}, replicates=400)
    cell = frame["cell"].iloc[0]
    found = assess(frame, replicates={cell: {"test_loss": walks}}).iloc[0]
    expected = t_interval(slope(walks, n))
    assert (found["runs"], found["basis"]) == (400, REPLICATES)
    assert (found["growth_low"], found["growth_high"]) == pytest.approx((expected.low, expected.high))


def test_standard_errors_alone_give_a_bound_that_is_wider() -> None:
    rng = np.random.default_rng(0)
    n = np.arange(1, 11)
    walks = n + rng.standard_normal((400, 10)).cumsum(axis=1)
    key = ("dim 1", "replace", 0)
    error = walks.std(axis=0, ddof=1) / 20
    frame = simulated.study({key: walks.mean(axis=0)}, metrics={"test_loss_se": {key: error}}, replicates=400)
    found = assess(frame).iloc[0]
    exact = t_interval(slope(walks, n))
    assert found["basis"] == BOUND
    assert found["growth_low"] < exact.low < exact.high < found["growth_high"]
    assert found["verdict"] == "collapses"
    whole = bound_interval(1.0, np.array([1.0]), np.array([0.1]), 400)
    assert (whole.low, whole.high) == pytest.approx(stats.norm.interval(0.95, 1.0, 0.1))


def test_multiplicity_is_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    rng = np.random.default_rng(0)
    found = assess(simulated.study(studies(rng, np.ones(6), 40, 4, 0.1)))
    np.testing.assert_allclose(found["p_holm"], multipletests(found["p_rise"], method="holm")[1])
    np.testing.assert_allclose(found["p_bh"], multipletests(found["p_rise"], method="fdr_bh")[1])
    assert (found["p_holm"] >= found["p_rise"]).all()
    assert set(found["basis"]) == {SEEDS}


def test_a_cell_of_two_studies_counts_once() -> None:
    import pandas as pd

    values = simulated.noisy(np.random.default_rng(0), seeds=3)
    both = pd.concat([simulated.study(values, name="one"), simulated.study(values, name="two")])
    assert len(curves_of(both).runs) == 6
    assert (assess(both)["runs"] == 3).all()


def test_theory_stands_beside_the_measurement() -> None:
    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, seeds=6, noise=0.02)
    theory = {k: simulated.LAWS[k[1]](np.arange(1, 21)) for k in values}
    found = assess(simulated.study(values, metrics={"theory_test_loss": theory})).set_index("policy")
    assert found.loc["replace", "theory_growth"] == pytest.approx(1.0)
    assert found["theory_z"].abs().max() < 4


def test_paired_differences_cancel_what_seeds_share() -> None:
    """Seeds differ hugely, both policies by the same amount: the paired interval is narrow all the same."""
    rng = np.random.default_rng(0)
    n = np.arange(1, 9)
    values = {}
    for seed in range(6):
        level, tilt = 10 * rng.standard_normal(2)
        for policy, growth in (("accumulate", 0.0), ("replace", 0.5)):
            values["dim 10", policy, seed] = level + (tilt + growth) * n + 0.01 * rng.standard_normal(8)
    found = differences(simulated.study(values)).iloc[0]
    assert (found["policy"], found["other"], found["pairs"]) == ("accumulate", "replace", 6)
    assert found["growth_low"] < -0.5 < found["growth_high"] < -0.4
    assert found["last"] == pytest.approx(-4.0, abs=0.03)
    assert found["last_high"] - found["last_low"] < 0.1


def test_paired_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(3)
    n = np.arange(1, 7)
    values = {}
    for number in range(1000):
        for seed in range(4):
            tilt = rng.standard_normal()
            for policy, growth in (("accumulate", 0.0), ("replace", 0.3)):
                values[f"{number:04d}", policy, seed] = 1 + (tilt + growth) * n + 0.1 * rng.standard_normal(6)
    found = differences(simulated.study(values))
    covered = (found["growth_low"] <= -0.3) & (found["growth_high"] >= -0.3)
    assert 0.93 <= covered.mean() <= 0.97


def test_pairs_need_a_shared_seed() -> None:
    values = simulated.noisy(np.random.default_rng(0), seeds=4)
    apart = {k: v for k, v in values.items() if (k[1] == "replace") == (k[2] < 2)}
    assert differences(simulated.study(apart)).empty


def test_power_is_a_number_for_every_effect() -> None:
    """scipy's noncentral t is NaN from noncentralities of 9 on; there the integral must give what it gives below."""
    from analysis.stats.intervals import power_of

    for runs in (3, 5, 10, 50):
        found = np.array([power_of(effect, 1.0, runs) for effect in np.linspace(0.01, 20, 60)])
        assert np.isfinite(found).all()
        assert (np.diff(found) >= -1e-9).all(), "more effect is found more often"
        assert found[-1] == pytest.approx(1.0, abs=1e-9)
