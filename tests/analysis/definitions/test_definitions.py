"""The eight definitions: met where it is planted, not met where it is not, and never by chance too often."""

import numpy as np
import pandas as pd
import pytest

from analysis.definitions import (
    MET,
    NOT_MET,
    UNDECIDED,
    cases,
    definition,
    definition_matrix,
    definitions,
    findings,
    sensitivity,
)
from analysis.definitions.base import UNSUPPORTED, Definition
from analysis.verdicts import Thresholds
from tests.support import simulated

N = np.arange(1, 21)
PLANTED = {
    "catastrophic_increase": ("test_loss", 0.5 * N, np.full(20, 1.0)),
    "any_increase": ("test_loss", 1 + 0.01 * N, 2 - 0.01 * N),
    "diverging_risk": ("test_loss", 1 + np.log(N), 2 - 1 / N**2),
    "collapsing_variance": ("trace_ratio", 0.9**N, np.full(20, 1.0)),
    "entangled_modes": ("mode_overlap", 0.02 * N, np.full(20, 0.01)),
    "lost_tail": ("tail_coverage", 0.9**N, np.full(20, 0.9)),
    "hallucinated_data": ("precision", 1 - 0.02 * N, np.full(20, 0.9)),
}
"""Metric, a curve that meets the definition, and one that does not."""


def frame(
    metric: str, curves: dict[str, np.ndarray], seeds: int = 5, noise: float = 0.002, count: int = 1
) -> pd.DataFrame:
    """A study of `count` configurations with one curve per policy; a flat loss beside any other metric."""
    rng = np.random.default_rng(0)
    keys = [(f"{i:04d}", p, s) for i in range(count) for p in curves for s in range(seeds)]
    values = {k: curves[k[1]] + noise * rng.standard_normal(len(curves[k[1]])) for k in keys}
    if metric == "test_loss":
        return simulated.study(values, "toy")
    losses = {k: 1 + noise * rng.standard_normal(len(v)) for k, v in values.items()}
    return simulated.study(losses, "toy", metrics={metric: values})


def words(data: pd.DataFrame, chosen: Definition, limits: Thresholds | None = None) -> dict[str, str]:
    found = findings(cases(data, limits or Thresholds()), [chosen])
    return dict(zip(found["policy"], found["word"], strict=True))


@pytest.mark.parametrize("name", PLANTED)
def test_planted_collapse_is_found_and_its_absence_too(name: str) -> None:
    metric, met, kept = PLANTED[name]
    data = frame(metric, {"replace": met, "accumulate": kept})
    assert words(data, definition(name)) == {"replace": MET, "accumulate": NOT_MET}


@pytest.mark.parametrize("name", PLANTED)
def test_too_few_seeds_decide_nothing(name: str) -> None:
    metric, met, kept = PLANTED[name]
    data = frame(metric, {"replace": met, "accumulate": kept}, seeds=2)
    assert set(words(data, definition(name)).values()) == {UNDECIDED}


@pytest.mark.parametrize("name", ["catastrophic_increase", "any_increase", "diverging_risk"])
def test_constant_curves_rarely_meet_a_definition(name: str) -> None:
    """400 constant curves with noise of 5 %: met in at most 5 %."""
    data = frame("test_loss", {"replace": np.ones(10)}, noise=0.05, count=400)
    found = findings(cases(data, Thresholds()), [definition(name)])
    assert (found["word"] == MET).mean() <= 0.05


def test_worse_than_the_uniform_baseline_is_catastrophic() -> None:
    curve = 5 + 0.06 * N
    rng = np.random.default_rng(0)
    values = {("a", "replace", s): curve + 0.01 * rng.standard_normal(20) for s in range(4)}
    uniform = {k: np.full(20, 6.0) for k in values}
    chosen = definition("1")
    assert words(simulated.study(values, "language"), chosen) == {"replace": NOT_MET}
    assert words(simulated.study(values, "language", metrics={"uniform_loss": uniform}), chosen) == {"replace": MET}


def test_scaling_law_that_changes() -> None:
    rng = np.random.default_rng(0)
    values = {}
    for policy, floor in (("replace", 2.4), ("accumulate", 1.8)):
        for size in np.geomspace(1e5, 1e8, 5):
            for seed in range(4):
                curve = np.array([1.8 + 200 * size**-0.4, floor + 200 * size**-0.4])
                values[f"{size:.0f}", policy, seed] = curve + 0.0005 * rng.standard_normal(2)
    data = simulated.study(values, "language")
    data = data.assign(parameters=data["size"].astype(float))
    assert words(data, definition("changed_scaling")) == {"replace": MET, "accumulate": NOT_MET}
    gone = (
        (data["policy"] == "accumulate") & (data["generation"] == 2) & (data["size"] == "100000") & (data["seed"] == 1)
    )
    lost = data.assign(test_loss=data["test_loss"].mask(gone, np.inf))
    found = findings(cases(lost, Thresholds()), [definition("changed_scaling")])
    own = found[found["config"].isin(lost.loc[gone, "config"]) & (found["policy"] == "accumulate")]
    assert own["word"].tolist() == [MET], "what went to infinity is on no law"


def test_what_a_family_does_not_record_is_not_supported() -> None:
    found = findings(cases(frame("test_loss", {"replace": N * 1.0}), Thresholds())).set_index("number")
    assert found.loc[[4, 5, 6, 7, 8], "word"].eq(UNSUPPORTED).all()
    assert found.loc[[4, 5, 6, 7, 8], "reason"].ne("").all()
    assert found.loc[[1, 2, 3], "word"].ne(UNSUPPORTED).all()
    negative = findings(cases(frame("test_loss", {"replace": N - 30.0}), Thresholds()), [definition("1")])
    assert negative["word"].tolist() == [UNSUPPORTED]


def test_matrix_counts_configurations() -> None:
    data = frame("test_loss", {"replace": 0.5 * N, "accumulate": np.full(20, 1.0)}, count=3)
    found = definition_matrix(findings(cases(data, Thresholds())))
    first = found[found["number"] == 1].set_index("policy")
    assert first.loc["replace", [MET, NOT_MET, UNDECIDED, UNSUPPORTED]].tolist() == [3, 0, 0, 0]
    assert first.loc["accumulate", [MET, NOT_MET, UNDECIDED, UNSUPPORTED]].tolist() == [0, 3, 0, 0]
    assert len(found) == 2 * len(definitions())


def test_sensitivity_moves_with_the_threshold() -> None:
    data = frame("trace_ratio", {"replace": np.linspace(1, 0.3, 20)}, count=2)
    moved = sensitivity(cases(data, Thresholds()))
    own = moved[moved["definition"] == "collapsing_variance"].set_index("threshold")["met"]
    assert own.to_dict() == {0.05: 0, 0.1: 0, 0.25: 0, 0.5: 1, 0.75: 1, 0.9: 1, 0.95: 1}


def test_names_and_numbers() -> None:
    assert [d.number for d in definitions()] == list(range(1, len(definitions()) + 1))
    assert definition("7") is definition("lost_tail")
    with pytest.raises(ValueError, match=r"definition: no 'x' \(known: 1 catastrophic_increase"):
        definition("x")
    assert all(d.threshold in d.grid for d in definitions())
