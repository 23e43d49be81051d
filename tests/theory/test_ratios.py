"""Named closed forms against the exact recursion of averages, their limits, and one another."""

import math

import numpy as np
import pytest

from analysis.theory import ratios
from analysis.theory.averages import averages
from analysis.theory.history import history
from trainables import Cell

GENERATIONS = (1, 2, 5, 10, 20, 60)


def error(policy, rows=1000, generations=60, **fields):
    """Error of the mean by generation, in units of generation 1's, to leading order in 1/rows."""
    cell = Cell.model_validate(
        {
            "family": {"kind": "gaussian"},
            "policy": {"kind": policy, **fields},
            "rows": rows,
            "generations": generations,
        }
    )
    return np.array(averages(history(cell), "known").error) * rows


@pytest.mark.parametrize(
    ("policy", "form"),
    [
        ("replace", ratios.replace),
        ("replace_multiple", ratios.replace_multiple),
        ("accumulate", ratios.accumulate),
        ("accumulate_subsample", ratios.accumulate_subsample),
    ],
)
def test_named_forms_are_the_recursion(policy, form):
    found = error(policy)
    assert [found[n - 1] for n in GENERATIONS] == pytest.approx([form(n) for n in GENERATIONS], rel=1e-9)


@pytest.mark.parametrize("window", [1, 2, 3, 7])
def test_a_window_grows_by_its_slope(window):
    found = error("sliding_window", window=window)
    assert [found[n - 1] for n in GENERATIONS] == pytest.approx(
        [ratios.sliding_window(window, n) for n in GENERATIONS], rel=1e-9
    )
    assert found[-1] - found[-2] == pytest.approx(ratios.sliding_window_slope(window), rel=1e-6)


def test_accumulation_has_its_limits():
    assert ratios.accumulate(20_000) == pytest.approx(math.pi**2 / 6, abs=1e-4)
    assert ratios.accumulate_subsample(20_000) == pytest.approx(math.pi**2 / 2 - 2, abs=3e-4)
    assert (np.diff([ratios.accumulate_subsample(n) for n in range(1, 200)]) > 0).all()


@pytest.mark.parametrize(("real", "synthetic"), [(1.0, 1.0), (0.5, 1.0), (0.25, 2.0)])
def test_real_rows_bound_the_error(real, synthetic):
    """Fixed and fresh real rows end where the literature's formulas say, the fixed ones at that of batch 0's first."""
    sizes = int(1000 * real), int(1000 * synthetic)
    fixed = error("synthetic_augmentation", generations=120, real=real, synthetic=synthetic)[-1] / 1000
    assert fixed == pytest.approx(ratios.synthetic_augmentation_limit(*sizes), rel=1e-6)
    fresh = error("fresh_mix", generations=120, real=real, synthetic=synthetic)[-1] / 1000
    assert fresh == pytest.approx(ratios.fresh_mix_limit(*sizes), rel=1e-6)


@pytest.mark.parametrize(("real", "synthetic"), [(0.5, 0.5), (0.5, 1.0), (1.0, 0.5)])
def test_the_golden_weight_is_best(real, synthetic):
    """Of the recursion's own limits over weights, the smallest is at (√(k² + 4k) − k)/2."""
    best = ratios.weighted_fresh_best(int(1000 * real), int(1000 * synthetic))
    weights = [best - 0.03, best, best + 0.03]
    ends = [error("weighted_fresh", real=real, synthetic=synthetic, weight=w)[-1] / 1000 for w in weights]
    assert ends[1] < min(ends[0], ends[2])
    sizes = int(1000 * real), int(1000 * synthetic)
    assert ends == pytest.approx([ratios.weighted_fresh_limit(w, *sizes) for w in weights], rel=1e-6)
    assert ratios.weighted_fresh_best(1, 1) == pytest.approx((math.sqrt(5) - 1) / 2)
