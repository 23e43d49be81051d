"""Validation losses: of rows that are neither trained nor tested on, without a look at the test rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trainables import Cell
from trainables.families import FAMILIES
from trainables.recursion import Recursion, validate, validated
from trainables.recursion.validation import validation_key
from trainables.sources.molecules import read
from trainables.store import open_store

TUNABLE = ("linear", "kde", "mixture", "glm", "random_features", "language", "vae", "diffusion")


def cell(kind: str, **changed: Any) -> Cell:
    family, rows = FAMILIES.get(kind).tiny()
    if kind == "diffusion":
        changed = {"validation_molecules": 4} | changed
    family = type(family).model_validate(family.canonical() | changed)
    return Cell(family=family, policy={"kind": "replace"}, rows=rows, generations=2)


class Forbidden:
    """Test rows that nobody may look at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the test rows were read: {name}")


@pytest.mark.parametrize("kind", TUNABLE)
def test_the_test_rows_are_not_read(kind: str) -> None:
    store = open_store(None)
    recursion = Recursion(cell(kind), store)
    family: Any = recursion.family
    before = family.validate(recursion.model(1))
    assert math.isfinite(before)
    for name in ("text", "images", "data"):
        if hasattr(family, name):
            setattr(family, name, replace(getattr(family, name), test=Forbidden()))
    if kind in ("kde", "mixture", "glm"):
        family.__dict__["_held_out"] = Forbidden()
    assert family.validate(recursion.model(1)) == before
    if kind not in ("linear", "random_features"):  # whose held-out risk has a closed form
        with pytest.raises(AssertionError, match="the test rows were read"):
            recursion.record(2)


def test_molecules_for_tuning_are_on_no_other_side() -> None:
    plain = Recursion(cell("diffusion", validation_molecules=0), open_store(None)).family
    tuned: Any = Recursion(cell("diffusion"), open_store(None)).family
    sides = [set(part.molecule.tolist()) for part in (tuned.data.train, tuned.data.validation, tuned.data.test)]
    assert [len(side) for side in sides[1:]] == [4, 4]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    before: Any = plain
    assert set(before.data.test.molecule.tolist()) == sides[2], "the test molecules stay the same"
    assert set(before.data.train.molecule.tolist()) == sides[0] | sides[1]
    assert not set(read(tuned.real(0, 12)).molecule.tolist()) & sides[1]


def test_nothing_that_is_not_tuned_changes_its_name() -> None:
    family = cell("diffusion", validation_molecules=0).family
    assert "validation_molecules" not in family.canonical()
    assert "validation_molecules" not in family.data_identity()
    assert cell("diffusion").family.data_identity()["validation_molecules"] == 4


def test_digits_for_tuning_are_on_no_other_side() -> None:
    family: Any = Recursion(cell("vae"), open_store(None)).family
    sides = [{row.tobytes() for row in part.pixels.array()} for part in (family.images.train, family.images.validation)]
    test = {row.tobytes() for row in family.images.test.pixels.array()}
    assert not sides[0] & sides[1]
    assert not sides[1] & test


def test_validation_estimates_the_risk() -> None:
    """Linear: the loss is the excess error plus the noise's variance, within sampling error."""
    family = {"kind": "linear", "dim": 5, "noise": 0.5}
    held = Cell(family=family, policy={"kind": "replace"}, rows=50, replicates=2000, generations=1)
    store = open_store(None)
    risk = Recursion(held, store).record(1).test_loss
    assert validate(held, store) == pytest.approx(risk + 0.25, rel=0.02)


def test_a_loss_is_computed_once_and_shared_by_policies() -> None:
    store, held = open_store(None), cell("kde")
    assert validated(held, store) is None
    found = validate(held, store)
    other = Cell.model_validate(held.canonical() | {"policy": {"kind": "accumulate"}})
    assert validated(other, store) == found
    assert validation_key(other) == validation_key(held)
    assert store.get("model", Recursion(other, store).steps.step(1).model) is not None


def test_what_diverges_is_infinitely_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.families.closed_form.kde.family import Kde

    monkeypatch.setattr(Kde, "validate", lambda self, model: float(np.nan))
    assert validate(cell("kde"), open_store(None)) == math.inf


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ({"kind": "gaussian"}, "family: gaussian has no validation rows to tune on"),
        ({"kind": "diffusion"}, "family.validation_molecules: 0; tuning needs molecules"),
        ({"kind": "language", "validation": 0.0}, "family.validation: 0.0 leaves no validation row of pydoc"),
    ],
)
def test_a_family_without_validation_rows_says_what_would_give_some(family: dict[str, Any], said: str) -> None:
    held = Cell(family=family, policy={"kind": "replace"})
    with pytest.raises(ValueError, match=said):
        held.family.check_validation()
