"""What every definition of collapse must do: decide by intervals, say when it can't, and never overlook divergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.definitions import MET, NOT_MET, UNDECIDED, UNSUPPORTED, Case, Definition
from analysis.stats import Curves

Array = npt.NDArray[np.float64]
GENERATIONS = 12
RUNS = 6


def make_case(curves: dict[str, Array], policy: str = "replace") -> Case:
    """A configuration of recursions with these values, [runs, generations] by metric; none has a closed form."""
    return Case("toy", "0001", policy, {name: _curves(name, values) for name, values in curves.items()})


def _curves(metric: str, values: Array) -> Curves:
    runs, generations = values.shape
    table = pd.DataFrame({"seed": range(runs), "replicate": 0, "policy": "replace", "heavy": False, "separated": 0.0})
    table["status"] = "done"
    table["diverged"] = np.asarray(np.isinf(values).any(axis=1))
    none = np.full(values.shape, np.nan)
    return Curves(metric, table, np.arange(1, generations + 1), values, none, none)


def _noisy(metric: str, runs: int = RUNS, seed: int = 0) -> Case:
    """A flat loss, and beside it a flat metric, both with noise of a hundredth."""
    rng = np.random.default_rng(seed)
    loss = 1 + 0.01 * rng.standard_normal((runs, GENERATIONS))
    other = 0.5 + 0.005 * rng.standard_normal((runs, GENERATIONS))
    return make_case({"test_loss": loss} | ({} if metric == "test_loss" else {metric: other}))


def definition_names_itself(definition: Definition, metric: str) -> None:
    """What tables and plots show is there, and the default threshold is legal."""
    assert definition.number >= 1
    assert definition.name.isidentifier()
    assert definition.title
    assert definition.statistic
    assert definition.meaning
    assert len(set(definition.grid)) == len(definition.grid) >= 2
    assert min(definition.grid) <= definition.threshold <= max(definition.grid)


def definition_needs_recursions(definition: Definition, metric: str) -> None:
    """With two recursions nothing is decided, whatever they show."""
    assert definition.find(_noisy(metric, runs=2)).word in (UNDECIDED, UNSUPPORTED)


def definition_says_what_it_lacks(definition: Definition, metric: str) -> None:
    """A case of which the metric was not recorded has no word, and a reason in its place."""
    if metric == "test_loss":
        return
    found = definition.find(_noisy("test_loss"))
    assert found.word == UNSUPPORTED
    assert found.measure.unsupported


def definition_is_not_met_by_noise(definition: Definition, metric: str) -> None:
    """Recursions that go nowhere are rarely called collapsed: in at most 2 of 20 studies."""
    words = [definition.find(_noisy(metric, seed=seed)).word for seed in range(20)]
    assert words.count(MET) <= 2, words


def definition_overlooks_no_divergence(definition: Definition, metric: str) -> None:
    """A loss that falls and then goes to infinity in some recursions never speaks for health."""
    if metric == "test_loss":
        values = _noisy(metric).curves[metric].values - 0.02 * np.arange(GENERATIONS)
        values[2:, -2:] = np.inf
        assert definition.find(make_case({metric: values})).word != NOT_MET


def definition_takes_recursions_in_any_order(definition: Definition, metric: str) -> None:
    """Which recursion comes first changes no word."""
    case = _noisy(metric)
    turned = replace(case, curves={n: replace(c, values=c.values[::-1].copy()) for n, c in case.curves.items()})
    one, other = definition.find(case), definition.find(turned)
    assert one.word == other.word
    assert np.isclose(one.measure.estimate, other.measure.estimate, equal_nan=True)


def definition_decides_by_its_interval(definition: Definition, metric: str) -> None:
    """Met and not met both mean that the interval lies on one side; what straddles the boundary is undecided."""
    for seed in range(5):
        found = definition.find(_noisy(metric, seed=seed))
        low, high, edge = found.measure.low, found.measure.high, found.measure.boundary
        if found.word == MET and not found.measure.diverged:
            assert low > edge or high < edge
        if found.word == NOT_MET:
            assert not (definition.beyond == "above" and low > edge)
            assert not (definition.beyond == "below" and high < edge)


DEFINITION_CHECKS: tuple[Callable[[Definition, str], None], ...] = (
    definition_names_itself,
    definition_needs_recursions,
    definition_says_what_it_lacks,
    definition_is_not_met_by_noise,
    definition_overlooks_no_divergence,
    definition_takes_recursions_in_any_order,
    definition_decides_by_its_interval,
)
"""Functions of a definition and the metric that it speaks of."""
