"""Which settings `tune_first` tries: a Sobol sequence on each word's own scale; and what is no part of a size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from search_spaces import Block, Choice, Grid, Range, Study, StudyError, when
from search_spaces.expansion import frozen, tunings
from search_spaces.search import TuneFirst
from search_spaces.search.tune_first import _at
from trainables.config import explain

CELL: dict[str, Any] = {"family": {"kind": "linear", "estimator": "ridge"}, "rows": 40}


def test_a_word_s_value_at_a_share_is_on_its_own_scale() -> None:
    assert _at(Range(low=1, high=10_000, log=True), 0.25) == pytest.approx(10)
    assert _at(Range(low=-4, high=4), 0.75) == 2.0
    assert _at(Range(low=0, high=10, step=2.5), 0.6) == 5.0
    assert _at(Range(low=2, high=32, log=True, integer=True), 0.5) == 8
    assert [_at(Choice(values=("a", "b", "c")), share) for share in (0, 0.33, 0.34, 0.99, 1.0)] == list("aabcc")


def test_whole_numbers_have_equal_parts_of_the_range_those_below_0_too() -> None:
    found = [_at(Range(low=-2, high=2, integer=True), (place + 0.5) / 40) for place in range(40)]
    assert [found.count(number) for number in (-2, -1, 0, 1)] == [10] * 4


def shares(count: int, seed: int = 0) -> np.ndarray:
    """Of two words from 0 to 1, [settings, 2]."""
    words = {"a": Range(low=0, high=1), "b": Range(low=0, high=1)}
    tuned = TuneFirst(params={"family.a": words["a"], "family.b": words["b"]}, num_samples=count, seed=seed)
    return np.array([list(one.values()) for one in tuned.settings({})])


@pytest.mark.parametrize("count", [1, 2, 8, 64])
def test_settings_fill_every_path_evenly(count: int) -> None:
    """Of 2^k Sobol points each of the 2^k equal parts of each axis holds one (a (0, k, 1)-net in every axis)."""
    cells = np.floor(shares(count) * count).astype(int)
    for axis in cells.T:
        assert sorted(axis.tolist()) == list(range(count))


def test_pairs_of_paths_are_filled_evenly_too() -> None:
    """16 points of a two-dimensional Sobol net: each of the 4 × 4 squares holds one."""
    squares = np.floor(shares(16) * 4).astype(int)
    assert len({tuple(square) for square in squares.tolist()}) == 16


@pytest.mark.parametrize("count", [3, 5, 9])
def test_any_number_of_settings_begins_as_a_longer_sequence_does(count: int) -> None:
    assert shares(count).tolist() == shares(64)[:count].tolist()
    assert len(shares(count)) == count


def test_another_seed_is_another_sequence() -> None:
    assert shares(8).tolist() == shares(8).tolist()
    assert shares(8).tolist() != shares(8, seed=1).tolist()


def test_grids_alone_are_tried_in_every_combination_whatever_the_number_of_samples() -> None:
    space = {"family.penalty": Grid(values=(1.0, 2.0)), "family.noise": Grid(values=(0.1, 0.2, 0.3))}
    tuned = TuneFirst(params=("penalty", "noise"), num_samples=1)
    found = [tuple(one.values()) for one in tuned.settings(space)]
    assert found == [(p, n) for p in (1.0, 2.0) for n in (0.1, 0.2, 0.3)]


def test_a_grid_beside_a_range_is_drawn_as_one_of_its_values() -> None:
    space = {"family.penalty": Grid(values=(1.0, 2.0)), "family.noise": Range(low=0.1, high=0.2)}
    found = TuneFirst(params=("penalty", "noise"), num_samples=8).settings(space)
    assert [one["family.penalty"] for one in found].count(1.0) == 4, "half of a Sobol sequence's axis"
    assert all(0.1 <= one["family.noise"] <= 0.2 for one in found)


def study(**block: Any) -> Study:
    space = {"family.dim": Grid(values=(5, 20)), "family.penalty": Range(low=0.1, high=10.0, log=True)}
    space |= {"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(3, 4))}
    held = {
        "cell": CELL | {"generations": 4},
        "space": space,
        "tune_first": TuneFirst(params=("penalty",), num_samples=2),
    }
    return Study(name="s", blocks=(Block(**held | block),))


def test_what_is_tried_is_a_first_generation_that_all_policies_share() -> None:
    cell = CELL | {"generations": 9, "fork": {"generation": 2, "policy": {"kind": "accumulate"}}}
    for tuning in tunings(study(cell=cell)):
        for trial in tuning.trials:
            (one,) = trial.cells
            assert (one.policy.kind, one.generations, one.fork, one.seed) == ("replace", 1, None, 3)
            assert one.canonical()["family"]["penalty"] == trial.values["family.penalty"]
            assert one.canonical()["family"]["dim"] == tuning.size["family.dim"]


def test_without_a_seed_in_the_space_the_cell_s_own_is_tuned_on() -> None:
    space = {"family.penalty": Range(low=0.1, high=10.0)}
    made = study(space=space, cell=CELL | {"seed": 7})
    assert {cell.seed for trial in tunings(made)[0].trials for cell in trial.cells} == {7}
    assert {cell.seed for trial in tunings(study(space=space))[0].trials for cell in trial.cells} == {0}
    assert [tuning.size for tuning in tunings(made)] == [{}], "one size"
    with pytest.raises(StudyError, match=r"^tune_first\.seeds: 2, but the block has 1$"):
        tunings(study(space=space, tune_first=TuneFirst(params=("penalty",), seeds=2)))


def test_blocks_that_tune_nothing_stay_and_a_settled_one_keeps_its_name_only_if_it_is_alone() -> None:
    plain, tuned = Block(name="plain", cell=CELL), study().blocks[0].model_copy(update={"name": "sizes"})
    made = Study(name="s", blocks=(plain, tuned))
    first, second = tunings(made)
    assert {first.block, second.block} == {1}
    both = frozen(made, [(first, {"family.penalty": 1.0}), (second, {"family.penalty": 2.0})])
    assert [block.name for block in both.blocks] == ["plain", "", ""]
    assert both.blocks[0] is plain
    alone = frozen(made, [(second, {"family.penalty": 2.0})])
    assert [block.name for block in alone.blocks] == ["plain", "sizes"]
    settled = alone.blocks[1]
    assert settled.tune_first is None
    assert list(settled.space) == ["policy.kind", "seed"]
    assert settled.cell["family"] == CELL["family"] | {"dim": 20, "penalty": 2.0}
    assert "penalty" not in CELL["family"], "the base cell is not changed"


@pytest.mark.parametrize(
    ("tuned", "space", "said"),
    [
        (
            {"params": ["penalty"]},
            {"family.penalty": when(Range(low=1, high=2), {"seed": 1}), "seed": Grid(values=(0, 1))},
            "tune_first.params: family.penalty: a path that is tuned can't have a condition",
        ),
        (
            {"params": {"penalty": {"uniform": [1, 2]}}},
            {"family": Grid(values=({"kind": "linear"},))},
            "tune_first: the space sets family as a whole; give its fields one by one",
        ),
        (
            {"params": ["rows.x"]},
            {},
            "tune_first.params: rows.x: only the family's fields are tuned; policies share them",
        ),
        ({"params": {"penalty": {"unifrm": [1, 2]}}}, {}, "tune_first.params: unknown word 'unifrm'; did you mean"),
        ({"params": ["penalty"], "num_samples": 10_001}, {}, "tune_first.num_samples: input should be less than"),
    ],
)
def test_what_cannot_be_tuned_for_all_alike_is_refused(tuned: dict[str, Any], space: Any, said: str) -> None:
    raw = {"name": "s", "blocks": [{"cell": CELL, "space": space, "tune_first": tuned}]}
    with pytest.raises(ValueError, match=r".") as caught:
        Study.model_validate(raw)
    assert explain(caught.value, Study).startswith(f"blocks.0.{said}")  # type: ignore[arg-type]


def test_by_default_eight_settings_are_tried_on_one_seed_in_the_sequence_of_seed_0() -> None:
    tuned = TuneFirst(params=("penalty",))
    assert (tuned.num_samples, tuned.seeds, tuned.seed, tuned.on) == (8, 1, 0, "generation 1")


def test_the_key_on_that_yaml_reads_as_true_is_understood() -> None:
    assert TuneFirst.model_validate({True: "generation 1", "params": ["penalty"]}) == TuneFirst(params=("penalty",))
    assert TuneFirst(params=("penalty", "family.noise", "cell.x")).params == (
        "family.penalty",
        "family.noise",
        "cell.x",
    )
