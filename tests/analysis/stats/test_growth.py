"""Growth laws: the right law by name, scipy's parameters, and extrapolations that cover the truth."""

from collections import Counter

import numpy as np
import pytest
from analysis.stats.growth_forms import misfits, scores
from scipy.optimize import curve_fit

from analysis.stats import FORMS, curves_of, fit
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


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_confusion_matrix(noise: float) -> None:
    """At 20 generations and 5 seeds, independent relative noise of 1 % and 3 %: at least 95 % on the diagonal."""
    rng = np.random.default_rng(0)
    for law, members in TRUTH.items():
        named = Counter()
        for _ in range(100):
            for truth in members:
                found = fit(truth * (1 + noise * rng.standard_normal((5, 20))), N)
                assert found is not None
                named[found.form.law] += 1
        assert named[law] / named.total() >= 0.95, (law, named)


def test_confusion_matrix_with_noise_that_accumulates() -> None:
    """Errors of a recursion are a random walk whose steps shrink with the corpus: the law is still named."""
    rng = np.random.default_rng(1)
    for law in ("bounded", "logarithmic", "linear"):
        truth = TRUTH[law][0]
        steps = 0.01 * np.sqrt(np.diff(truth, prepend=0.0))
        named = Counter(
            fit(truth + (steps * rng.standard_normal((5, 20))).cumsum(axis=1), N).form.law for _ in range(200)
        )
        assert named[law] / named.total() >= 0.95, (law, named)


def test_parameters_are_scipys() -> None:
    rng = np.random.default_rng(0)
    y = 3 - 2 * N**-0.7 + 0.001 * rng.standard_normal(20)
    found = fit(np.stack([y, y, y]), N)
    expected, _ = curve_fit(lambda n, a, b, c: a - b * n**-c, N, y, p0=(3, 2, 0.7))
    assert found is not None
    assert found.form.name == "approach"
    assert (found.a, found.b, found.c) == pytest.approx(tuple(expected), rel=0.05)


def test_residuals_and_scores_are_statsmodels() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    y, w = rng.standard_normal(20) + 0.1 * N, rng.random(20) + 0.5
    w = w / w.sum()
    found = misfits(y[None], N.astype(float), w)
    names = [form.name for form in FORMS]
    for name, x in (
        ("line", N),
        ("logarithm", np.log(N)),
        ("harmonic", np.cumsum(1 / N)),
        ("partial sum", np.cumsum(1 / N**2)),
    ):
        reference = sm.WLS(y, sm.add_constant(x.astype(float)), weights=w).fit()
        assert found.squares[0, names.index(name)] == pytest.approx(reference.ssr)
    plain = sm.OLS(y, sm.add_constant(N.astype(float))).fit()
    squares = misfits(y[None], N.astype(float), np.ones(20)).squares * 20
    k = 3
    aicc = 20 * np.log(plain.ssr / 20) + 2 * k + 2 * k * (k + 1) / (20 - k - 1)
    assert scores(squares, 20)[0, names.index("line")] == pytest.approx(aicc)


def test_edge_solutions_are_rejected() -> None:
    """A logarithm is the limit c → 0 of both a power and an approach; neither may stand in for it."""
    found = fit(np.tile(5 + np.log(N), (3, 1)), N)
    assert found is not None
    assert found.form.law == "logarithmic"
    assert np.isinf(found.aicc["approach"])
    assert np.isinf(found.aicc["power"])


@pytest.mark.parametrize("law", ["linear", "bounded", "logarithmic"])
def test_extrapolation_covers_the_truth(law: str) -> None:
    """Twice as far as the data: the interval holds the true value in 93 to 97 % of 1,000 studies."""
    rng = np.random.default_rng(2)
    truth = TRUTH[law][0]
    far = {"linear": 40.0, "bounded": (1 / np.arange(1, 41) ** 2).sum(), "logarithmic": (1 / np.arange(1, 41)).sum()}[
        law
    ]
    covered, named = 0, 0
    for _ in range(1000):
        found = fit(truth + 0.02 * rng.standard_normal((5, 20)), N)
        assert found is not None
        if found.form.law == law and not found.form.grid:
            named += 1
            covered += found.extrapolated.low <= far <= found.extrapolated.high
    assert named > 900
    assert 0.93 <= covered / named <= 0.97


def test_falling_curves_do_not_diverge() -> None:
    found = fit(10 - N + 0.01 * np.random.default_rng(0).standard_normal((5, 20)), N)
    assert found is not None
    assert (found.form.law, found.diverging) == ("linear", 0.0)


def test_table_states_support_and_foresight() -> None:
    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, ("replace", "accumulate", "replace_multiple"), noise=0.01)
    found = table(curves_of(simulated.study(values))).set_index("policy")
    assert found["law"].to_dict() == {"replace": "linear", "accumulate": "bounded", "replace_multiple": "logarithmic"}
    assert (found["support"] > 0.9).all()
    assert found["agree"].all()
    assert (found["horizon"] == 40).all()
    assert found.loc["replace", "extrapolated"] == pytest.approx(40, rel=0.02)


def test_too_few_generations_have_no_law() -> None:
    assert fit(np.ones((3, 4)), np.arange(1, 5)) is None
    assert table(curves_of(simulated.study(simulated.noisy(np.random.default_rng(0), generations=4)))).empty
