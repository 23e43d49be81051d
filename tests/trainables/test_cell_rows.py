"""Where a cell's rows lie: members, origins, fresh rows, batches as their readers need them; and what it checks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from trainables import Cell
from trainables.config import explain
from trainables.policies import FRESH

BASE: dict[str, Any] = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 20, "generations": 5}
FRESH_HALF: dict[str, Any] = {"kind": "fresh_mix", "real": 0.5, "synthetic": 0.5}


def cell(**changes: Any) -> Cell:
    return Cell.model_validate(BASE | changes)


def line(**changes: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        cell(**changes)
    return explain(caught.value, Cell)


def spans(made: Cell, member: int = 1) -> list[tuple[int, int]]:
    """Fresh rows behind batch 0 that a member's generations take, from 2 on."""
    found = []
    for generation in range(2, made.generations + 1):
        for draw in made.recipe(generation, member).draws:
            if draw.batches == (FRESH,):
                assert draw.rows is not None
                found.append((draw.start, draw.start + draw.rows))
    return found


def test_a_cell_alone_has_one_member_that_begins_at_the_first_row() -> None:
    assert list(cell().members) == [1]
    assert (cell().origin(), cell().origin(1)) == (0, 0)
    assert cell().recipe(3) == cell().recipe(3, 1)
    assert cell().budget.rows == 20


@pytest.mark.parametrize(("real", "origins"), [("own", [0, 20, 40]), ("shared", [0, 0, 0])])
def test_members_with_their_own_rows_begin_one_behind_the_other(real: str, origins: list[int]) -> None:
    made = cell(population={"models": 3, "real": real})
    assert list(made.members) == [1, 2, 3]
    assert [made.origin(member) for member in made.members] == origins


def test_shared_real_rows_are_everybody_s_the_fresh_ones_too() -> None:
    made = cell(policy=FRESH_HALF, population={"models": 2, "real": "shared"})
    assert spans(made, 1) == spans(made, 2) == [(0, 10), (10, 20), (20, 30), (30, 40)]


def test_fresh_rows_of_their_own_lie_behind_everybody_s_batch_0_generation_by_generation() -> None:
    """Two members, N = 20, ten fresh rows each a generation: behind row 40, that is 20 behind the first batch 0."""
    made = cell(policy=FRESH_HALF, population={"models": 2, "real": "own"})
    assert spans(made, 1) == [(20, 30), (40, 50), (60, 70), (80, 90)]
    assert spans(made, 2) == [(30, 40), (50, 60), (70, 80), (90, 100)]


def test_after_a_fork_fresh_rows_go_on_where_the_first_policy_stopped() -> None:
    """Ten a generation up to 3, then twenty: 20 are used by then."""
    fork = {"generation": 3, "policy": {"kind": "fresh_mix", "real": 1, "synthetic": 1}}
    assert spans(cell(policy=FRESH_HALF, fork=fork)) == [(0, 10), (10, 20), (20, 40), (40, 60)]
    back = {"generation": 3, "policy": {"kind": "replace"}}
    assert spans(cell(policy=FRESH_HALF, fork=back)) == [(0, 10), (10, 20)]
    late = {"generation": 3, "policy": FRESH_HALF}
    assert spans(cell(fork=late)) == [(0, 10), (10, 20)]


def test_a_fork_rules_from_the_generation_after_it() -> None:
    made = cell(fork={"generation": 3, "policy": {"kind": "accumulate"}})
    assert [max(len(draw.batches) for draw in made.recipe(n).draws) for n in (2, 3, 4, 5)] == [1, 1, 4, 5]


def test_a_batch_has_the_rows_of_its_hungriest_reader() -> None:
    """Member 1 is anchored and plans for 10 synthetic rows; member 2 reads it and replaces: it needs 20."""
    population = {"models": 2, "graph": "complete", "anchor": FRESH_HALF}
    made = cell(population=population)
    assert made.batch_sizes(1, 1) == (10, 20)
    assert made.batch_sizes(1, 2) == (20, 20)
    assert [made.recipe(2, member).kept_rows for member in (1, 2)] == [20, 20]
    alone = cell(population=population | {"graph": "alone"})
    assert alone.batch_sizes(1, 1) == (10, 10)


def test_who_selects_rows_is_not_asked_for_more_of_them() -> None:
    anchor = {"kind": "compose", "sample": {"times": 2}, "keep": {"rule": "top", "judge": "first", "candidates": 4}}
    made = cell(population={"models": 2, "graph": "complete", "anchor": anchor})
    planned, held = made.batch_sizes(1, 1)
    assert planned == held


def test_a_reader_s_loss_is_split_by_shares_whatever_rows_its_sources_hold() -> None:
    """Of a complete graph at shares 0.4: 0.6 of the synthetic loss is the reader's own, 0.4 the other's."""
    anchor = {"kind": "compose", "sample": {"times": 3}, "corpus": [{"source": "latest"}]}
    made = cell(population={"models": 2, "graph": "complete", "shares": 0.4, "anchor": anchor})
    held = {member: made.recipe(3, member).kept_rows for member in (1, 2)}
    assert held == {1: 60, 2: 60}
    for member, planned in ((1, 60), (2, 20)):
        mass = {draw.source: held[draw.source] * draw.weight for draw in made.draws(made.recipe(3, member), member)}  # type: ignore[attr-defined]
        assert mass == pytest.approx({member: 0.6 * planned, 3 - member: 0.4 * planned})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"rows": 1, "family": {"kind": "gaussian", "dim": 3}},
            "rows: gaussian in dimension 3 needs at least 4 (dim + 1), not 1",
        ),
        ({"generations": 10_001}, "generations: input should be less than or equal to 10000, not 10001"),
        (
            {"population": {"models": 2, "anchor": {"kind": "token_edit"}}},
            "population.anchor: token_edit needs a family with edit; gaussian has bias, correct, score",
        ),
        (
            {"policy": {"kind": "token_edit"}, "family": {"kind": "random_features"}},
            "policy: token_edit needs a family with edit; random_features has bias, score",
        ),
        (
            {"family": {"kind": "vae"}, "rows": 10, "population": {"models": 1}},
            "population.models: input should be greater than or equal to 2, not 1",
        ),
        (
            {"fork": {"generation": 1, "policy": {"kind": "token_edit"}}},
            "fork.policy: token_edit needs a family with edit; gaussian has bias, correct, score",
        ),
    ],
)
def test_a_cell_that_can_not_be_is_told_by_the_field(changes: dict[str, Any], said: str) -> None:
    assert line(**changes) == said


def test_ten_thousand_generations_are_the_most() -> None:
    assert cell(generations=10_000).generations == 10_000


def test_what_a_family_refuses_of_its_own_fields_is_told_at_that_field(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, rows: int, replicates: int) -> None:
        raise ValueError("dim.x: too many")

    monkeypatch.setattr("trainables.families.closed_form.gaussian.GaussianConfig.check", refuse)
    assert line() == "family.dim.x: too many"

    def elsewhere(self: Any, rows: int, replicates: int) -> None:
        raise ValueError("rows: too few")

    monkeypatch.setattr("trainables.families.closed_form.gaussian.GaussianConfig.check", elsewhere)
    assert line() == "rows: too few"


@pytest.mark.parametrize("kind", ["nobody", 3, None])
def test_of_an_unknown_family_nothing_else_is_complained(kind: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Cell.model_validate({"family": {"kind": kind}, "policy": {"kind": "replace"}})
    assert caught.value.error_count() == 1


def test_a_key_is_of_the_data_it_is_given_and_of_the_start_where_fits_have_one() -> None:
    made = cell()
    assert made.key == made.key_on(made.family.data_identity())
    assert made.key_on({"digest": "a"}) != made.key_on({"digest": "b"})
    linear = {"kind": "linear", "estimator": "gradient_descent"}
    keys = {Cell.model_validate(BASE | {"family": linear | start}).key for start in ({}, {"start": "previous"})}
    assert len(keys) == 2
    assert Cell.model_validate(BASE | {"family": linear | {"start": "fresh"}}).key in keys


def test_a_cell_s_key_is_the_digest_of_what_it_says_written_out() -> None:
    """Parts that say nothing (a start, a population) are no part of it: else every stored cell would be another one."""
    parts = {
        "data": {"dim": 1, "kind": "gaussian"},
        "evaluation": {},
        "fit": {"estimator": "biased", "kind": "gaussian"},
        "fork": None,
        "judge": {"estimator": "biased", "kind": "gaussian"},
        "policy": {"bias": 1.0, "kind": "replace"},
        "replicates": 1,
        "rows": 20,
        "seed": 0,
    }
    text = json.dumps({"parts": parts, "schema": 1, "tag": "cell"}, sort_keys=True, separators=(",", ":"))
    assert cell().key == hashlib.sha256(text.encode()).hexdigest()[:32]
    fed = cell(population={"models": 2})
    told = parts | {"population": fed.population.canonical()}  # type: ignore[union-attr]
    text = json.dumps({"parts": told, "schema": 1, "tag": "cell"}, sort_keys=True, separators=(",", ":"))
    assert fed.key == hashlib.sha256(text.encode()).hexdigest()[:32]
