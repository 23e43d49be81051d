"""Many replicates as one evaluation: numpy's own figures, to the last digit."""

import numpy as np
import pytest

from trainables.families import Diverged
from trainables.families.replicate_summary import summarise, summarise_each


@pytest.mark.parametrize("replicates", [2, 3, 20, 21, 1000])
@pytest.mark.parametrize("odd", [None, np.inf, np.nan])
def test_figures_are_numpys(replicates, odd):
    rng = np.random.default_rng(replicates)
    values = {name: rng.lognormal(size=replicates) for name in ("test_loss", "ratio", "plain")}
    if odd is not None:
        values["ratio"][0] = odd
    found = summarise(values, {"flag": 1.0}, spread=("ratio", "test_loss", "absent"))
    assert found.test_loss == values["test_loss"].mean()
    expected = {"test_loss_se": values["test_loss"].std(ddof=1) / np.sqrt(replicates), "flag": 1.0}
    with np.errstate(invalid="ignore"):
        for name in ("ratio", "plain"):
            expected |= {name: values[name].mean(), f"{name}_se": values[name].std(ddof=1) / np.sqrt(replicates)}
        for name in ("ratio", "test_loss"):
            quantiles = np.quantile(values[name], [0.05, 0.5, 0.95])
            expected |= {f"{name}_{label}": q for label, q in zip(("q05", "median", "q95"), quantiles, strict=True)}
    assert found.metrics.keys() == expected.keys()
    assert all(np.array_equal(found.metrics[name], value, equal_nan=True) for name, value in expected.items())


def test_one_replicate_has_no_spread():
    found = summarise({"test_loss": np.array([2.0]), "ratio": np.array([0.5])})
    assert (found.test_loss, found.metrics) == (2.0, {"ratio": 0.5})


@pytest.mark.parametrize("replicates", [1, 2, 13, 1000])
def test_several_models_get_what_each_gets_alone(replicates):
    rng = np.random.default_rng(replicates)
    values = {name: rng.lognormal(size=(3, replicates)) for name in ("test_loss", "ratio", "plain")}
    values["ratio"][1, 0] = np.nan
    found = summarise_each(values, {"flag": 1.0}, spread=("ratio", "test_loss"))
    for number, one in enumerate(found):
        own = {name: value[number].copy() for name, value in values.items()}
        alone = summarise(own, {"flag": 1.0}, spread=("ratio", "test_loss"))
        assert one.test_loss == alone.test_loss
        assert one.metrics.keys() == alone.metrics.keys()
        assert all(np.array_equal(one.metrics[name], alone.metrics[name], equal_nan=True) for name in one.metrics)
        assert all(np.array_equal(one.replicates[name], own[name], equal_nan=True) for name in own)


def test_a_loss_that_is_not_finite_is_a_divergence():
    with pytest.raises(Diverged, match="not finite in 1 of 2"):
        summarise({"test_loss": np.array([1.0, np.inf])})


@pytest.mark.parametrize("count", [1, 2, 9, 100, 129, 1000])
def test_metrics_that_are_worked_out_side_by_side_are_those_of_each_to_the_last_digit(count):
    rng = np.random.default_rng(count)
    values = {
        "test_loss": rng.random(count),
        "large": 1e6 * rng.standard_normal(3 * count)[::3],
        "whole": rng.integers(0, 9, count),
    }
    found = summarise(values).metrics
    for name in ("large", "whole"):
        assert found[name] == values[name].mean()
        if count > 1:
            assert found[f"{name}_se"] == values[name].std(ddof=1) / np.sqrt(count)
