"""Keys over random cells: lineage decides them, and nothing else does."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import by_name, cells, named
from trainables import Cell
from trainables.config import canonical_json
from trainables.lineage import make_key
from trainables.policies import Budget
from trainables.recursion import Steps

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def keys(cell):
    """All keys of a cell's steps."""
    steps = Steps(cell)
    made = [steps.step(n) for n in range(1, cell.generations + 1)]
    return [(step.model, step.record) for step in made] + [steps.batch(n).key for n in range(cell.generations)]


def shuffled(value, order):
    """The same plain data, with every mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], order) for key in sorted(value, key=order)}
    return [shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(cells())
def test_equal_cells_have_equal_keys(cell):
    again = Cell.model_validate_json(cell.model_dump_json())
    assert again == cell
    assert again.key == cell.key
    assert keys(again) == keys(cell)


@given(cells(), st.randoms(use_true_random=False))
def test_the_order_of_a_mapping_is_nothing(cell, random):
    data = shuffled(json.loads(cell.model_dump_json()), lambda _: random.random())
    assert Cell.model_validate(data).key == cell.key
    assert keys(Cell.model_validate(data)) == keys(cell)


@given(cells(), st.sampled_from([{"seed": 77}, {"replicates": 7}, {"family": {"kind": "gaussian", "dim": 3}}]))
def test_science_changes_every_key(cell, change):
    other = Cell.model_validate(cell.model_dump() | change)
    assert other.key != cell.key
    assert not set(map(str, keys(other))) & set(map(str, keys(cell)))


@given(cells())
def test_more_generations_change_no_key(cell):
    longer = cell.model_copy(update={"generations": cell.generations + 2})
    steps = Steps(longer)
    assert longer.key == cell.key
    assert [steps.step(n) for n in range(1, cell.generations + 1)] == [
        Steps(cell).step(n) for n in range(1, cell.generations + 1)
    ]


@given(cells(), st.randoms(use_true_random=False))
def test_the_order_of_asking_is_nothing(cell, random):
    order = list(range(1, cell.generations + 1))
    random.shuffle(order)
    steps = Steps(cell)
    assert {n: steps.step(n) for n in order} == {n: Steps(cell).step(n) for n in order}


@given(cells(named()))
def test_a_named_policy_shares_the_lineage_of_its_composition(cell):
    composition = cell.policy.composition().canonical()
    assert composition["kind"] == "compose"
    same = Cell.model_validate(cell.model_dump() | {"policy": composition})
    assert keys(same) == keys(cell)


@given(cells(), st.randoms(use_true_random=False), st.sampled_from([0.25, 2.0, 8.0]))
def test_the_order_and_the_scale_of_shares_are_nothing(cell, random, scale):
    """Shares of a corpus are a set, and weights are relative."""
    policy = cell.policy.composition() if hasattr(cell.policy, "composition") else cell.policy
    corpus = list(policy.canonical()["corpus"])
    if sum(share["source"] == "fresh" for share in corpus) > 1 or any(s["loss_share"] for s in corpus):
        return  # two shares of the reserve take their rows in the order in which they are written
    random.shuffle(corpus)
    heavier = [share | {"weight": share["weight"] * scale} for share in corpus]
    same = Cell.model_validate(cell.model_dump() | {"policy": policy.canonical() | {"corpus": heavier}})
    assert keys(same) == keys(cell)


@given(by_name(), st.integers(2, 60), st.integers(1, 60))
def test_every_policy_by_name_is_pure_and_causal(policy, generation, rows):
    budget = Budget(rows=rows)
    recipe = policy.recipe(generation, budget)
    assert recipe == type(policy)().recipe(generation, budget)
    assert max(number for draw in recipe.draws for number in draw.batches) < generation


@given(JSON)
def test_canonical_json_is_faithful_and_one(value):
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
    assert text.isascii()


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4), st.randoms(use_true_random=False))
def test_keys_are_deaf_to_order(parts, random):
    assert make_key("t", parts=shuffled(parts, lambda _: random.random())) == make_key("t", parts=parts)


@given(
    st.dictionaries(st.text(min_size=1), JSON, max_size=3), st.sampled_from([float("nan"), float("inf"), -float("inf")])
)
def test_what_is_no_number_has_no_canonical_form(parts, bad):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"parts": parts, "more": [bad]})
