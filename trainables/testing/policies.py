"""What every registered policy must do: pure, causal, never more rows than there are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import pytest
from pydantic import ValidationError

from trainables.cell import Cell, Record
from trainables.policies import FRESH, POLICIES, Budget, PolicyConfig, Recipe
from trainables.recursion import check_data, run
from trainables.testing.bench import Bench

SIZES = (2, 7, 100)
GENERATIONS = (1, 2, 3, 4, 5, 6, 30)


def recipes(policy: PolicyConfig) -> Iterator[tuple[Budget, Recipe]]:
    """A policy's recipes over some budgets and generations."""
    for rows in SIZES:
        for generation in GENERATIONS:
            budget = Budget(rows=rows)
            yield budget, policy.recipe(generation, budget)


def policy_is_plain_data(policy: PolicyConfig) -> None:
    """A config is frozen, refuses unknown keys, and survives JSON."""
    text = json.dumps(policy.canonical(), allow_nan=False)
    twin = type(policy).model_validate_json(text)
    assert twin == policy
    assert hash(twin) == hash(policy)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(policy, "kind", "other")  # noqa: B010 - an assignment would not type-check
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(policy).model_validate(policy.canonical() | {"no_such_key": 1})


def policy_is_pure(policy: PolicyConfig) -> None:
    """Equal arguments give equal recipes, whatever was asked in between, and recipes survive JSON."""
    twin = type(policy).model_validate(policy.canonical())
    answers = list(recipes(policy))
    for budget, recipe in reversed(answers):
        assert twin.recipe(recipe.generation, budget) == recipe
        assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def policy_starts_on_real_rows(policy: PolicyConfig) -> None:
    """Generation 1 is batch 0, all of it, and nothing else."""
    for _, recipe in recipes(policy):
        if recipe.generation == 1:
            assert [(d.batches, d.how, d.weight) for d in recipe.draws] == [((0,), "all", 1.0)]
            assert recipe.sampling is None
            assert recipe.selection is None


def policy_names_what_exists(policy: PolicyConfig) -> None:
    """No recipe names the future, nor more rows than its batches hold; a selection has its candidates."""
    for rows in SIZES:
        held = {0: rows}
        for generation in range(1, 13):
            recipe = policy.recipe(generation, Budget(rows=rows))
            assert recipe.generation == generation
            if recipe.sampling is not None:
                held[generation - 1] = recipe.kept_rows
            for draw in recipe.draws:
                if draw.batches == (FRESH,):
                    continue
                assert set(draw.batches) <= held.keys()
                if draw.how in ("first", "subsample"):
                    assert draw.start + (draw.rows or 0) <= sum(held[b] for b in draw.batches)


def policy_declares_its_needs(policy: PolicyConfig) -> None:
    """Whatever a recipe asks of a family is among `requires()`."""
    for _, recipe in recipes(policy):
        asked = set()
        if recipe.sampling is not None and recipe.sampling.bias != 1.0:
            asked.add("bias")
        if recipe.sampling is not None and recipe.sampling.edit is not None:
            asked.add("edit")
        if recipe.sampling is not None and recipe.sampling.correct is not None:
            asked.add("correct")
        if recipe.selection is not None or any(draw.how == "scored" for draw in recipe.draws):
            asked.add("score")
        assert asked <= policy.requires()


def policy_never_reuses_fresh_rows(policy: PolicyConfig) -> None:
    """Draws on the reserve are disjoint over generations, and `fresh_rows` is all they use."""
    budget = Budget(rows=20)
    spans = [
        (draw.start, draw.start + (draw.rows or 0))
        for generation in range(1, 9)
        for draw in policy.recipe(generation, budget).draws
        if draw.batches == (FRESH,)
    ]
    ends = 0
    for start, end in sorted(spans):
        assert start >= ends, "a fresh row is drawn twice"
        ends = end
    assert policy.fresh_rows(8, budget) == ends


def policy_takes_the_bias_modifier(policy: PolicyConfig) -> None:
    """The `bias` field changes the sampler of every recipe, and nothing else."""
    if policy.requires() & {"edit", "bias"}:
        return
    biased = type(policy).model_validate(policy.canonical() | {"bias": 0.5})
    assert "bias" in biased.requires()
    for budget, recipe in recipes(policy):
        other = biased.recipe(recipe.generation, budget)
        assert other.draws == recipe.draws
        if other.sampling is not None:
            assert other.sampling.bias == 0.5


POLICY_CHECKS: tuple[Callable[[PolicyConfig], None], ...] = (
    policy_is_plain_data,
    policy_is_pure,
    policy_starts_on_real_rows,
    policy_names_what_exists,
    policy_declares_its_needs,
    policy_never_reuses_fresh_rows,
    policy_takes_the_bias_modifier,
)


def policy_runs_on(policy: str, bench: Bench) -> None:
    """The policy runs by name alone on the family, or is refused in one line because an ability is missing."""
    config = POLICIES.get(policy)()
    asked = bench.fields | {"policy": {"kind": policy}, "generations": 3}
    missing = config.requires() - bench.cell.family.abilities
    if missing:
        with pytest.raises(ValidationError, match="needs a family with"):
            Cell.model_validate(asked)
        return
    cell = Cell.model_validate(asked)
    check_data(cell)
    records = list(run(cell, bench.store))
    assert [record.generation for record in records] == [1, 2, 3]
    for record in records:
        audit_adds_up(record)


def audit_adds_up(record: Record) -> None:
    """A record's composition agrees with itself and with the record's other fields."""
    held = record.composition
    assert sum(held["rows_by_batch"].values()) == pytest.approx(record.corpus_rows)
    assert sum(held["weight_by_batch"].values()) == pytest.approx(1)
    assert set(held["rows_by_batch"]) == set(held["weight_by_batch"])
    real = sum(rows for number, rows in held["rows_by_batch"].items() if int(number) in (0, FRESH))
    assert record.real_fraction == pytest.approx(real / record.corpus_rows)
    assert 0 <= held["duplicates"] <= record.corpus_rows
    assert all(int(number) < record.generation for number in held["rows_by_batch"])
    assert math.isfinite(record.test_loss)
    assert all(math.isfinite(value) for value in record.metrics.values())
