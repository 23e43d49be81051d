"""Which steps cells share, and which they must not."""

import pytest

from trainables import Cell
from trainables.policies import FRESH, POLICIES
from trainables.recursion import Steps


def steps(policy, **fields):
    policy = {"kind": policy} if isinstance(policy, str) else policy
    base = {"family": {"kind": "gaussian"}, "policy": policy, "rows": 12, "generations": 5}
    return Steps(Cell.model_validate(base | fields))


def models(policy, generations=5, **fields):
    found = steps(policy, **fields)
    return [found.step(n).model for n in range(1, generations + 1)]


def records(policy, generations=5, **fields):
    found = steps(policy, **fields)
    return [found.step(n).record for n in range(1, generations + 1)]


@pytest.mark.parametrize("kind", sorted(set(POLICIES) - {"token_edit"}))
def test_every_policy_shares_generation_one(kind):
    assert steps(kind).step(1) == steps("replace").step(1)


def test_windows_share_steps_until_they_forget():
    accumulate, window = models("accumulate"), models({"kind": "sliding_window", "window": 3})
    assert [a == b for a, b in zip(accumulate, window, strict=True)] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": "sliding_window", "window": 1}, "replace"),
        ({"kind": "sliding_window", "window": 9}, "accumulate"),
        ({"kind": "ratio_mix", "ratio": 1}, "replace"),
        ({"kind": "weighted_fresh", "weight": 0.5}, "fresh_mix"),
        ({"kind": "fresh_mix"}, {"kind": "ratio_mix", "fresh": True}),
        ({"kind": "synthetic_augmentation", "real": 0.5, "synthetic": 0.5}, {"kind": "ratio_mix"}),
        ("compose", "replace"),
        ({"kind": "compose", "corpus": [{"source": "real"}, {"source": "synthetic"}]}, "accumulate"),
        ({"kind": "compose", "corpus": [{"source": "synthetic"}, {"source": "real"}]}, "accumulate"),
        ({"kind": "compose", "corpus": [{"source": "pool", "weight": 7}]}, "accumulate"),
        (
            {"kind": "compose", "corpus": [{"source": "latest", "times": 0.5}, {"source": "real", "rows": 6}]},
            {"kind": "ratio_mix"},
        ),
    ],
)
def test_one_corpus_by_two_names_is_one_lineage(one, other):
    assert records(one) == records(other)


def test_a_bias_is_one_lineage_however_it_is_written():
    assert records({"kind": "biased_sampling", "strength": 0.5}) == records({"kind": "replace", "bias": 0.5})
    assert records({"kind": "replace", "bias": 0.5})[1:] != records("replace")[1:]
    assert records({"kind": "biased_sampling", "strength": 1.0}) == records("replace")


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_a_named_policy_is_its_composition(kind):
    config = POLICIES.get(kind)()
    if not hasattr(config, "composition"):
        return
    budget = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 12}).budget
    for generation in range(1, 8):
        assert config.composition().recipe(generation, budget) == config.recipe(generation, budget)


def test_policies_part_where_their_corpora_do():
    kinds = ["replace", "replace_multiple", "accumulate", "accumulate_subsample", "synthetic_augmentation", "fresh_mix"]
    second = [steps(kind).step(2).model for kind in kinds]
    # at generation 2, "all but what came before" and "n·N rows of the latest" differ, and so do all others
    # but the fixed real rows beside the latest batch, which are the whole pool
    assert second[4] == second[2]
    assert len(set(second)) == len(kinds) - 1


def test_batches_of_equal_models_are_not_the_same_rows():
    """Where a recursion stands still, each generation still samples a batch of its own."""
    still = steps({"kind": "ratio_mix", "ratio": 0})
    assert still.step(1).model == still.step(4).model
    assert still.batch(1).key != still.batch(2).key


def test_batch_sizes_follow_selection():
    found = steps({"kind": "compose", "sample": {"times": 2}, "corpus": [{"source": "latest", "times": 1}]})
    assert [found.batch(number).rows for number in range(3)] == [12, 24, 24]


def test_steps_come_in_any_order():
    forwards, backwards = steps("accumulate"), steps("accumulate")
    assert [backwards.step(n) for n in (5, 3, 1)] == [forwards.step(n) for n in (5, 3, 1)]


def test_a_thousand_generations_need_no_deep_recursion():
    assert steps("replace", generations=1000).step(1000).generation == 1000


def test_a_fork_leaves_what_came_before_and_shares_it():
    forked = models("accumulate", fork={"generation": 3, "policy": {"kind": "replace"}})
    plain = models("accumulate")
    assert forked[:3] == plain[:3]
    assert not set(forked[3:]) & set(plain[3:])


def test_a_fork_goes_on_in_the_reserve():
    """Fresh rows after the fork start where those before it ended: none is used twice, none is wasted."""
    forked = steps(
        {"kind": "fresh_mix", "real": 0.25}, fork={"generation": 3, "policy": {"kind": "fresh_mix", "real": 1}}
    )
    spans = [
        (draw.start, draw.start + draw.rows)
        for n in range(2, 6)
        for draw in forked.step(n).draws
        if draw.batches == (FRESH,)
    ]
    assert spans == [(0, 3), (3, 6), (6, 18), (18, 30)]


def test_a_fork_to_the_same_policy_changes_nothing():
    assert models("fresh_mix", fork={"generation": 2, "policy": {"kind": "fresh_mix"}}) == models("fresh_mix")
