"""What the evidence excludes: every statistic by plain least squares, and what does not depend on units or order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.stats import exclusion, law_set
from analysis.stats.exclusion import bounds, exclude, excluded, needed
from analysis.stats.law_set import BOUNDED, DIVERGING
from analysis.stats.noise import Noise

G, RUNS = 10, 4
N = np.arange(1.0, G + 1)


def curves(law: np.ndarray, deviation: float, seed: int = 0, runs: int = RUNS) -> np.ndarray:
    return (law + deviation * np.random.default_rng(seed).standard_normal((runs, len(law))))[None]


def residual(rival: np.ndarray, law: np.ndarray) -> np.ndarray:
    """What a level and a multiple of a law leave of its rival, to unit length."""
    design = np.column_stack([np.ones(len(law)), law])
    left = rival - design @ np.linalg.lstsq(design, rival, rcond=None)[0]
    size = np.linalg.norm(left)
    return left / size if size > 1e-6 * np.linalg.norm(rival - rival.mean()) else 0 * left


def by_hand(values: np.ndarray, laws: tuple[law_set.Law, ...], rivals: tuple[law_set.Law, ...]) -> np.ndarray:
    """Of independent errors: mean contrast in standard errors, [rivals, laws]. The variance is the contrast's own over
    recursions and that of all deviations, weighed by their degrees of freedom."""
    runs, generations = values.shape
    apart = values - values.mean(axis=0)
    level_free = apart - apart.mean(axis=1, keepdims=True)
    model = (level_free**2).sum() / ((runs - 1) * (generations - 1))
    prior, own = min((runs - 1) * (generations - 2) / 2, 8 * (runs - 1)), runs - 1
    found = np.empty((len(rivals), len(laws)))
    for r, rival in enumerate(rivals):
        for i, law in enumerate(laws):
            each = values @ residual(rival.shape, law.shape)
            variance = (prior * model + own * each.var(ddof=1)) / (prior + own)
            found[r, i] = each.mean() / np.sqrt(variance / runs)
    return found


@pytest.mark.parametrize(("truth", "deviation"), [(N, 0.6), (np.cumsum(1 / N**2), 0.05), (0 * N, 1.0)])
def test_a_class_is_excluded_as_strongly_as_its_best_rival_excludes_its_most_stubborn_law(
    truth: np.ndarray, deviation: float
) -> None:
    """One-sided t of the moderated freedom, times what the choice of a rival costs at ten generations: 1.6 and 5."""
    values = curves(truth, deviation, seed=3)
    found = exclude(values)
    assert found.noise.model.tolist() == [0], "independent errors"
    freedom = min(3 * 8 / 2, 8 * 3) + 3
    assert found.freedom.tolist() == [freedom]
    for kind, own, cost in ((BOUNDED, law_set.bounded(G), 1.6), (DIVERGING, law_set.diverging(G), 5.0)):
        rivals = law_set.rivals(DIVERGING if kind == BOUNDED else BOUNDED, G)
        strength = by_hand(values[0], own, rivals)
        whole = strength.min(axis=1).max()
        each = np.minimum(1, stats.t.sf(strength.max(axis=0), freedom) * cost)
        assert getattr(found, f"strength_{kind}")[0] == pytest.approx(whole, rel=1e-6, abs=1e-8)
        assert getattr(found, f"p_{kind}")[0] == pytest.approx(min(1, stats.t.sf(whole, freedom) * cost), rel=1e-6)
        np.testing.assert_allclose(getattr(found, f"p_each_{kind}")[0], each, rtol=1e-6)


FIGURES = ("p_bounded", "p_diverging", "p_each_bounded", "p_each_diverging", "described", "bounded_described")


@pytest.mark.parametrize(
    "change",
    [lambda v: 1000 * v, lambda v: v - 7, lambda v: v[:, ::-1], lambda v: v + np.arange(RUNS)[:, None]],
    ids=["unit", "level", "order of recursions", "a level of each recursion"],
)
@pytest.mark.parametrize("truth", [N, np.cumsum(1 / N**2), 1 - np.exp(1 - N) + N / 20], ids=["line", "sums", "jump"])
def test_neither_units_nor_levels_nor_order_exclude_anything(truth, change) -> None:  # type: ignore[no-untyped-def]
    values = curves(truth, 0.03, seed=3)
    one, other = exclude(values), exclude(change(values))
    for name in FIGURES:
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-9)


def test_a_curve_that_is_turned_over_excludes_nothing_by_growth() -> None:
    up, down = exclude(curves(N, 0.3)), exclude(-curves(N, 0.3))
    assert up.p_bounded[0] < 0.01
    assert down.p_bounded[0] == 1.0


def test_a_family_of_laws_is_excluded_only_as_a_whole() -> None:
    found = exclude(curves(N, 0.6))
    bounded, diverging = law_set.bounded(G), law_set.diverging(G)
    p_bounded, p_diverging = np.full(len(bounded), 0.01), np.full(len(diverging), 0.2)
    powers = [i for i, law in enumerate(diverging) if law.family == "power"]
    p_diverging[powers] = 0.04
    stubborn = next(i for i, law in enumerate(bounded) if law.family == "late plateau")
    p_bounded[stubborn] = 0.05
    held = replace(found, p_each_bounded=p_bounded[None], p_each_diverging=p_diverging[None])
    assert excluded(held, 0, G) == ("geometric approach", "power approach", "Σ1/i²", "power")
    assert excluded(held, 0, G, level=0.06) == (
        "geometric approach",
        "power approach",
        "Σ1/i²",
        "late plateau",
        "power",
    )
    p_diverging[powers[-1]] = 0.06
    assert "power" not in excluded(replace(held, p_each_diverging=p_diverging[None]), 0, G)


def missing(bounded: float, diverging: float, described: bool = True, kept: bool = True) -> exclusion.Exclusion:
    """An exclusion whose tests lack these factors on their strength; below 0 the evidence points the other way."""
    found = exclude(curves(N, 0.6))
    wanted = [stats.t.isf(0.05 / cost, found.freedom[0]) for cost in (1.6, 5.0)]
    return replace(
        found,
        strength_bounded=np.array([wanted[0] / bounded]),
        strength_diverging=np.array([wanted[1] / diverging]),
        described=np.array([described]),
        bounded_described=np.array([kept]),
        noise=Noise(np.array([0]), np.array([1.0])),
    )


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ((2.0, 9.0), 16),
        ((9.0, 2.0), 16),
        ((2.0, 1.5), 9),
        ((1.5, 2.0), 9),
        ((8**0.5 - 1e-9, 9.0), 32),
        ((8**0.5 + 1e-6, 9.0), 0),
        ((-1.0, -1.0), 0),
        ((0.5, 9.0), 5),
        ((2.0, 9.0, False), 0),
        ((9.0, 2.0, True, False), 0),
        ((2.0, 1.5, True, False), 16),
    ],
    ids=str,
)
def test_recursions_that_would_tell_are_the_square_of_what_strength_lacks(given: tuple[float, ...], runs: int) -> None:
    """Of four recursions, by the nearer of the two tests; never beyond eight times as many, nor fewer than one more."""
    assert needed(missing(*given), RUNS, G)[0] == runs  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [BOUNDED, DIVERGING])
def test_generations_that_would_tell_are_the_first_of_those_tried_whose_weakest_rival_gains_enough(kind: str) -> None:
    """A contrast of fixed size grows by how much longer the rival's shape stands out of the law's."""
    laws, other = (law_set.bounded, DIVERGING) if kind == BOUNDED else (law_set.diverging, BOUNDED)
    gains = {}
    for longer in (13, 15, 20, 30, 40):
        worst = np.inf
        for rival, far in zip(law_set.rivals(other, G), law_set.rivals(other, longer), strict=True):
            least = [
                min(float(shape @ residual(shape, law.shape)) for law in laws(len(shape)))
                for shape in (rival.shape, far.shape)
            ]
            worst = min(worst, least[1] / max(least[0], 1e-12))
        gains[longer] = worst
    asked = [gain for gain in gains.values() if 1.001 < gain < 8**0.5]
    assert asked
    for gain in asked:
        first = next(longer for longer, one in gains.items() if one >= gain * 0.999)
        given = (gain * 0.999, 99.0) if kind == BOUNDED else (99.0, gain * 0.999)
        assert needed(missing(*given), RUNS, G)[1] == first


def test_two_recursions_of_four_generations_are_enough_to_ask() -> None:
    found = exclude(curves(N[:4], 0.1, runs=2))
    assert found.freedom.tolist() == [1 + min(1 * 2 / 2, 8)]


def test_no_more_than_two_hundred_generations_are_asked_for() -> None:
    long = exclude(curves(np.arange(1.0, 181), 50.0))
    found = replace(
        long,
        strength_bounded=np.array([1.0]),
        described=np.array([True]),
        bounded_described=np.array([False]),
    )
    runs, generations = needed(found, RUNS, 180)
    assert runs > RUNS
    assert generations == 0, "a quarter more would be 225"


@pytest.mark.parametrize("sign", [1, -1])
def test_bounds_from_errors_alone_are_by_hand_for_both_classes(sign: int) -> None:
    """Σ|c_n|·se_n is the standard error of a contrast if all generations' errors are one; both prices are the walk's:
    2.5 and 5."""
    errors, mean = 0.002 * (1 + N / 5), sign * np.cumsum(1 / N**2)
    found = bounds(mean, errors)
    for kind, p, cost in ((BOUNDED, found[0], 2.5), (DIVERGING, found[1], 5.0)):
        own = law_set.bounded(G) if kind == BOUNDED else law_set.diverging(G)
        best = -np.inf
        for rival in law_set.rivals(DIVERGING if kind == BOUNDED else BOUNDED, G):
            parts = [residual(rival.shape, law.shape) for law in own]
            best = max(best, min(float(c @ mean / max(np.abs(c) @ errors, 1e-300)) for c in parts))
        assert p == pytest.approx(min(1.0, stats.norm.sf(best) * cost))
    assert (found[1] < 0.05) == (sign > 0)
