"""The contract of definitions of collapse, on each of the eight; and it has teeth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.definitions import Case, Definition, Measure, definition, definitions
from analysis.testing import DEFINITION_CHECKS

METRICS = {
    "collapsing_variance": "trace_ratio",
    "entangled_modes": "mode_overlap",
    "lost_tail": "tail_coverage",
    "hallucinated_data": "precision",
}
"""The metric that a definition speaks of, where it is not the loss."""
OF_CELLS = [found for found in definitions() if found.name != "changed_scaling"]
"""Those that judge one cell; a changed scaling is of a ladder, see tests/analysis/definitions."""


@pytest.mark.parametrize("check", DEFINITION_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("found", OF_CELLS, ids=lambda found: found.name)
def test_definition(found: Definition, check: object) -> None:
    check(found, METRICS.get(found.name, "test_loss"))  # type: ignore[operator]


def hasty(case: Case, threshold: float) -> Measure:
    """Decides by a point estimate."""
    loss = case.curves["test_loss"].values
    rise = float(np.mean(loss[:, -1] - loss[:, 0]))
    return Measure(rise, rise, rise, 0.0, runs=len(loss))


def blind(case: Case, threshold: float) -> Measure:
    """Leaves out what diverged."""
    loss = case.curves["test_loss"].values
    kept = loss[np.isfinite(loss).all(axis=1)]
    return Measure(0.0, -0.01, 0.01, 1.0, runs=len(loss)) if len(kept) else Measure()


@pytest.mark.parametrize(
    ("measure", "check"),
    [(hasty, "definition_is_not_met_by_noise"), (blind, "definition_overlooks_no_divergence")],
)
def test_a_broken_definition_is_caught(measure: object, check: str) -> None:
    broken = replace(definition("any_increase"), measure=measure)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        {one.__name__: one for one in DEFINITION_CHECKS}[check](broken, "test_loss")
