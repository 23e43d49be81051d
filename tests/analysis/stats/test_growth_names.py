"""The law that is named, its weight, and the outlook, against plain least squares on every law of the grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.stats import curves_of, exclusion, fit, growth, noise
from analysis.stats.outlook import AHEAD, grid, outlook
from tests.support import simulated

G, RUNS = 12, 6
N = np.arange(1.0, G + 1)
FAR = np.arange(1.0, AHEAD * G + 1)


def noisy(law: np.ndarray, deviation: float = 0.01, seed: int = 0, runs: int = RUNS) -> np.ndarray:
    return law + deviation * np.random.default_rng(seed).standard_normal((runs, len(law)))


@pytest.mark.parametrize(
    ("curve", "law", "form"),
    [
        (np.ones(G), "flat", "a"),
        (N, "linear", "a + b·n"),
        (np.log(N), "logarithmic", "a + b·ln n"),
        (3 * np.cumsum(1 / N**2), "bounded", "a + b·Σ1/i²"),
        (N**1.525 / 5, "power", "a + b·n^1.53"),
        (np.exp(0.3 * N) / 10, "exponential", None),
        (np.sin(2 * np.pi * N / 4), "oscillating", None),
        (np.maximum(N - 6.5, 0), "late start", "a + b·max(n − 6.5, 0)"),
        (np.minimum(N, 2), "bounded", "a + b·min(n, 2)"),
    ],
    ids=str,
)
def test_precise_curves_have_the_name_of_their_law(curve: np.ndarray, law: str, form: str | None) -> None:
    found = fit(noisy(curve, 0.002), N.astype(int))
    assert found is not None
    assert found.law == law
    assert form in (None, found.form)
    assert (found.runs, found.horizon) == (RUNS, 24)
    assert law in growth.LAWS
    assert 0 < found.support < 1 + 1e-12


def model_zero(values: np.ndarray) -> noise.Noise:
    """Independent errors, whatever the deviations look like."""
    apart = values - values.mean(axis=0)
    free = apart - apart.mean(axis=1, keepdims=True)
    runs, generations = values.shape
    return noise.Noise(np.array([0]), np.array([(free**2).sum() / ((runs - 1) * (generations - 1))]))


def least_squares(mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares that each law of the grid leaves, and where it leads, by `lstsq`."""
    left, ahead = [], []
    for columns in grid(G):
        shapes = [law.shape for law in columns if law.family != "constant"]
        design = np.column_stack([np.ones(len(FAR)), *shapes])
        solved = np.linalg.lstsq(design[:G], mean, rcond=None)[0]
        left.append(((mean - design[:G] @ solved) ** 2).sum())
        ahead.append(float(design[-1] @ solved))
    return np.array(left), np.array(ahead)


def test_a_laws_excess_is_what_it_leaves_more_than_another_in_variances_of_the_mean() -> None:
    values = noisy(np.cumsum(1 / N), 0.1)
    found = outlook(values[None], model_zero(values))
    left, _ = least_squares(values.mean(axis=0))
    variance = ((values - values.mean(axis=0)) ** 2).sum() / ((RUNS - 1) * G)
    expected = (left - left.min()) / variance * RUNS
    np.testing.assert_allclose(found.excess[0] - found.excess[0].min(), expected, rtol=1e-6, atol=1e-7)
    assert found.excess.min() >= 0
    assert found.horizon == 2 * G


def test_laws_that_stand_alone_are_weighed_by_their_likelihood() -> None:
    values = noisy(np.cumsum(1 / N), 0.1)
    found = outlook(values[None], model_zero(values))
    assert found.weights.sum() == pytest.approx(1)
    alone = [
        i
        for i, columns in enumerate(grid(G))
        if columns[0].family in ("Σ1/i²", "logarithm", "Σ1/i", "line", "constant")
    ]
    likelihood = np.exp(-found.excess[0, alone] / 2)
    np.testing.assert_allclose(found.weights[0, alone] / found.weights[0, alone].sum(), likelihood / likelihood.sum())


@pytest.mark.parametrize(("shift", "scale"), [(5.0, 1.0), (0.0, 1e3), (-1.0, -2.0)])
def test_an_outlook_follows_the_unit_and_turns_with_the_sign(shift: float, scale: float) -> None:
    values = noisy(np.log(N), 0.05)
    one, moved = (outlook(v[None], model_zero(v)) for v in (values, shift + scale * values))
    assert moved.estimate[0] == pytest.approx(shift + scale * one.estimate[0], rel=1e-6)
    ends = sorted([shift + scale * one.low[0], shift + scale * one.high[0]])
    assert [moved.low[0], moved.high[0]] == pytest.approx(ends, rel=1e-6)


def test_a_precise_line_leads_where_least_squares_leads() -> None:
    """Nearly all other laws are excluded; those that bend by hardly anything lead hardly elsewhere."""
    values = noisy(5 + 0.5 * N, 0.001)
    found = outlook(values[None], model_zero(values))
    assert found.estimate[0] == pytest.approx(np.polyval(np.polyfit(N, values.mean(axis=0), 1), 2 * G), abs=0.01)
    assert found.low[0] < 17 < found.high[0]
    assert found.high[0] - found.low[0] < 0.1


def test_every_kept_law_is_within_the_bounds_and_more_confidence_keeps_more() -> None:
    values = noisy(np.cumsum(1 / N), 0.1)
    narrow, wide = (outlook(values[None], model_zero(values), confidence) for confidence in (0.8, 0.99))
    assert wide.low[0] < narrow.low[0] < narrow.estimate[0] < narrow.high[0] < wide.high[0]
    _, ahead = least_squares(values.mean(axis=0))
    for found, confidence in ((narrow, 0.8), (wide, 0.99)):
        most = stats.f.ppf(confidence, 1, 5 + 5 * 10 / 2)
        kept = ahead[found.excess[0] < most]
        assert len(kept) >= 3
        assert found.low[0] < kept.min()
        assert kept.max() < found.high[0]


def test_studies_are_looked_at_each_by_itself() -> None:
    values = np.stack([noisy(law, 0.05, seed) for seed, law in enumerate((N, np.log(N), np.ones(G)))])
    each = [model_zero(v) for v in values]
    models = np.array([0, 8, 0])
    together = noise.Noise(models, np.concatenate([one.variance for one in each]))
    found = outlook(values, together)
    for i in range(3):
        alone = outlook(values[i : i + 1], noise.Noise(models[i : i + 1], together.variance[i : i + 1]))
        for name in ("estimate", "low", "high", "excess", "weights"):
            np.testing.assert_allclose(getattr(found, name)[i], getattr(alone, name)[0], atol=1e-12)
    assert found.high[1] - found.low[1] != pytest.approx(
        np.ptp([outlook(values[1:2], each[1]).low[0], outlook(values[1:2], each[1]).high[0]])
    ), "errors that accumulate lead elsewhere"


def test_one_number_more_must_gain_four_variances() -> None:
    """A power is named for a line only where it leaves so much less."""
    values = noisy(N, 0.2, seed=4)
    ahead = outlook(values[None], model_zero(values))
    families = [columns[0].family for columns in grid(G)]
    line = families.index("line")
    powers = [i for i, family in enumerate(families) if family == "power"]
    excess = np.full_like(ahead.excess, 99.0)
    for gain, name in ((3.99, "line"), (4.01, "power")):
        excess[0, line], excess[0, powers[3]] = 5.0, 5.0 - gain
        named, _ = growth._named(replace(ahead, excess=excess), G)
        assert named.family == name
    excess[0, families.index("constant")] = 5.0 + 3.99
    assert (
        growth._named(replace(ahead, excess=excess + 4.02 * (np.arange(len(families)) == powers[3])), G)[0].family
        == "constant"
    )


def test_support_is_the_weight_of_all_laws_of_a_name() -> None:
    values = noisy(np.cumsum(1 / N), 0.1)
    found = fit(values, N.astype(int))
    ahead = outlook(values[None], exclusion.exclude(values[None]).noise)
    assert found is not None
    own = [growth.NAMES[columns[0].family] == found.law for columns in grid(G)]
    assert found.support == pytest.approx(float(ahead.weights[0, own].sum()))
    assert found.extrapolated.estimate == ahead.estimate[0]


@pytest.mark.parametrize(("runs", "generations", "fitted"), [(2, 5, True), (1, 5, False), (2, 4, False)])
def test_a_law_needs_two_recursions_and_five_generations(runs: int, generations: int, fitted: bool) -> None:
    values = noisy(N, 0.1, runs=3)[:, :generations]
    values[runs:, 2] = np.nan
    found = fit(values, N[:generations].astype(int))
    assert (found is not None) == fitted
    assert found is None or found.runs == runs


def test_a_class_is_called_by_what_is_left() -> None:
    """A fall that no bounded law follows is no divergence: growth must be shown too."""
    kinds = {
        name: fit(noisy(curve, 0.01), N.astype(int))
        for name, curve in (("up", N), ("down", -N), ("sums", np.cumsum(1 / N**2)))
    }
    assert {name: found.kind for name, found in kinds.items() if found} == {
        "up": "diverging", "down": "open", "sums": "bounded"
    }  # fmt: skip
    assert kinds["up"] is not None
    assert kinds["up"].p_bounded < 0.05 < kinds["up"].p_diverging
    assert "Σ1/i²" in kinds["up"].excluded
    assert "line" not in kinds["up"].excluded


def test_the_table_has_what_the_fit_has() -> None:
    values = {("a", "replace", seed): curve for seed, curve in enumerate(noisy(N, 0.1))}
    row = growth.table(curves_of(simulated.study(values))).iloc[0]
    found = fit(np.stack(list(values.values())), N.astype(int))
    assert found is not None
    assert row["excluded"] == ", ".join(found.excluded)
    named = {
        "kind": found.kind, "law": found.law, "form": found.form, "support": found.support, "horizon": 24,
        "p_bounded": found.p_bounded, "p_diverging": found.p_diverging, "extrapolated": found.extrapolated.estimate,
        "extrapolated_low": found.extrapolated.low, "extrapolated_high": found.extrapolated.high,
    }  # fmt: skip
    assert row[list(named)].to_dict() == named
