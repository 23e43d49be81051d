"""Cells that ask for more rows than exist are refused before anything is trained."""

import pytest

from trainables import Cell, run
from trainables.families.closed_form.gaussian import GaussianConfig
from trainables.recursion import check_data, planned_reserve


def cell(policy, **fields):
    base = {"family": {"kind": "gaussian"}, "policy": policy, "rows": 20, "generations": 6}
    return Cell.model_validate(base | fields)


@pytest.fixture
def short_source(monkeypatch):
    """A source of 60 training rows."""
    monkeypatch.setattr(GaussianConfig, "available_rows", lambda self: 60)


def test_the_reserve_is_what_all_generations_use():
    assert planned_reserve(cell({"kind": "accumulate"})) == 0
    assert planned_reserve(cell({"kind": "fresh_mix"})) == 5 * 10
    assert planned_reserve(cell({"kind": "decaying_real", "fresh": True})) == 10 + 7 + 5 + 4 + 3
    assert planned_reserve(cell({"kind": "fresh_mix"}, generations=1)) == 0


def test_the_reserve_includes_the_fork():
    fork = {"generation": 4, "policy": {"kind": "fresh_mix", "real": 2}}
    assert planned_reserve(cell({"kind": "replace"}, fork=fork)) == 2 * 40
    assert planned_reserve(cell({"kind": "fresh_mix"}, fork=fork)) == 3 * 10 + 2 * 40
    assert planned_reserve(cell({"kind": "fresh_mix"}, fork={"generation": 4, "policy": {"kind": "replace"}})) == 30


def test_an_exhausted_reserve_is_refused_with_the_arithmetic(short_source):
    check_data(cell({"kind": "fresh_mix"}, generations=5))
    with pytest.raises(
        ValueError,
        match=r"^rows: 20 real rows and a reserve of 50 fresh ones over 6 generations make 70, "
        "but the training split of gaussian holds 60$",
    ):
        check_data(cell({"kind": "fresh_mix"}))


def test_a_fork_that_exhausts_the_reserve_is_refused(short_source):
    fork = {"generation": 4, "policy": {"kind": "fresh_mix", "real": 2}}
    with pytest.raises(ValueError, match="make 100"):
        next(run(cell({"kind": "replace"}, fork=fork)))


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        ([{"source": "real", "times": 2}], "policy: generation 2 draws 40 rows .* from batch 0, which will hold 20"),
        (
            [{"source": "pool", "how": "subsample", "times": 2.5}],
            "generation 2 draws 50 rows without replacement from batches 0, 1, which will hold 40",
        ),
        ([{"source": "real", "times": 1, "decay": 0.1}], "policy.corpus: generation 3 would be fitted on no rows"),
        (
            [{"source": "synthetic", "window": 2, "how": "subsample", "times": 0.5, "power": 2}],
            "generation 2 draws 40 rows without replacement from batch 1, which will hold 20",
        ),
    ],
)
def test_recipes_that_ask_for_too_much_are_refused(corpus, message):
    with pytest.raises(ValueError, match=message):
        check_data(cell({"kind": "compose", "corpus": corpus}))


def test_drawing_with_replacement_is_never_too_much():
    check_data(cell({"kind": "compose", "corpus": [{"source": "real", "times": 3, "how": "bootstrap"}]}))


def test_the_fork_is_named():
    policy = {"kind": "compose", "corpus": [{"source": "real", "times": 2}]}
    with pytest.raises(ValueError, match=r"fork\.policy: generation 4 draws"):
        check_data(cell({"kind": "replace"}, fork={"generation": 3, "policy": policy}))
