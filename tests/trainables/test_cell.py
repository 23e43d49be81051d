"""What a cell accepts, and what decides its key."""

import pytest
from pydantic import ValidationError

from trainables import Cell, Record

BASE = {"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}, "rows": 10, "generations": 3}
CELL = Cell.model_validate(BASE)


def test_the_family_supplies_what_is_left_out():
    cell = Cell.model_validate({"family": {"kind": "gaussian"}, "policy": {"kind": "replace"}})
    assert (cell.rows, cell.generations) == (cell.family.default_rows, cell.family.default_generations)


def test_a_cell_survives_json():
    assert Cell.model_validate_json(CELL.model_dump_json()) == CELL


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"rows": 11},
        {"replicates": 2},
        {"family": {"kind": "gaussian", "dim": 2}},
        {"policy": {"kind": "accumulate"}},
        {"policy": {"kind": "sliding_window", "window": 3}},
        {"fork": {"generation": 2, "policy": {"kind": "accumulate"}}},
    ],
)
def test_science_changes_the_key(change):
    assert Cell.model_validate(BASE | change).key != CELL.key


@pytest.mark.parametrize("change", [{"generations": 30}, {"seed": 0}, {"replicates": 1}, {"fork": None}])
def test_what_is_no_science_does_not_change_the_key(change):
    """A longer cell goes on with a shorter one; a default that is spelt out is the default."""
    assert Cell.model_validate(BASE | change).key == CELL.key


def test_defaults_spelt_out_do_not_change_the_key():
    spelt = {name: CELL.canonical()[name] for name in ("family", "policy")}
    assert Cell.model_validate(BASE | spelt).key == CELL.key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generations": 0}, "generations"),
        ({"generations": 10_001}, "generations"),
        ({"replicates": 0}, "replicates"),
        ({"seed": -1}, "seed"),
        ({"policy": {"kind": "token_edit"}}, "policy: token_edit needs a family with edit"),
        ({"fork": {"generation": 2, "policy": {"kind": "token_edit"}}}, "fork.policy: token_edit needs"),
    ],
)
def test_what_cannot_run_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Cell.model_validate(BASE | change)


def test_a_record_holds_finite_numbers_only():
    fields = {"generation": 1, "test_loss": float("nan"), "corpus_rows": 1, "real_fraction": 1, "metrics": {}}
    with pytest.raises(ValidationError, match="finite"):
        Record.model_validate(fields | {"model": "m", "composition": {}, "seconds": {}})
