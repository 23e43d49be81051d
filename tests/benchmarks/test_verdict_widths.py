"""The least width of an outlook, against integrals and tests that are known."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.verdict_truths import Kind, Setting, curve, simulate
from benchmarks.verdict_widths import known, least


@pytest.mark.parametrize("coverage", [0.9, 0.95])
@pytest.mark.parametrize("truth", ["line", "log", "flat"])
def test_one_law_is_pratts_bound_of_a_normal_mean(truth: str, coverage: float) -> None:
    """2·(zΦ(z) + φ(z)) standard errors of the least-squares prediction."""
    setting, n = Setting(truth, 10, 5, "independent", 0.05), np.arange(1, 21.0)
    design = np.stack([np.ones(20), np.log(n) if truth == "log" else n], axis=1)[:, : 1 if truth == "flat" else 2]
    error = 0.05 / np.sqrt(5) * np.linalg.norm(design[-1] @ np.linalg.pinv(design[:10]))
    z = stats.norm.ppf(coverage)
    bound = 2 * error * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    assert known(setting, coverage) == pytest.approx(bound, rel=2e-3)


@pytest.mark.parametrize("kind", ["independent", "random walk", "slopes", "levels"])
def test_noise_is_that_of_the_simulated_curves(kind: Kind) -> None:
    """The bound of one who knows law and noise is 3.33 standard errors."""
    setting = Setting("line", 10, 4, kind, 0.05)
    values, truth = simulate(setting, 400, np.random.default_rng(0)), curve("line", 10, 2)
    n = np.arange(1, 21.0)
    design = np.stack([np.ones(20), n], axis=1)
    root = np.linalg.inv(np.linalg.cholesky(np.cov(values.reshape(1600, 10).T)))
    predicted = values.mean(axis=1) @ (design[-1] @ np.linalg.pinv(root @ design[:10]) @ root)
    assert predicted.mean() == pytest.approx(truth[-1], abs=4 * predicted.std() / 20)
    assert known(setting, 0.95) == pytest.approx(3.332 * predicted.std(), rel=0.15)


def test_more_laws_and_more_coverage_need_more_width() -> None:
    setting = Setting("line", 10, 5, "independent", 0.05)
    assert least(setting, 0.95) > least(setting, 0.9) > 2 * known(setting, 0.95)


def test_laws_that_are_told_apart_cost_nothing() -> None:
    precise = Setting("a = 0.5", 50, 20, "independent", 0.001)
    assert least(precise, 0.95) == pytest.approx(known(precise, 0.95), rel=0.1)
