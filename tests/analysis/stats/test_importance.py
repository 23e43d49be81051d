"""Hyperparameter importance and the specification curve, on planted effects."""

import numpy as np
import pandas as pd
import pytest

from analysis.report import ReportContext
from analysis.stats.importance import divergence, importances, ped_anova


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


def test_ped_anova_names_the_planted_parameter_without_a_model() -> None:
    found = importances(effects(np.random.default_rng(0))).set_index(["policy", "parameter"])
    assert found.loc[("replace", "temperature"), "ped_anova"] > 0.7
    assert found.groupby("policy")["ped_anova"].sum().to_numpy() == pytest.approx(1)


def test_what_decides_over_divergence_matters() -> None:
    """Half of all configurations diverge, by their rate alone; growth of the others hardly depends on it."""
    data = effects(np.random.default_rng(0))
    own = data[data["policy"] == "replace"]
    gone = own["family.learning_rate"] > own["family.learning_rate"].median()
    found = importances(own.assign(growth=own["growth"].mask(gone, np.inf))).set_index("parameter")
    dropped = importances(own[~gone]).set_index("parameter")
    assert set(found["configurations"]) == {60}
    assert set(found["diverged"]) == {gone.sum()}
    assert found.loc["learning_rate", "ped_anova"] > 3 * dropped.loc["learning_rate", "ped_anova"]
    assert found.loc["temperature", "importance"] == dropped.loc["temperature", "importance"]


def test_where_most_diverge_the_table_still_says_by_what() -> None:
    """Of twenty configurations five have a growth, those of the least rates; no forest is fitted to so few."""
    data = effects(np.random.default_rng(0), 20)
    own = data[data["policy"] == "replace"]
    gone = own["family.learning_rate"].rank() > 5
    found = importances(own.assign(growth=own["growth"].mask(gone, np.inf))).set_index("parameter")
    assert found[["importance", "low", "high", "r2"]].isna().all(axis=None)
    assert set(found["configurations"]) == {20}
    assert set(found["diverged"]) == {15}
    assert found.loc["learning_rate", "ped_anova"] > 0.8
    assert importances(own.assign(growth=np.inf)).empty


def test_ped_anova_takes_nothing_that_diverged_for_the_best() -> None:
    """Three of sixteen are finite, where a quarter would be four: order of rows among the others must not matter."""
    values = np.random.default_rng(0).uniform(size=(16, 2))
    target = np.where(np.arange(16) < 3, 1.0, np.inf)
    turned = np.r_[0:3, 15:2:-1]
    np.testing.assert_allclose(ped_anova(values, target), ped_anova(values[turned], target[turned]))


def test_policies_that_all_diverge_lie_no_distance_apart() -> None:
    """Ten configurations diverge under both policies, ten under one."""
    data = effects(np.random.default_rng(0), 40)
    gone = (data["config"] < "010") | ((data["config"] < "020") & (data["policy"] == "replace"))
    found = importances(data.assign(growth=data["growth"].mask(gone, np.inf))).set_index("policy")
    assert set(found.loc["between policies", "configurations"]) == {30}
    assert set(found.loc["between policies", "diverged"]) == {10}


def test_ped_anova_ranks_as_optuna_does() -> None:
    """Its evaluator has another grid and other kernels; the order of planted effects is the same."""
    import optuna
    from optuna.distributions import FloatDistribution
    from optuna.importance import PedAnovaImportanceEvaluator

    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, (200, 3))
    target = 3 * values[:, 0] + values[:, 1] + 0.02 * rng.standard_normal(200)
    study = optuna.create_study()
    space = {name: FloatDistribution(0, 1) for name in "abc"}
    for row, value in zip(values, target, strict=True):
        params = dict(zip("abc", map(float, row), strict=True))
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=float(value)))
    theirs = PedAnovaImportanceEvaluator(target_quantile=0.25).evaluate(study)
    ours = dict(zip("abc", ped_anova(values, target), strict=True))
    assert sorted(ours, key=ours.__getitem__) == sorted(theirs, key=theirs.__getitem__) == ["c", "b", "a"]


def test_the_divergence_of_frequencies_is_pearsons() -> None:
    """p = (2 + ½)/3, ½/3 and q = (2 + ½)/5, (2 + ½)/5: one count is spread over both values."""
    p, q = np.array([2.5, 0.5]) / 3, np.array([0.5, 0.5])
    found = divergence(np.array([0.0, 0.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert found == pytest.approx((q * (p / q - 1) ** 2).sum())
    assert divergence(np.arange(100.0), np.arange(100.0)) == pytest.approx(0)


def test_parallel_coordinates_draw_every_configuration_of_a_search() -> None:
    from analysis.report import style
    from analysis.report.sections import parallel
    from tests.support import simulated

    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, sizes=tuple(f"dim {d}" for d in range(12)), seeds=2, generations=4, noise=0.05)
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    searched = frame.assign(**{"family.rate": frame["config"].map(rates)})
    section = parallel.build(ReportContext(searched, "x"))
    assert section is not None
    assert [p.name for p in section.pictures] == ["parallel-linear-replace", "parallel-linear-accumulate"]
    picture = section.pictures[0]
    assert picture.data["configuration"].nunique() == 12
    with style.figure("x", picture.width, picture.height) as figure:
        picture.paint(figure)
        (axes,) = figure.axes
        assert sum(len(drawn.get_segments()) for drawn in axes.collections) == 12
        assert [t.get_text().split("\n")[0] for t in axes.get_xticklabels()][-1] == "growth"
    assert parallel.build(ReportContext(simulated.study(simulated.noisy(rng)), "few")) is None


def test_the_report_counts_configurations_that_diverged() -> None:
    from analysis.report.sections import importance
    from tests.support import simulated

    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, sizes=tuple(f"dim {d}" for d in range(15)), seeds=3, generations=4, noise=0.05)
    values["dim 14", "replace", 1][2:] = np.inf
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    section = importance.build(ReportContext(frame.assign(**{"family.rate": frame["config"].map(rates)}), "x"))
    assert section is not None
    counts = section.exhibits[0].table.drop_duplicates("policy").set_index("policy")[["configurations", "diverged"]]
    assert counts.loc["replace"].tolist() == [15, 1]
    assert counts.loc["accumulate"].tolist() == [15, 0]


def test_a_study_of_which_most_diverged_has_both_sections() -> None:
    from analysis.report.sections import importance, parallel
    from tests.support import simulated

    values = simulated.noisy(
        np.random.default_rng(0), ("replace",), tuple(f"dim {d}" for d in range(15)), seeds=3, generations=4, noise=0.05
    )
    for size in range(5, 15):
        values[f"dim {size}", "replace", 1][2:] = np.inf
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    study = ReportContext(frame.assign(**{"family.rate": frame["config"].map(rates)}), "x")
    section = importance.build(study)
    assert section is not None
    assert not section.pictures
    shown = section.exhibits[0].shown
    assert set(shown["importance"]) == set(shown["R²"]) == {""}
    assert set(shown["diverged"]) == {10}
    drawn = parallel.build(study)
    assert drawn is not None
    assert np.isinf(drawn.pictures[0].data["growth"]).sum() == 10


def test_parallel_coordinates_show_what_diverged_above_the_rest() -> None:
    from analysis.report import style
    from analysis.report.sections import parallel
    from tests.support import simulated

    rng = np.random.default_rng(0)
    sizes = tuple(f"dim {d}" for d in range(15))
    values = simulated.noisy(rng, ("replace",), sizes, seeds=3, generations=4, noise=0.05)
    values["dim 14", "replace", 1][2:] = np.inf
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    section = parallel.build(ReportContext(frame.assign(**{"family.rate": frame["config"].map(rates)}), "x"))
    assert section is not None
    picture = section.pictures[0]
    assert np.isinf(picture.data["growth"]).sum() == 1
    with style.figure("x", picture.width, picture.height) as figure:
        picture.paint(figure)
        (axes,) = figure.axes
        ends = sorted(line[-1][1] for drawn in axes.collections for line in drawn.get_segments())
        marks = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert len(ends) == 15
    assert ends[-1] == marks["diverged"] == 1
    assert 0.8 < ends[-2] < 0.95


def test_few_configurations_say_nothing() -> None:
    assert importances(effects(np.random.default_rng(0), 8)).empty


def test_specification_curve_names_the_choices() -> None:
    from analysis.report.sections import specification
    from tests.support import simulated

    rng = np.random.default_rng(0)
    values = simulated.noisy(rng, sizes=tuple(f"dim {d}" for d in (5, 10, 20, 40)), seeds=3, noise=0.05)
    frame = simulated.study(values)
    rates = {config: float(i) for i, config in enumerate(sorted(frame["config"].unique()))}
    study = ReportContext(frame.assign(**{"family.rate": frame["config"].map(rates)}), "x")
    section = specification.build(study)
    assert section is not None
    data = section.pictures[0].data
    own = data[data["policy"] == "replace"].sort_values("rank")
    assert own["growth_relative"].is_monotonic_increasing
    assert (own["low"] < own["growth_relative"]).all()
    table = specification.choices(study, "linear", own["config"].tolist())
    assert list(table.columns) == ["size"]  # the rate tells nothing that the size does not


def test_specification_curve_shows_no_growth_of_what_diverged() -> None:
    from analysis.report.sections import specification
    from tests.support import simulated

    values = simulated.noisy(
        np.random.default_rng(0), ("replace",), tuple(f"dim {d}" for d in (5, 10, 20)), seeds=3, noise=0.05
    )
    values["dim 5", "replace", 0][3:] = np.inf
    section = specification.build(ReportContext(simulated.study(values), "x"))
    assert section is not None
    data = section.pictures[0].data.sort_values("rank")
    assert data["size"].tolist()[-1] == "dim 5"
    assert data["growth_relative"].isna().tolist() == [False, False, True]
    assert data[["low", "high"]].isna().all(axis=1).tolist() == [False, False, True]
