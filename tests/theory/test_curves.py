"""Where closed forms are given, and where they are not."""

import subprocess
import sys

import pytest

from analysis.theory import curves, theory
from trainables import Cell


def cell(family, policy, **changes):
    policy = {"kind": policy} if isinstance(policy, str) else policy
    fields = {"rows": 100, "generations": 6, "replicates": 10}
    return Cell.model_validate({"family": family, "policy": policy} | fields | changes)


LINEAR, FRESH = {"kind": "linear"}, {"kind": "linear", "design": "fresh"}
SHORT = {"kind": "linear", "dim": 150, "estimator": "minimum_norm"}
GAUSSIAN, DISCRETE, KDE = {"kind": "gaussian"}, {"kind": "discrete"}, {"kind": "kde"}


@pytest.mark.parametrize(
    ("family", "policy", "metrics"),
    [
        (LINEAR, "replace", {"test_loss"}),
        (LINEAR, "sliding_window", {"test_loss"}),
        (LINEAR, {"kind": "weighted_fresh", "weight": 0.3}, {"test_loss"}),
        (LINEAR, {"kind": "synthetic_augmentation", "synthetic": 2.0}, {"test_loss"}),
        (LINEAR, {"kind": "synthetic_augmentation", "synthetic": 0.5}, set()),
        (LINEAR, "accumulate_subsample", set()),
        (LINEAR, "verified", set()),
        (LINEAR | {"estimator": "ridge"}, "replace", set()),
        (FRESH, "replace", {"test_loss"}),
        (FRESH, "replace_multiple", {"test_loss"}),
        (FRESH, "accumulate", {"test_loss"}),
        (FRESH, "sliding_window", set()),
        (SHORT, "accumulate", {"test_loss"}),
        (SHORT | {"covariance": "power_law"}, "accumulate", set()),
        (SHORT | {"dim": 101}, "accumulate", set()),
        (SHORT | {"design": "fresh"}, "replace", {"test_loss"}),
        (GAUSSIAN, "accumulate", {"trace_ratio", "mean_sq_error"}),
        (GAUSSIAN, "accumulate_subsample", {"trace_ratio", "mean_sq_error"}),
        (GAUSSIAN, "replace", {"trace_ratio", "mean_sq_error", "test_loss", "nll", "log_det_ratio"}),
        (GAUSSIAN, "detector_weighted", set()),
        (GAUSSIAN, "curated", set()),
        (DISCRETE, "replace", {"test_loss", "gini_simpson", "surviving_categories", "forgotten"}),
        (DISCRETE, "replace_multiple", {"test_loss", "gini_simpson"}),
        (DISCRETE, "accumulate", {"test_loss", "gini_simpson"}),
        (DISCRETE, {"kind": "replace", "bias": 0.5}, set()),
        (DISCRETE | {"smoothing": 1.0}, "replace", set()),
        (KDE, "replace", {"trace_ratio", "mean_sq_error"}),
        (KDE | {"bandwidth": "scott"}, "replace", set()),
    ],
)
def test_a_closed_form_is_given_where_it_is_exact(family, policy, metrics):
    asked = cell(family, policy)
    found = curves(asked)
    assert set(found) == metrics
    assert all(len(values) == 6 for values in found.values())
    best = theory(asked)
    assert (best is not None) == bool(metrics)
    assert best is None or (best.source and best.values == found[best.metric])


def test_a_composition_has_the_form_of_what_it_composes():
    share = {"source": "pool"}
    assert curves(cell(GAUSSIAN, {"kind": "compose", "corpus": [share]})) == curves(cell(GAUSSIAN, "accumulate"))


def test_a_fork_is_followed():
    """Two generations of accumulation, then replacement: each generation from then on adds one unit."""
    forked = cell(LINEAR, "accumulate", fork={"generation": 2, "policy": {"kind": "replace"}})
    steps = [b - a for a, b in zip(curves(forked)["test_loss"][1:], curves(forked)["test_loss"][2:], strict=False)]
    assert steps == pytest.approx([10 / 89] * 4)
    assert curves(forked)["test_loss"][:2] == pytest.approx(curves(cell(LINEAR, "accumulate"))["test_loss"][:2])


def test_long_cells_end_early():
    found = curves(cell(GAUSSIAN, "replace", generations=2000))
    assert len(found["mean_sq_error"]) == 500


@pytest.mark.parametrize(("policy", "ends"), [("replace", 54), ("accumulate", 300), ("sliding_window", 122)])
def test_a_prediction_ends_where_no_sample_mean_could_follow(policy, ends):
    """A collapsing variance is nearly log-normal; where real rows stay, it never gets there."""
    assert len(curves(cell(GAUSSIAN, policy, generations=300))["trace_ratio"]) == ends


def test_theory_shares_no_code_with_families():
    """Importing it, and evaluating it, loads no family's working code but the cell's own config, and never torch."""
    code = (
        "import sys; import analysis.theory.linear, analysis.theory.gaussian, analysis.theory.kde, "
        "analysis.theory.discrete; loaded = [m for m in sys.modules if m.startswith('trainables') or m == 'torch']; "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
