"""What each definition measures, by hand, and when a measure becomes a word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.definitions import MET, NOT_MET, UNDECIDED, UNSUPPORTED, Case, Measure, cases, definition, sensitivity
from analysis.stats import curves_of, laws
from analysis.testing import make_case
from analysis.verdicts import Thresholds
from tests.support import simulated


def interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return values.mean(), values.mean() - half, values.mean() + half


def ratio(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    """A ratio of means; its spread is that of above − ratio·below, over the mean of below."""
    found = above.sum() / below.sum()
    _, low, high = interval((above - found * below) / below.mean())
    return found, found + low, found + high


def measured(name: str, case: Case, threshold: float | None = None) -> tuple[float, float, float]:
    found = definition(name).find(case, threshold).measure
    assert found.runs == 4
    return found.estimate, found.low, found.high


RNG = np.random.default_rng(0)
LOSS = np.array([2.0, 3.0, 3.5, 4.0])[:, None] * np.array([1.0, 1.2, 1.1, 1.6]) + 0.1 * RNG.standard_normal((4, 4))
FIGURE = 0.5 + 0.1 * RNG.standard_normal((4, 4)) - 0.1 * np.arange(4)
"""Four recursions of four generations."""


def case(family: str = "language", **curves: np.ndarray) -> Case:
    return replace(make_case({"test_loss": LOSS} | curves), family=family)


def test_catastrophe_is_last_loss_over_so_many_times_the_first() -> None:
    for factor in (2.0, 1.1):
        expected = ratio(LOSS[:, -1], factor * LOSS[:, 0])
        assert measured("catastrophic_increase", case("toy"), factor) == pytest.approx(expected)


@pytest.mark.parametrize(("uninformed", "limit"), [(9.0, "first"), (4.0, "uninformed")])
def test_the_baseline_counts_where_it_is_less_than_so_many_times_the_mean_first_loss(
    uninformed: float, limit: str
) -> None:
    """Twice the mean first loss is 6.2."""
    held = case(uniform_loss=np.full((4, 4), uninformed))
    below = 2 * LOSS[:, 0] if limit == "first" else np.full(4, uninformed)
    assert measured("catastrophic_increase", held) == pytest.approx(ratio(LOSS[:, -1], below))


def test_first_losses_that_are_not_positive_need_a_baseline() -> None:
    below = make_case({"test_loss": LOSS - 10})
    found = definition("1").find(below)
    assert (found.word, found.measure.unsupported) == (
        UNSUPPORTED, "the first loss is not positive, and there is no baseline"
    )  # fmt: skip
    held = replace(make_case({"test_loss": LOSS - 10, "uniform_loss": np.full((4, 4), 2.0)}), family="language")
    assert measured("1", held) == pytest.approx(ratio(LOSS[:, -1] - 10, np.full(4, 2.0)))


def test_any_increase_is_of_the_mean_first_loss() -> None:
    expected = interval((LOSS[:, -1] - LOSS[:, 0]) / LOSS[:, 0].mean())
    assert measured("any_increase", case()) == pytest.approx(expected)
    negative = make_case({"test_loss": LOSS - 10})
    assert measured("2", negative) == pytest.approx(interval((LOSS[:, -1] - LOSS[:, 0]) / abs(LOSS[:, 0].mean() - 10)))
    found = definition("2").find(make_case({"test_loss": LOSS - LOSS[:, :1]}))
    assert (found.word, found.measure.unsupported) == (UNSUPPORTED, "the first loss is zero")


def test_spread_and_tail_are_shares_of_mean_first_values() -> None:
    expected = ratio(FIGURE[:, -1], FIGURE[:, 0])
    assert measured("collapsing_variance", case("gaussian", trace_ratio=FIGURE)) == pytest.approx(expected)
    assert measured("lost_tail", case("toy", tail_coverage=FIGURE)) == pytest.approx(expected)
    gone = definition("7").find(case("toy", tail_coverage=0 * FIGURE))
    assert (gone.word, gone.measure.unsupported) == (UNSUPPORTED, "tail_coverage starts at zero")
    assert definition("7").find(case()).measure.unsupported == "no measure of the tail is recorded"
    assert definition("4").find(case("linear")).measure.unsupported == "no measure of spread is recorded"


def test_what_lies_outside_grows_or_what_lies_inside_shrinks() -> None:
    rise = FIGURE[:, -1] - FIGURE[:, 0]
    assert measured("hallucinated_data", case("imported", outside_mass=FIGURE)) == pytest.approx(interval(rise))
    estimate, low, high = interval(-rise)
    assert measured("8", case("diffusion", validity=FIGURE)) == pytest.approx((estimate, low, high))
    both = case("diffusion", outside_mass=-FIGURE, validity=9 * FIGURE)
    assert measured("8", both) == pytest.approx((estimate, low, high)), "what lies outside comes first"
    assert definition("8").find(case("linear")).measure.unsupported == "no support is recorded"
    assert definition("6").find(case("linear")).measure.unsupported == "no modes are recorded"
    assert measured("6", case("toy", mode_overlap=FIGURE)) == pytest.approx(interval(rise))


def test_a_case_has_its_own_confidence() -> None:
    held = replace(case("toy", mode_overlap=FIGURE), confidence=0.8)
    assert measured("6", held) == pytest.approx(interval(FIGURE[:, -1] - FIGURE[:, 0], 0.8))


@pytest.mark.parametrize(
    ("beyond", "low", "high", "word"),
    [
        ("above", 1.01, 2.0, MET),
        ("above", 1.0, 2.0, UNDECIDED),
        ("above", 0.0, 1.2, NOT_MET),
        ("above", 0.0, 1.21, UNDECIDED),
        ("below", 0.0, 0.99, MET),
        ("below", 0.0, 1.0, UNDECIDED),
        ("below", 0.8, 2.0, NOT_MET),
        ("below", 0.79, 2.0, UNDECIDED),
        ("above", np.nan, 5.0, UNDECIDED),
    ],
)
def test_a_whole_interval_beyond_the_boundary_is_met_and_one_within_the_allowance_is_not(
    beyond: str, low: float, high: float, word: str
) -> None:
    given = Measure((low + high) / 2, low, high, boundary=1.0, allowance=0.2, runs=3)
    chosen = replace(definition("1"), beyond=beyond, measure=lambda case, threshold: given)  # type: ignore[arg-type]
    held = case()
    assert chosen.find(held).word == word
    assert chosen.find(replace(held, min_runs=4)).word == UNDECIDED
    for changed, other in (
        (replace(given, diverged=True, runs=1), MET),
        (replace(given, unsupported="x"), UNSUPPORTED),
    ):
        assert replace(chosen, measure=lambda case, threshold, changed=changed: changed).find(held).word == other  # type: ignore[misc]


def test_no_increase_may_be_a_hundredth_of_the_first_loss() -> None:
    rise = np.array([0.0, 0.005, 0.002, 0.003])
    flat = np.stack([np.ones(4), 1 + rise], axis=1)
    found = definition("2").find(make_case({"test_loss": flat}))
    assert (found.measure.allowance, found.word) == (0.01, NOT_MET)
    assert definition("2").find(make_case({"test_loss": flat + np.array([0, 0.006])})).word == MET
    assert found.measure.high <= 0.01 < found.measure.high + 0.006


@pytest.mark.parametrize("name", ["1", "2"])
def test_what_went_to_infinity_has_increased_without_an_interval(name: str) -> None:
    gone = LOSS.copy()
    gone[1, -1] = np.inf
    found = definition(name).find(make_case({"test_loss": gone}))
    assert (found.word, found.measure.estimate, found.measure.runs) == (MET, np.inf, 4)
    assert found.measure.boundary == found.threshold if name == "2" else found.measure.boundary == 1.0


N = np.arange(1.0, 13)


@pytest.mark.parametrize(
    ("curve", "word", "score"),
    [(N / 5, MET, (0.95, 1.0)), (np.cumsum(1 / N**2), NOT_MET, (-1.0, -0.95)), (0 * N, NOT_MET, (-1.0, -0.95)),
     (-N / 5, NOT_MET, (-1.0, -0.95))],
    ids=["line", "sums", "flat", "fall"],
)  # fmt: skip
def test_divergence_is_scored_by_how_surely_a_class_is_excluded(
    curve: np.ndarray, word: str, score: tuple[float, float]
) -> None:
    values = 1 + curve + 0.01 * np.random.default_rng(0).standard_normal((8, 12))
    found = definition("3").find(make_case({"test_loss": values}))
    assert found.word == word
    assert score[0] <= found.measure.estimate <= score[1]
    assert found.measure.low == found.measure.high == found.measure.estimate
    assert found.measure.boundary == 0.95


def test_what_is_not_decided_spans_all_that_a_score_may_be() -> None:
    values = 1 + 0.5 * np.random.default_rng(3).standard_normal((5, 12)) + 0.12 * N
    found = definition("3").find(make_case({"test_loss": values}))
    assert found.word == UNDECIDED
    assert (found.measure.low, found.measure.high) == (-1.0, 1.0)
    assert -1 < found.measure.estimate < 1
    short = definition("3").find(make_case({"test_loss": values[:, :4]}))
    assert (short.word, short.measure.unsupported) == (UNSUPPORTED, "needs 5 generations")
    gone = values[:, :4].copy()
    gone[0, -1] = np.inf
    assert definition("3").find(make_case({"test_loss": gone})).word == MET


def test_a_ladders_figures_are_relative_and_its_interval_the_larger_distance() -> None:
    """Exponents move by −0.1 of 0.4, floors by 0.5 of 2."""
    rng = np.random.default_rng(0)
    values = {
        (f"{size:.0f}", "replace", seed): np.array([2 + 50 * size**-0.4, 2.5 + 50 * size**-0.3])
        + 0.002 * rng.standard_normal(2)
        for size in np.geomspace(1e4, 1e6, 5)
        for seed in range(3)
    }
    frame = simulated.study(values, "language")
    frame = frame.assign(parameters=frame["size"].astype(float))
    held = cases(frame, Thresholds())
    first, last = laws(curves_of(frame), "language").to_dict("records")
    parts = [
        [last[f"{name}_change{end}"] / abs(first[name]) for end in ("", "_low", "_high")] for name in ("alpha", "floor")
    ]
    found = definition("5").find(held[0])
    assert found.word == MET
    assert found.measure.estimate == pytest.approx(max(abs(part[0]) for part in parts))
    assert found.measure.low == pytest.approx(max(max(low, -high) for _, low, high in parts))
    assert found.measure.high == pytest.approx(max(max(-low, high) for _, low, high in parts))
    assert (found.measure.runs, found.measure.boundary, found.measure.allowance) == (15, 0.0, 0.1)
    assert {definition("5").find(one).measure.estimate for one in held} == {found.measure.estimate}, "all of a ladder"
    none = definition("5").find(replace(held[0], scaling={}))
    assert none.measure.unsupported == "needs 4 sizes that differ in nothing else"


def test_sensitivity_counts_supported_cases_at_every_threshold() -> None:
    def one(policy: str, last: float, noise: float = 0.001) -> Case:
        start = 1 + noise * np.random.default_rng(0).standard_normal((4, 1))
        return replace(
            make_case({"test_loss": LOSS, "mode_overlap": np.hstack([start, start + last])}, policy), family="toy"
        )

    held = [one("a", 0.03), one("a", 0.3), one("b", 0.0), replace(case("linear"), policy="b")]
    found = sensitivity(held)
    own = found[found["number"] == 6].set_index(["policy", "threshold"])
    assert own["supported"].to_dict() == {
        (p, t): n for p, n in (("a", 2), ("b", 1)) for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
    }
    assert own.loc["a", "met"].tolist() == [1, 1, 0.5, 0.5, 0.5, 0]
    assert own.loc["b", "met"].tolist() == [0] * 6
    assert own["undecided"].eq(0).all()
