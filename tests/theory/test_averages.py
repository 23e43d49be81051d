"""Expectations of averages against the same recursion worked out row by row, every random choice enumerated."""

import pytest

from analysis.theory import curves
from analysis.theory.averages import averages
from analysis.theory.history import history
from tests.support.every_row import EveryRow
from trainables import Cell

ROWS, GENERATIONS = 3, 4


def share(source, **fields):
    return {"source": source} | fields


def composed(*shares, **fields):
    return {"kind": "compose", "corpus": list(shares)} | fields


POLICIES = {
    "replaced": {"kind": "replace"},
    "replaced, sharper": {"kind": "replace", "bias": 0.4},
    "accumulated": {"kind": "accumulate", "bias": 1.7},
    "growing batches": {"kind": "replace_multiple"},
    "growing pool": composed(share("pool"), sample={"times": 1, "power": 1}),
    "a window": {"kind": "sliding_window", "window": 2},
    "a subsample": {"kind": "accumulate_subsample", "bias": 0.6},
    "a bootstrap": composed(share("pool", times=1, how="bootstrap")),
    "a bootstrap of the last batch": composed(share("latest", rows=2, how="bootstrap"), bias=0.5),
    "two random draws": composed(share("pool", rows=2, how="subsample"), share("real", rows=2, how="bootstrap")),
    "real beside synthetic": {"kind": "synthetic_augmentation", "real": 2 / 3, "synthetic": 2 / 3},
    "the whole of both, weighed": composed(share("real", weight=0.3), share("synthetic", weight=2.0)),
    "fresh beside synthetic": {"kind": "fresh_mix", "real": 1 / 3, "synthetic": 1.0},
    "fresh, weighed": {"kind": "weighted_fresh", "weight": 0.2, "real": 1.0, "synthetic": 2 / 3},
    "fewer real ones each time": {"kind": "decaying_real", "fresh": True},
    "first rows of a pool": composed(share("pool", rows=5, weight=0.5), share("latest", times=1)),
}


def cell(policy, **fields):
    base = {"family": {"kind": "gaussian", "dim": 1}, "policy": policy, "rows": ROWS, "generations": GENERATIONS}
    return Cell.model_validate(base | fields)


def check(asked, found, expected):
    keys = [(n, member) for n in range(1, asked.generations + 1) for member in asked.members]
    assert found.error == pytest.approx([expected.error[key] for key in keys], rel=1e-10)
    assert found.spread == pytest.approx([expected.spread[key] for key in keys], rel=1e-10)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_errors_and_spreads_are_those_of_every_single_row(policy):
    asked = cell(policy)
    past = history(asked)
    check(asked, averages(past, "biased"), EveryRow(asked))
    check(asked, averages(past, "unbiased"), EveryRow(asked, unbiased=True))
    check(asked, averages(past, "biased", widen=0.3), EveryRow(asked, widen=0.3))


@pytest.mark.parametrize("policy", ["replace", "accumulate", "synthetic_augmentation", "accumulate_subsample"])
def test_rows_drawn_again_from_the_truth_have_a_mixture_s_variance(policy):
    """Of κ of the rows the model's, of 1 − κ the truth's: κ(μ̂² + s) + 1 − κ is what a row's square comes to."""
    asked = cell({"kind": "self_corrected", "strength": 0.5, "base": {"kind": policy}, "bias": 0.8})
    check(asked, averages(history(asked), "biased", redrawn=True), EveryRow(asked, redrawn=True))
    check(asked, averages(history(asked), "biased"), EveryRow(asked))


@pytest.mark.parametrize("own", ["own", "shared"])
@pytest.mark.parametrize("policy", ["a window", "fresh beside synthetic", "accumulated", "the whole of both, weighed"])
def test_members_of_a_population_are_averages_over_one_pool(policy, own):
    population = {"models": 3, "graph": "star", "shares": 0.4, "real": own}
    asked = cell(POLICIES[policy], population=population, generations=3)
    found, expected = averages(history(asked)), EveryRow(asked)
    check(asked, found, expected)
    assert found.apart == pytest.approx([expected.apart(n) for n in (1, 2, 3)], rel=1e-9, abs=1e-14)
    assert (found.apart[0] == 0) == (own == "shared")


def test_a_single_lineage_has_nothing_to_be_apart_from():
    assert averages(history(cell({"kind": "replace"}))).apart == ()


def test_a_known_variance_stays_one_and_an_innovation_is_what_the_unit_says():
    """`unit` replaces 1/rows: with 7/rows² and 3 rows each batch adds 7/9 times its sampler's bias."""
    found = averages(history(cell({"kind": "replace", "bias": 0.5})), "known", lambda rows: 7 / rows**2)
    assert found.spread == (1.0,) * GENERATIONS
    assert found.error == pytest.approx([7 / 9 * (1 + 0.5 * n) for n in range(GENERATIONS)])


def test_of_a_part_of_a_batch_the_unit_counts_its_rows_alone():
    """The mean of a batch's first k rows errs by unit(k): 9 − k² for 2 of 3 real rows is 5, for all of them 0."""
    asked = cell(composed(share("real", rows=2)), generations=2)
    found = averages(history(asked), "known", lambda rows: 9.0 - rows**2)
    assert found.error == pytest.approx([0.0, 5.0])


def test_theory_of_a_forked_cell_is_that_of_every_row():
    asked = cell({"kind": "fresh_mix"}, fork={"generation": 2, "policy": {"kind": "accumulate"}}, generations=5)
    check(asked, averages(history(asked)), EveryRow(asked))
    fresh = {"kind": "weighted_fresh", "weight": 0.4}
    asked = cell({"kind": "fresh_mix"}, fork={"generation": 3, "policy": fresh}, generations=5)
    check(asked, averages(history(asked)), EveryRow(asked))


@pytest.mark.parametrize(
    ("kind", "family", "policy", "scale"),
    [
        ("discrete", {"categories": 3, "start": "uniform"}, "accumulate", 2 / 3),
        ("bernoulli", {"mean": 0.2}, "accumulate_subsample", 0.16),
        ("gaussian", {"dim": 2}, "sliding_window", 2.0),
        ("kde", {"bandwidth": 0.5}, "replace", 2.0),
        ("poisson", {"mean": 2.5}, "accumulate", 2.5),
    ],
)
def test_a_family_s_error_is_its_rows_variance_times_the_averages(kind, family, policy, scale):
    """1 − Σp² = 2/3 of one-hot rows, p(1 − p), one for each coordinate, and a count's mean; 3 rows."""
    asked = cell({"kind": policy}, family={"kind": kind} | family)
    past, main = history(asked), "mean_sq_error" if kind in ("gaussian", "kde") else "test_loss"
    widen, rule = (0.25 if kind == "kde" else 0.0), ("known" if kind == "poisson" else "biased")
    expected = [scale * error for error in averages(past, rule, widen=widen).error]
    assert curves(asked)[main] == pytest.approx(expected)


def test_a_known_variance_of_rows_drawn_at_random_is_that_of_the_pool():
    """3 of 3 real rows of variance 1 and 3 of ¼, with replacement: the pool's mean errs by the batches' own parts, the
    draw by (1 + ¼)/2 a row."""
    policy = composed(share("pool", rows=3, how="bootstrap"), bias=0.25)
    pooled = composed(share("pool"), bias=0.25)
    drawn, whole = (averages(history(cell(p, generations=2)), "known").error for p in (policy, pooled))
    assert drawn[1] - whole[1] == pytest.approx(1.25 / 2 / 3)
