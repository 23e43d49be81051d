"""Evidence of cells that are known by means and standard errors alone, and of metrics that fall or have no mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.stats import Curves, curves_of, exclusion, slope
from analysis.stats.intervals import median_interval
from analysis.verdicts import Thresholds, gather
from analysis.verdicts.evidence import BOUND, MEDIAN, REPLICATES, SEEDS
from analysis.verdicts.robustness import assess
from tests.support import simulated

N = np.arange(1.0, 11)


def cells(means: np.ndarray, errors: np.ndarray, replicates: int = 50) -> Curves:
    """A cell per row, of whose replicates the mean and its standard error are known at each generation."""
    values = {("a", "replace", seed): row for seed, row in enumerate(means)}
    held = {("a", "replace", seed): row for seed, row in enumerate(errors)}
    return curves_of(simulated.study(values, metrics={"test_loss_se": held}, replicates=replicates))


def test_two_seeds_errors_are_bounded_as_if_a_recursions_generations_were_one() -> None:
    """The error of the mean of two seeds at a generation is √(se₁² + se₂²)/2; of a slope it is at most Σ|w_n| times."""
    means, errors = np.stack([N, 2 + N]), np.stack([0.03 + 0 * N, 0.04 + 0 * N])
    evidence, basis = gather(cells(means, errors), 1, Thresholds())
    weights = (N - 5.5) / ((N - 5.5) ** 2).sum()
    error = np.abs(weights).sum() * 0.025
    assert basis == BOUND
    assert evidence.growth.estimate == pytest.approx(1.0)
    assert evidence.growth.error == pytest.approx(error)
    assert evidence.growth.low == pytest.approx(1 - 1.959964 * error)
    assert evidence.growth.runs == 100, "replicates of both"
    assert evidence.highest == pytest.approx(evidence.growth.high * 9)
    assert evidence.margin == pytest.approx(2**0.5 * (100 * 2 * 0.025**2) ** 0.5)
    bounded, diverging = exclusion.bounds(means.mean(axis=0), 0.025 + 0 * N)
    assert evidence.p_collapses == pytest.approx(max(2 * evidence.growth.p_rise, bounded))
    assert evidence.p_levels == pytest.approx(max(2 * evidence.growth.p_rise, diverging))
    stated, _ = gather(cells(means, errors), 1, Thresholds(absolute=0.7))
    assert stated.margin == 0.7


def test_generations_at_which_a_seed_is_unknown_take_no_part_in_the_bound() -> None:
    means, errors = np.stack([N, N]), np.full((2, 10), 0.02)
    means[1, 8:], errors[0, 0] = np.nan, np.nan
    found = gather(cells(means, errors), 1, Thresholds())[0].growth
    n = N[1:8]
    weights = (n - n.mean()) / ((n - n.mean()) ** 2).sum()
    assert found.error == pytest.approx(np.abs(weights).sum() * (2 * 0.02**2) ** 0.5 / 2)


@pytest.mark.parametrize("case", ["without error", "short"])
def test_errors_that_are_none_and_curves_that_are_short_exclude_no_law(case: str) -> None:
    length = 3 if case == "short" else 10
    errors = np.full((1, length), 0.01)
    errors[0, 2] = 0.0 if case == "without error" else 0.01
    evidence, basis = gather(cells(N[None, :length], errors), 1, Thresholds())
    assert basis == BOUND
    assert evidence.growth.low > 0
    assert (evidence.p_collapses, evidence.p_levels) == (1.0, 1.0)


def test_enough_seeds_need_no_errors() -> None:
    rng = np.random.default_rng(0)
    means = N + 0.1 * rng.standard_normal((3, 10))
    evidence, basis = gather(cells(means, np.full((3, 10), 0.01)), 1, Thresholds())
    assert (basis, evidence.growth.runs) == (SEEDS, 3)
    assert gather(cells(means, np.full((3, 10), 0.01)), 1, Thresholds(min_runs=4))[1] == BOUND


def seeds(curves: np.ndarray, **more: object) -> Curves:
    held = simulated.study({("a", "replace", seed): curve for seed, curve in enumerate(curves)})
    return curves_of(held.assign(**more))


def test_of_infinite_means_medians_are_judged() -> None:
    rng = np.random.default_rng(0)
    curves = 1 + 0.1 * N * rng.exponential(1.0, (12, 1))
    found, basis = gather(seeds(curves, infinite_mean=1.0), 1, Thresholds())
    expected = median_interval(slope(curves, np.arange(10)))
    assert basis == SEEDS + MEDIAN
    assert (found.growth.estimate, found.growth.low) == pytest.approx((expected.estimate, expected.low))
    assert found.ratio.estimate == pytest.approx(np.median(curves[:, -1] / curves[:, 0]))
    assert gather(seeds(curves), 1, Thresholds())[1] == SEEDS


def test_of_what_falls_for_the_worse_growth_is_the_fall_and_what_is_left_has_a_bound() -> None:
    rng = np.random.default_rng(0)
    curves = 10 - 0.5 * N + 0.05 * rng.standard_normal((5, 10))
    found, _ = gather(seeds(curves), -1, Thresholds())
    assert found.growth.estimate == pytest.approx(0.5, abs=0.02)
    assert found.left == found.ratio.high
    assert found.ratio.estimate == pytest.approx(curves[:, -1].mean() / curves[:, 0].mean())
    assert np.isnan(gather(seeds(curves), 1, Thresholds())[0].left)


def test_what_halves_each_time_is_a_line_on_the_scale_of_its_logarithm() -> None:
    """As a variance under replace: to 0, which is a bound of the figure and none of its logarithm."""
    rng = np.random.default_rng(0)
    curves = np.exp(-0.1 * N + 0.01 * rng.standard_normal((6, 10)))
    found, _ = gather(seeds(curves), -1, Thresholds())
    expected = exclusion.exclude(-np.log(curves)[None])
    rise = 2 * found.growth.p_rise
    assert (expected.described.item(), expected.bounded_described.item()) == (True, False), "no bounded law meets it"
    assert found.p_collapses == pytest.approx(max(rise, expected.p_bounded[0]))
    assert found.p_levels == 1.0
    assert found.p_collapses < 0.01
    through = curves - 0.4  # below 0 there is no logarithm
    assert gather(seeds(through), -1, Thresholds())[0].p_collapses > found.p_collapses


def test_replicates_are_said_to_be_what_it_rests_on() -> None:
    frame = simulated.study({("a", "replace", 0): N}, replicates=4)
    held = np.stack([N + i * 0.1 * np.sin(N) for i in range(4)])
    found, basis = gather(curves_of(frame, replicates={frame["cell"].iloc[0]: held}), 1, Thresholds())
    assert (basis, found.growth.runs) == (REPLICATES, 4)


def test_what_would_tell_is_said_in_recursions_and_generations() -> None:
    rng = np.random.default_rng(1)
    curves = 1 + 0.2 * np.log(N) + 0.05 * rng.standard_normal((5, 10))
    found, _ = gather(seeds(curves), 1, Thresholds())
    runs, generations = found.needed
    parts = [f"{generations} generations"] * bool(generations) + [f"{runs} recursions in place of 5"] * bool(runs)
    assert parts
    assert found.more == f"about {' or '.join(parts)} would tell"
    short, _ = gather(seeds(curves[:, :3]), 1, Thresholds())
    assert (short.more, short.needed, short.excluded) == ("", (0, 0), ())


def test_groups_of_too_few_recursions_exclude_nothing() -> None:
    found, _ = gather(seeds(np.stack([N, N + 0.01 * np.sin(N)])), 1, Thresholds())
    assert (found.p_collapses, found.p_levels, found.excluded) == (1.0, 1.0, ())
    enough, _ = gather(seeds(np.stack([N, N + 0.01 * np.sin(N)])), 1, Thresholds(min_runs=2))
    assert enough.p_collapses < 1


def third_differences(values: np.ndarray) -> float:
    """p of the mean's roughness against recursions' own, after two generations: F of count and count·(runs − 1), where
    independent errors' third differences are worth 1/2.31 of their number."""
    rough = np.array([[row[i + 3] - 3 * row[i + 2] + 3 * row[i + 1] - row[i] for i in range(2, 9)] for row in values])
    runs, count = len(values), 7 / 2.31
    own = rough.var(axis=0, ddof=1).sum()
    return float(stats.f.sf(runs * (rough.mean(axis=0) ** 2).sum() / own, count, count * (runs - 1)))


@pytest.mark.parametrize(("size", "said"), [(0.0, False), (0.3, True)])
def test_noise_that_all_recursions_share_is_said_from_one_in_a_thousand_on(size: float, said: bool) -> None:
    rng = np.random.default_rng(2)
    values = np.log(np.arange(1.0, 13)) + size * rng.standard_normal(12) + 0.1 * rng.standard_normal((6, 12))
    assert (third_differences(values) < 1e-3) == said
    found = assess(simulated.study({("a", "replace", seed): row for seed, row in enumerate(values)}))
    assert found["reason"].str.contains("they share some").tolist() == [said]


def test_a_table_counts_cells_that_ended_failed_or_were_stopped() -> None:
    """Of six cells one is short, two failed (of which one is tried again), one was stopped."""
    rng = np.random.default_rng(0)
    rows = {("a", "replace", seed): (1 + 0.01 * rng.standard_normal(8))[: 5 if seed == 0 else 8] for seed in range(6)}
    status = {0: "done", 1: "failed", 2: "failed, to be tried again", 3: "stopped_early", 4: "done", 5: "done"}
    frame = simulated.study(rows)
    row = assess(frame.assign(status=frame["seed"].map(status))).iloc[0]
    assert row[["seeds", "runs", "short", "failed", "stopped", "generations", "diverged"]].tolist() == [
        6,
        6,
        1,
        2,
        1,
        8,
        1,
    ]
    assert row["reason"].endswith("; a scheduler stopped 1 of 6 cells, judged over the 8 generations of all")


def test_a_row_stands_in_the_metrics_own_direction_and_compares_with_its_theory() -> None:
    rng = np.random.default_rng(0)
    keys = [("a", "replace", seed) for seed in range(5)]
    falls = {key: 10 - 0.5 * N + 0.05 * rng.standard_normal(10) for key in keys}
    theory = dict.fromkeys(keys, 10 - 0.45 * N)
    flat = {key: 1 + 0.01 * rng.standard_normal(10) for key in keys}
    table = assess(simulated.study(flat, "gaussian", metrics={"trace_ratio": falls, "theory_trace_ratio": theory}))
    row = table[table["metric"] == "trace_ratio"].iloc[0]
    slopes = slope(np.stack([falls[key] for key in keys]), np.arange(10))
    assert row["growth"] == pytest.approx(slopes.mean())
    assert row["growth_low"] < row["growth"] < row["growth_high"] < 0
    assert row["growth_relative"] == pytest.approx(slopes.mean() / row["first"])
    assert row["theory_growth"] == pytest.approx(-0.45)
    assert row["theory_z"] == pytest.approx((slopes.mean() + 0.45) / stats.sem(slopes))
    assert row["p_rise"] == pytest.approx(stats.ttest_1samp(-slopes, 0, alternative="greater").pvalue)
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"]


def test_adjustments_are_over_the_rows_of_a_metric_and_words_over_all() -> None:
    rng = np.random.default_rng(0)
    keys = [(f"dim {d}", "replace", seed) for d in range(3) for seed in range(4)]
    losses = {key: 1 + 0.01 * rng.standard_normal(8) for key in keys}
    traces = {key: 1 + 0.01 * rng.standard_normal(8) for key in keys}
    table = assess(simulated.study(losses, "gaussian", metrics={"trace_ratio": traces}))
    for _, own in table.groupby("metric"):
        p = own["p_rise"].to_numpy()
        rising = np.sort(p)
        holm = np.minimum(1, np.maximum.accumulate(rising * [3, 2, 1]))
        hochberg = np.minimum(1, np.minimum.accumulate((rising * [3, 1.5, 1])[::-1])[::-1])
        np.testing.assert_allclose(np.sort(own["p_holm"]), holm)
        np.testing.assert_allclose(np.sort(own["p_bh"]), hochberg)
    alone = assess(simulated.study(losses, "gaussian", metrics={"trace_ratio": traces}), Thresholds(corrected=False))
    assert alone["verdict"].tolist() == alone["verdict_alone"].tolist()


def test_a_word_that_the_correction_takes_is_said_beside_what_is_left() -> None:
    """One row rises clearly; among forty it is not clear enough."""
    rng = np.random.default_rng(5)
    curve = {("dim 0", "replace", seed): 1 + 0.05 * N + 0.05 * rng.standard_normal(10) for seed in range(3)}
    others = {
        (f"dim {d}", "replace", seed): 1 + 0.05 * rng.standard_normal(10) for d in range(1, 40) for seed in range(3)
    }
    alone = assess(simulated.study(curve))["verdict"].item()
    table = assess(simulated.study(curve | others)).set_index("size")
    row = table.loc["dim 0"]
    assert (alone, row["verdict_alone"], row["verdict"]) == ("collapses", "collapses", "rises")
    assert row["reason"].endswith("; collapses but for the correction over 40 rows")
