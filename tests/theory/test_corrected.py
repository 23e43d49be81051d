"""Corrected recursions (`self_corrected`) against their closed forms, and what the limits of γ are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from analysis.theory import curves
from analysis.theory.gaussian import corrected, replace_trace
from analysis.theory.linear import unit_error
from trainables import Cell, run

REPLICATES = 2000


def corrected_cell(family: dict[str, Any], strength: float = 0.5, base: str = "replace", **changes: Any) -> Cell:
    policy = {"kind": "self_corrected", "strength": strength, "base": {"kind": base}} | changes.pop("policy", {})
    fields = {"rows": 12, "generations": 6, "replicates": REPLICATES, "policy": policy}
    return Cell.model_validate({"family": family} | fields | changes)


@pytest.mark.parametrize(
    ("family", "metrics", "changes"),
    [
        ({"kind": "gaussian"}, {"mean_sq_error", "trace_ratio"}, {}),
        ({"kind": "gaussian", "dim": 4}, {"mean_sq_error", "trace_ratio"}, {"strength": 0.1}),
        ({"kind": "gaussian", "dim": 2, "estimator": "unbiased"}, {"mean_sq_error", "trace_ratio"}, {"strength": 3.0}),
        ({"kind": "gaussian", "dim": 3}, {"mean_sq_error", "trace_ratio"}, {"policy": {"bias": 0.7}}),
        ({"kind": "linear", "dim": 4}, {"test_loss"}, {}),
        ({"kind": "linear", "dim": 4}, {"test_loss"}, {"base": "accumulate"}),
        ({"kind": "linear", "dim": 4}, {"test_loss"}, {"base": "synthetic_augmentation", "policy": {"bias": 2.0}}),
        ({"kind": "linear", "dim": 4, "design": "fresh"}, {"test_loss"}, {}),
        ({"kind": "linear", "dim": 20, "estimator": "minimum_norm"}, {"test_loss"}, {}),
        ({"kind": "linear", "dim": 20, "estimator": "minimum_norm", "design": "fresh"}, {"test_loss"}, {}),
        ({"kind": "discrete", "categories": 9}, {"test_loss", "gini_simpson"}, {}),
        ({"kind": "discrete", "categories": 9}, {"test_loss", "gini_simpson"}, {"base": "accumulate_subsample"}),
        ({"kind": "bernoulli"}, {"test_loss", "variance_ratio"}, {"base": "accumulate"}),
        ({"kind": "poisson"}, {"test_loss", "variance_ratio"}, {}),
        ({"kind": "glm", "source": {"kind": "simulated", "dim": 1}}, {"fisher_error"}, {"rows": 600}),
    ],
)
def test_corrected_recursions_meet_their_closed_form(family, metrics, changes):
    """Within four standard errors in every generation."""
    asked = corrected_cell(family, **changes)
    assert set(curves(asked)) == metrics
    for record in run(asked):
        for name in metrics:
            value = record.test_loss if name == "test_loss" else record.metrics[name]
            expected, error = record.metrics[f"theory_{name}"], record.metrics[f"{name}_se"]
            assert value == pytest.approx(expected, abs=4 * error), (record.generation, name)


@pytest.mark.parametrize(
    ("family", "base"),
    [
        ({"kind": "gaussian"}, "accumulate"),
        ({"kind": "linear", "design": "fresh", "dim": 4}, "accumulate"),
        ({"kind": "kde"}, "replace"),
        ({"kind": "discrete", "smoothing": 1.0}, "replace"),
    ],
)
def test_no_form_is_given_where_none_is_exact(family, base):
    assert not curves(corrected_cell(family, base=base))


def test_a_weak_correction_is_none_and_a_strong_one_a_fresh_start():
    """γ → 0 gives (1 − 1/N)ⁿ and n/N, γ → ∞ the values of generation 1 throughout."""
    one = [1.0, *[1 - 1e-12] * 4]
    errors, traces = corrected(1, [10] * 5, [1.0] * 5, one)
    assert traces == pytest.approx([replace_trace(10, n) for n in range(1, 6)])
    assert errors == pytest.approx([1 - 0.9**n for n in range(1, 6)])
    errors, traces = corrected(3, [10] * 5, [1.0] * 5, [1.0, *[1e-12] * 4])
    assert np.allclose(errors, 0.3)
    assert np.allclose(traces, 2.7)


def test_the_error_of_a_corrected_regression_is_bounded():
    """Σκ^2i c < c/(1 − κ²), where `replace` adds c each generation."""
    asked = corrected_cell({"kind": "linear", "dim": 4}, strength=0.5, generations=200)
    errors = curves(asked)["test_loss"]
    assert errors[-1] == pytest.approx(unit_error(4, 1.0, 12) / (1 - (2 / 3) ** 2))
    assert all(later >= earlier for earlier, later in pairwise(errors))
