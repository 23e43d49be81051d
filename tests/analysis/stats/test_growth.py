"""Growth laws: what is excluded, what is named, and extrapolations that cover the truth."""

from collections import Counter

import numpy as np
import pytest

from analysis.stats import curves_of, fit
from analysis.stats.growth import table
from tests.support import simulated

N = np.arange(1, 21)
TRUTH = {
    "bounded": [np.cumsum(1 / N**2), 2 - 1 / N, 3 * np.cumsum(1 / N**2) - 2],
    "logarithmic": [np.cumsum(1 / N), 1 + np.log(N)],
    "linear": [N.astype(float), 5 + 0.4 * N],
    "power": [N**1.5, N**0.5],
    "flat": [np.ones(20)],
}
"""Exact curves: FIELD.md's R_n of accumulate, replace_multiple and replace among them."""


CLASS = {"bounded": "bounded", "logarithmic": "diverging", "linear": "diverging", "power": "diverging"}


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_confusion_matrix(noise: float) -> None:
    """At 20 generations and 5 seeds, independent relative noise of 1 % and 3 %: at least 95 % on the diagonal."""
    rng = np.random.default_rng(0)
    for law, kind in CLASS.items():
        named, left = Counter(), Counter()
        for _ in range(100):
            for truth in TRUTH[law]:
                found = fit(truth * (1 + noise * rng.standard_normal((5, 20))), N)
                assert found is not None
                named[found.law] += 1
                left[found.kind] += 1
        assert named[law] / named.total() >= 0.95, (law, named)
        assert left[kind] / left.total() >= 0.95, (law, left)


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_a_flat_curve_diverges_in_no_more_than_a_twentieth(noise: float) -> None:
    rng = np.random.default_rng(0)
    kinds = [fit(1 + noise * rng.standard_normal((5, 20)), N).kind for _ in range(200)]
    assert kinds.count("diverging") <= 10
    assert kinds.count("open") >= 180, "the evidence points nowhere"


def test_confusion_matrix_with_noise_that_accumulates() -> None:
    """Errors of a recursion are a random walk whose steps shrink with the corpus: no bound is claimed where there is
    none, nor a divergence where there is a bound."""
    rng = np.random.default_rng(1)
    for law, wrong in (("bounded", "diverging"), ("logarithmic", "bounded"), ("linear", "bounded")):
        truth = TRUTH[law][0]
        steps = 0.01 * np.sqrt(np.diff(truth, prepend=0.0))
        kinds = Counter(fit(truth + (steps * rng.standard_normal((5, 20))).cumsum(axis=1), N).kind for _ in range(200))
        assert kinds[wrong] / kinds.total() <= 0.05, (law, kinds)


@pytest.mark.parametrize("law", ["linear", "bounded", "logarithmic"])
def test_extrapolation_covers_the_truth_whatever_was_named(law: str) -> None:
    """Twice as far as the data: the interval holds the true value in at least 90 % of 400 studies, none left out."""
    rng = np.random.default_rng(2)
    truth = TRUTH[law][0]
    far = {"linear": 40.0, "bounded": (1 / np.arange(1, 41) ** 2).sum(), "logarithmic": (1 / np.arange(1, 41)).sum()}
    covered = 0
    for _ in range(400):
        found = fit(truth + 0.02 * rng.standard_normal((5, 20)), N)
        assert found is not None
        covered += found.extrapolated.low <= far[law] <= found.extrapolated.high
    assert covered / 400 >= 0.90


def test_falling_curves_do_not_diverge() -> None:
    found = fit(10 - N + 0.01 * np.random.default_rng(0).standard_normal((5, 20)), N)
    assert found is not None
    assert found.law == "linear"
    assert found.kind != "diverging"


def test_table_states_support_and_foresight() -> None:
    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, ("replace", "accumulate", "replace_multiple"), noise=0.01)
    found = table(curves_of(simulated.study(values))).set_index("policy")
    assert found["law"].to_dict() == {"replace": "linear", "accumulate": "bounded", "replace_multiple": "logarithmic"}
    assert found["kind"].to_dict() == {"replace": "diverging", "accumulate": "bounded", "replace_multiple": "diverging"}
    assert found["support"].between(0.4, 1.0).all()
    assert (found["horizon"] == 40).all()
    assert found.loc["replace", "extrapolated"] == pytest.approx(40, rel=0.02)


def test_what_diverged_is_given_no_law() -> None:
    """Before two of five recursions went to infinity the curve was flat."""
    values = simulated.noisy(np.random.default_rng(0), sizes=("a", "b"), generations=12, noise=0.01)
    for seed in range(2):
        values["b", "replace", seed] = np.where(np.arange(12) > 6, np.inf, 1.0)
    found = table(curves_of(simulated.study(values)))
    assert found.groupby("policy").size().to_dict() == {"accumulate": 2, "replace": 1}


def test_too_few_generations_have_no_law() -> None:
    assert fit(np.ones((3, 4)), np.arange(1, 5)) is None
    assert table(curves_of(simulated.study(simulated.noisy(np.random.default_rng(0), generations=4)))).empty
