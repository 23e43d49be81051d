"""The contrasts of claims by hand, how their tests are put together, and the bound on what was not found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.verdicts import Thresholds, share_bound, weigh
from analysis.verdicts.counterexamples import contrasts, late_share, tolerated

STRAIGHT = np.array([[2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [4.0, 4.0, 4.0, 4.0, 4.0, 4.0], [10.0, 8.0, 6.0, 4.0, 2.0, 0.0]])
"""Rises of 5, 0 and −10 over six generations, by the slopes of straight lines."""


def share(generations: int) -> float:
    """By plain sums: the slope over the second half times its length, over the whole rise; Σ1/i² and Σ1/i averaged."""
    found = []
    for power in (2, 1):
        law = [sum(i**-power for i in range(1, n + 1)) for n in range(1, generations + 1)]
        middle = generations // 2 - 1
        places = list(range(middle, generations))
        late = np.polyfit(places, law[middle:], 1)[0] * (generations - 1 - middle)
        found.append(late / (law[-1] - law[0]))
    return sum(found) / 2


@pytest.mark.parametrize("generations", [4, 6, 7, 20, 101])
def test_the_share_is_halfway_between_the_two_sums(generations: int) -> None:
    assert late_share(generations) == pytest.approx(share(generations))


def test_a_rise_counts_beyond_half_a_percent_a_generation_of_the_recursions_own_first_loss() -> None:
    """Five steps: 0.025 of |L₁|. Late rises: three of four steps (from generation 3 on), less their share of all."""
    rise, late = contrasts("bounded", STRAIGHT)
    assert rise.tolist() == pytest.approx([5 - 0.025 * 2, 0 - 0.025 * 4, -10 - 0.025 * 10])
    assert late.tolist() == pytest.approx([3 - share(6) * 5, 0, -6 + share(6) * 10])


def test_what_speaks_against_divergence_is_the_contrary_of_what_speaks_against_a_bound() -> None:
    for one, other in zip(contrasts("bounded", STRAIGHT), contrasts("diverges", STRAIGHT), strict=True):
        np.testing.assert_array_equal(one, -other)


def test_a_rival_is_beaten_over_the_whole_run() -> None:
    (found,) = contrasts("beats", STRAIGHT, STRAIGHT[::-1])
    assert found.tolist() == pytest.approx([5 + 10, 0, -10 - 5])


@pytest.mark.parametrize(
    ("generations", "growth"), [(1, 0.005), (2, 0.005), (100, 0.005), (101, 0.005), (201, 0.0025), (501, 0.001)]
)
def test_growth_that_refutes_nothing_is_at_most_half_of_the_first_loss_over_all(
    generations: int, growth: float
) -> None:
    assert tolerated(generations) == pytest.approx(growth)


def noisy(slope: float, runs: int = 5, generations: int = 8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 2 + slope * np.arange(generations) + 0.2 * rng.standard_normal((runs, generations))


def each_test(values: np.ndarray, assertion: str, rival: np.ndarray | None = None) -> list[tuple[float, float, float]]:
    """Mean, standard error and one-sided p of each contrast, in units of the mean first loss."""
    found = []
    for part in contrasts(assertion, values, rival):  # type: ignore[arg-type]
        own = part / abs(values[:, 0].mean())
        found.append((own.mean(), stats.sem(own), stats.ttest_1samp(own, 0, alternative="greater").pvalue))
    return found


@pytest.mark.parametrize("slope", [0.3, 0.02, -0.1])
def test_a_bound_is_refuted_by_both_of_its_tests(slope: float) -> None:
    """The weaker one decides, and its p-value is the larger."""
    values = noisy(slope)
    found, parts = weigh("bounded", values), each_test(values, "bounded")
    assert found.p == pytest.approx(max(p for *_, p in parts))
    weakest = min(parts, key=lambda part: part[0] - part[1])
    assert (found.effect.estimate, found.effect.error) == pytest.approx(weakest[:2])
    assert found.strength == pytest.approx(weakest[0] - weakest[1])


@pytest.mark.parametrize("slope", [0.3, 0.02, -0.1])
def test_divergence_is_refuted_by_either_of_its_tests_at_twice_the_price(slope: float) -> None:
    values = noisy(slope)
    found, parts = weigh("diverges", values), each_test(values, "diverges")
    assert found.p == pytest.approx(min(1.0, 2 * min(p for *_, p in parts)))
    strongest = max(parts, key=lambda part: part[0] - part[1])
    assert (found.effect.estimate, found.effect.error) == pytest.approx(strongest[:2])
    assert found.strength == pytest.approx(strongest[0] - strongest[1])


def test_the_interval_of_an_effect_has_the_confidence_that_is_asked_for() -> None:
    values, rival = noisy(0.3), noisy(0.1, seed=1)
    found = weigh("beats", values, rival, Thresholds(confidence=0.8))
    ((mean, error, p),) = each_test(values, "beats", rival)
    half = stats.t.ppf(0.9, 4) * error
    assert (found.effect.low, found.effect.high) == pytest.approx((mean - half, mean + half))
    assert found.p == pytest.approx(p)


@pytest.mark.parametrize(
    ("assertion", "fewest", "limits"), [("bounded", 7, 7), ("diverges", 7, 7), ("beats", 2, 7), ("bounded", 6, None)]
)
def test_generations_are_as_many_as_an_assertion_needs(assertion: str, fewest: int, limits: int | None) -> None:
    given = Thresholds(min_generations=limits) if limits else None
    enough = noisy(0.1, generations=fewest)
    weigh(assertion, enough, 0 * enough, given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"^generations: “{assertion}” is judged from {fewest} on, not {fewest - 1}$"):
        weigh(assertion, enough[:, :-1], 0 * enough[:, :-1], given)  # type: ignore[arg-type]


def test_losses_in_another_unit_are_the_same_evidence() -> None:
    one, thousand = weigh("bounded", noisy(0.1)), weigh("bounded", 1000 * noisy(0.1))
    assert (thousand.p, thousand.strength) == pytest.approx((one.p, one.strength))
    none = noisy(0.1) - noisy(0.1)[:, :1]
    assert np.isfinite(weigh("bounded", none).strength), "of first losses of 0 the unit is 1"


@pytest.mark.parametrize(("drawn", "suspicious"), [(10, 0), (30, 2), (200, 17), (5, 4)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_bound_is_the_share_at_which_so_few_would_be_as_rare_as_is_stated(
    drawn: int, suspicious: int, confidence: float
) -> None:
    """Clopper and Pearson: P(at most as many | the bound) = 1 − confidence."""
    bound = share_bound(drawn, suspicious, confidence)
    assert stats.binom.cdf(suspicious, drawn, bound) == pytest.approx(1 - confidence)
    assert share_bound(drawn, drawn, confidence) == share_bound(drawn, drawn + 1, confidence) == 1.0
