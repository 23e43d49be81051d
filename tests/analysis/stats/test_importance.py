"""Hyperparameter importance and the specification curve, on planted effects."""

import numpy as np
import pandas as pd

from analysis.report import Study
from analysis.stats.importance import importances


def effects(rng: np.random.Generator, count: int = 60) -> pd.DataFrame:
    """Growth under replace depends on temperature alone, under accumulate on nothing."""
    temperature = rng.choice([0.3, 0.6, 1.0], count)
    rate = 10 ** rng.uniform(-4, -2, count)
    rows = []
    for policy, growth in (
        ("replace", 0.5 - 0.4 * temperature + 0.01 * rng.standard_normal(count)),
        ("accumulate", 0.01 * rng.standard_normal(count)),
    ):
        rows.append(
            pd.DataFrame(
                {
                    "config": [f"{i:03d}" for i in range(count)],
                    "policy": policy,
                    "growth": growth,
                    "family.temperature": temperature,
                    "family.learning_rate": rate,
                    "family.kind": "language",
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def test_the_planted_parameter_is_found_and_no_other() -> None:
    found = importances(effects(np.random.default_rng(0))).set_index(["policy", "parameter"])
    assert found.loc[("replace", "temperature"), "low"] > 0.5
    assert abs(found.loc[("replace", "learning_rate"), "importance"]) < 0.1
    assert found.loc[("replace", "temperature"), "r2"] > 0.9
    assert found.loc[("accumulate", "temperature"), "r2"] < 0.1
    assert found.loc[("between policies", "temperature"), "low"] > 0.5
    assert not any(parameter == "kind" for _, parameter in found.index)


def test_importance_is_the_variance_that_a_parameter_explains() -> None:
    """For an additive effect, shuffling costs twice the share of variance explained (Gregorutti et al. 2017)."""
    rng = np.random.default_rng(1)
    data = effects(rng, 240)
    own = data[data["policy"] == "replace"]
    share = (0.4 * own["family.temperature"]).var() / own["growth"].var()
    found = importances(data).set_index(["policy", "parameter"])
    assert abs(found.loc[("replace", "temperature"), "importance"] - 2 * share) < 0.3


def test_few_configurations_say_nothing() -> None:
    assert importances(effects(np.random.default_rng(0), 8)).empty


def test_specification_curve_names_the_choices() -> None:
    from analysis.report.sections import specification
    from tests.support import simulated

    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, sizes=tuple(f"dim {d}" for d in (5, 10, 20, 40)), seeds=3, noise=0.05)
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    study = Study(frame.assign(**{"family.rate": frame["config"].map(rates)}), "x")
    section = specification.build(study)
    assert section is not None
    data = section.pictures[0].data
    own = data[data["policy"] == "replace"].sort_values("rank")
    assert own["growth_relative"].is_monotonic_increasing
    assert (own["low"] < own["growth_relative"]).all()
    table = specification.choices(study, "linear", own["config"].tolist())
    assert list(table.columns) == ["size"]  # the rate tells nothing that the size does not
