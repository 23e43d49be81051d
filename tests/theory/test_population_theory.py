"""The error covariance of models that feed each other: matrix recursion, averages and 2,000 replicates side by side."""

import numpy as np
import pytest

from analysis.theory import curves
from analysis.theory.linear import unit_error
from analysis.theory.populations import replace_covariance, replace_limit, spectral_radius
from trainables import Cell, run
from trainables.population import Population

MATRIX = [[0.2, 0.8, 0.0], [0.5, 0.1, 0.4], [0.0, 0.3, 0.7]]
GRAPHS = [
    {"graph": "ring", "shares": 0.3},
    {"graph": "complete", "shares": 0.6},
    {"graph": "star", "shares": 0.5},
    {"graph": "alone"},
    {"graph": "matrix", "shares": MATRIX},
]
SETTINGS = [
    ("linear", "replace", {"graph": "ring", "shares": 0.3}),
    ("linear", "accumulate", {"graph": "complete", "shares": 0.6, "real": "own"}),
    ("linear", "sliding_window", {"graph": "star"}),
    ("linear", "ratio_mix", {"graph": "matrix", "shares": MATRIX}),
    ("gaussian", "replace", {"graph": "matrix", "shares": MATRIX, "real": "own"}),
    ("gaussian", "accumulate", {"graph": "ring"}),
    ("gaussian", "fresh_mix", {"graph": "star", "real": "own"}),
    ("discrete", "accumulate", {"graph": "complete"}),
]
"""Family, policy and graph, chosen beforehand; member 1 of each is anchored on top, once."""
ANCHOR = {"kind": "weighted_fresh", "real": 1, "synthetic": 1, "weight": 0.4}


def cell(family, policy, population, generations=6, **fields):
    base = {"family": {"kind": family}, "policy": {"kind": policy}, "rows": 40, "generations": generations}
    return Cell.model_validate(base | {"population": {"models": 3} | population} | fields)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_flat_history_gives_the_covariance_of_the_matrix_recursion(graph, own):
    """With real data at members 1 and 2 they share the anchor's reserve, so it is `own` real rows that are new for each
    and independent; with shared ones only member 1 draws on it."""
    anchored = [1, 2] if own else [1]
    real = [0.4 if member in anchored else 0.0 for member in (1, 2, 3)]
    population = graph | {"anchor": ANCHOR, "anchored": anchored, "real": "own" if own else "shared"}
    found = curves(cell("linear", "replace", population, 8))
    weights, unit = Population.model_validate({"models": 3} | graph).weights, unit_error(10, 1.0, 40)
    for n in range(1, 9):
        covariance = replace_covariance(weights, real, unit, n, own=own)
        diagonal = np.diag(covariance)
        assert found["test_loss"][n - 1] == pytest.approx(diagonal.mean(), rel=1e-9)
        for member in (1, 2, 3):
            assert found[f"test_loss_{member}"][n - 1] == pytest.approx(diagonal[member - 1], rel=1e-9)
        apart = [diagonal[a] + diagonal[b] - 2 * covariance[a, b] for a, b in ((0, 1), (0, 2), (1, 2))]
        assert found["disagreement"][n - 1] == pytest.approx(np.mean(apart), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize(("family", "policy", "graph"), SETTINGS)
def test_every_expectation_is_within_four_standard_errors_of_2000_replicates(family, policy, graph, anchored):
    population = graph | ({"anchor": ANCHOR} if anchored else {})
    checked = set()
    for record in run(cell(family, policy, population, replicates=2000, seed=7)):
        values = {"test_loss": record.test_loss} | record.metrics
        for name in [name.removeprefix("theory_") for name in values if name.startswith("theory_")]:
            gap = abs(values[name] - values[f"theory_{name}"])
            assert gap <= 4 * values[f"{name}_se"], (name, record.generation)
            checked.add(name)
    main = {"linear": "test_loss", "gaussian": "mean_sq_error", "discrete": "test_loss"}[family]
    assert {main, "disagreement"} <= checked


@pytest.mark.parametrize(
    ("graph", "anchored", "radius"),
    [("alone", [1], 1), ("star", [2], 1), ("star", [1], 0.5), ("ring", [1], None), ("complete", [3], None)],
)
def test_errors_stay_bounded_exactly_where_the_spectral_radius_is_below_one(graph, anchored, radius):
    weights, real = Population(graph=graph).weights, [0.5 if member in anchored else 0.0 for member in (1, 2, 3)]
    found = spectral_radius(weights, real)
    if radius is not None:
        assert found == pytest.approx(radius)
    late = [np.trace(replace_covariance(weights, real, 1.0, n)) for n in (1000, 2000)]
    if found < 1:
        assert late[1] == pytest.approx(np.trace(replace_limit(weights, real, 1.0)), rel=1e-9)
    else:
        assert late[1] - late[0] > 1000 * 0.9, "one batch's error a generation at a member that nobody else feeds"
        with pytest.raises(ValueError, match="not below 1"):
            replace_limit(weights, real, 1.0)


def test_k_models_that_share_everything_lose_a_kth_as_fast():
    """With W uniform every model is the mean of k batches: c(1 + (n − 1)/k)."""
    for k in (2, 3, 5):
        weights = np.full((k, k), 1 / k)
        assert replace_covariance(weights, [0.0] * k, 1.0, 11)[0, 0] == pytest.approx(1 + 10 / k)
