"""What is lost by chance: chains of counts enumerated outcome by outcome, and what a record's curves take of them."""

import math
from itertools import product

import numpy as np
import pytest

from analysis.theory import curves, drift
from analysis.theory.discrete import first_survivors, probabilities
from analysis.theory.poisson import absorbed
from trainables import Cell
from trainables.families.closed_form.discrete import DiscreteConfig


def outcomes(chances, rows, generations):
    """P(counts of every category at generation n), each row's category enumerated, generation by generation."""
    laws = [{tuple(chances): 1.0}]
    for _ in range(generations):
        law: dict[tuple[float, ...], float] = {}
        for shares, weight in laws[-1].items():
            for drawn in product(range(len(chances)), repeat=rows):
                chance = weight * math.prod(shares[k] for k in drawn)
                counts = tuple(drawn.count(k) / rows for k in range(len(chances)))
                law[counts] = law.get(counts, 0.0) + chance
        laws.append(law)
    return laws[1:]


CHANCES, ROWS, GENERATIONS = np.array([0.6, 0.3, 0.1]), 3, 4


@pytest.fixture(scope="module")
def laws():
    return outcomes(CHANCES, ROWS, GENERATIONS)


def test_losses_survivors_and_winners_are_those_of_all_outcomes(laws):
    for n, law in enumerate(laws):
        gone = [sum(p for shares, p in law.items() if shares[k] == 0) for k in range(3)]
        left = sum(p * sum(share > 0 for share in shares) for shares, p in law.items())
        alone = sum(p for shares, p in law.items() if max(shares) == 1)
        assert drift.lost(CHANCES, ROWS, GENERATIONS)[n] == pytest.approx(gone)
        assert drift.survivors(CHANCES, ROWS, GENERATIONS)[n] == pytest.approx(left)
        assert drift.one_left(CHANCES, ROWS, GENERATIONS)[n] == pytest.approx(alone)
    assert first_survivors(CHANCES, ROWS) == pytest.approx(drift.survivors(CHANCES, ROWS, 1)[0])


def test_a_record_s_curves_are_those_of_all_outcomes(laws):
    """‖p̂ − p‖², 1 − Σp̂², survivors and the chance of one, of three categories of Zipf's law."""
    family = {"kind": "discrete", "categories": 3, "exponent": 1.5}
    asked = Cell.model_validate({"family": family, "policy": {"kind": "replace"}, "rows": 3, "generations": 4})
    zipf = np.array([1.0, 2**-1.5, 3**-1.5]) / (1 + 2**-1.5 + 3**-1.5)
    assert probabilities(asked.family) == pytest.approx(zipf)
    found = curves(asked)
    for n, law in enumerate(outcomes(zipf, ROWS, GENERATIONS)):
        shares, chances = np.array(list(law)), np.array(list(law.values()))
        assert found["test_loss"][n] == pytest.approx(chances @ ((shares - zipf) ** 2).sum(axis=1))
        assert found["gini_simpson"][n] == pytest.approx(chances @ (1 - (shares**2).sum(axis=1)))
        assert found["surviving_categories"][n] == pytest.approx(chances @ (shares > 0).sum(axis=1))
        assert found["forgotten"][n] == pytest.approx(chances @ (shares.max(axis=1) == 1))


@pytest.mark.parametrize(("rows", "per_failure"), [(1, 0.0), (2, 2.0)])
def test_the_time_until_one_is_left_of_one_or_two_rows(rows, per_failure):
    """One row is one category at once; two that differ, with chance 1 − Σp², agree in each later fit with chance ½."""
    expected = 1 + per_failure * (1 - (CHANCES**2).sum())
    assert drift.mean_forgetting_time(CHANCES, rows) == pytest.approx(expected)


def test_a_uniform_start_is_even():
    assert probabilities(DiscreteConfig(categories=5, start="uniform")) == pytest.approx([0.2] * 5)


def test_a_coin_is_a_category_of_two():
    """(p̂ − p)² is half the squared distance of both frequencies, and variance over pq is diversity over 2pq."""
    fields = {"policy": {"kind": "accumulate"}, "rows": 7, "generations": 5}
    for policy in ("replace", "accumulate"):
        coin, two = (
            curves(Cell.model_validate({"family": family} | fields | {"policy": {"kind": policy}}))
            for family in (
                {"kind": "bernoulli", "mean": 2 / 3},
                {"kind": "discrete", "categories": 2},
            )
        )
        assert coin["test_loss"] == pytest.approx(np.divide(two["test_loss"], 2))
        assert coin["variance_ratio"] == pytest.approx(np.divide(two["gini_simpson"], 4 / 9))
        assert ("absorbed" in coin) == (policy == "replace")
        assert coin.get("absorbed") == (pytest.approx(two["forgotten"]) if policy == "replace" else None)


def test_counts_die_out_as_a_branching_process_by_hand():
    """No row of the first batch: e^(−Nλ). None of the second: a first sum of k leaves e^(−k), k ~ Poisson(Nλ)."""
    rows, mean = 3, 0.5
    first = math.exp(-rows * mean)
    weights = [math.exp(-1.5) * 1.5**k / math.factorial(k) for k in range(60)]
    second = sum(w * math.exp(-k) for k, w in enumerate(weights))
    third = sum(
        w * sum(math.exp(-k) * k**j / math.factorial(j) * math.exp(-j) for j in range(60))
        for k, w in enumerate(weights)
    )
    assert absorbed(mean, rows, 3) == pytest.approx((first, second, third))


@pytest.mark.parametrize(
    ("family", "policy", "metrics"),
    [
        ({"kind": "poisson"}, {"kind": "replace"}, {"test_loss", "variance_ratio", "absorbed"}),
        ({"kind": "poisson"}, {"kind": "replace_multiple"}, {"test_loss", "variance_ratio"}),
        ({"kind": "poisson"}, {"kind": "self_corrected"}, {"test_loss", "variance_ratio"}),
        ({"kind": "poisson"}, {"kind": "accumulate_subsample"}, set()),
        ({"kind": "bernoulli"}, {"kind": "replace"}, {"test_loss", "variance_ratio", "absorbed"}),
        ({"kind": "bernoulli"}, {"kind": "replace_multiple"}, {"test_loss", "variance_ratio"}),
        ({"kind": "bernoulli"}, {"kind": "self_corrected"}, {"test_loss", "variance_ratio"}),
        ({"kind": "bernoulli"}, {"kind": "replace", "bias": 0.5}, set()),
        ({"kind": "discrete"}, {"kind": "self_corrected"}, {"test_loss", "gini_simpson"}),
        ({"kind": "kde"}, {"kind": "replace", "bias": 0.5}, set()),
        ({"kind": "mixture"}, {"kind": "replace"}, set()),
    ],
)
def test_a_law_is_told_where_it_holds(family, policy, metrics):
    asked = Cell.model_validate({"family": family, "policy": policy, "rows": 40, "generations": 2})
    assert set(curves(asked)) == metrics


@pytest.mark.parametrize(("rows", "told"), [(drift.LARGEST, True), (drift.LARGEST + 1, False)])
@pytest.mark.parametrize(("kind", "metric"), [("discrete", "forgotten"), ("bernoulli", "absorbed")])
def test_chains_are_evaluated_up_to_their_largest(kind, metric, rows, told):
    fields = {"policy": {"kind": "replace"}, "rows": rows, "generations": 1}
    asked = Cell.model_validate({"family": {"kind": kind}} | fields)
    assert (metric in curves(asked)) == told


def test_a_poisson_mean_errs_by_its_own_variance_and_stays_on_average():
    asked = Cell.model_validate(
        {"family": {"kind": "poisson", "mean": 3.0}, "policy": {"kind": "replace"}, "rows": 6, "generations": 3}
    )
    assert curves(asked)["test_loss"] == pytest.approx([0.5, 1.0, 1.5])
    assert curves(asked)["variance_ratio"] == (1.0,) * 3
