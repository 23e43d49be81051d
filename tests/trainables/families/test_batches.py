"""How many updates passes come to, and whose keys that mends."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from trainables import Cell
from trainables.families.batches import recounted, updates
from trainables.recursion import Steps

DATA = {"stated": "rows that this file names, not a source's"}
AFFECTED = {"epochs": 1.1, "batch": 2}
"""Of 100 rows 55 updates: the product is 110.00000000000001."""


def test_updates_are_those_of_the_decimal_that_is_written():
    rng = np.random.default_rng(0)
    cases = [(int(rng.integers(1, 5000)), int(rng.integers(1, 4000)), int(rng.integers(1, 65))) for _ in range(3000)]
    for thousandths, rows, batch in cases:
        exact, epochs = Fraction(thousandths * rows, 1000 * batch), thousandths / 1000
        assert updates(epochs, rows, batch) == max(1, ceil(exact)), (epochs, rows, batch)
        assert updates(epochs, rows, batch, round) == max(1, round(exact)), (epochs, rows, batch)


def test_a_fifty_sixth_update_was_one_too_many():
    assert (updates(1.1, 100, 2), recounted(1.1, 100, 2)) == (55, {"updates": 2})
    assert recounted(1.1, 101, 2) == recounted(1.0, 100, 2) == recounted(0.5, 7, 3) == {}


CONFIGS = {
    "language": "trainables.families.language.config.language_config",
    "diffusion": "trainables.families.diffusion.config",
    "vae": "trainables.families.vae.config",
}
PLANNED = [
    ("language", {"epochs": 1.1, "batch": 2}, 50, [2, 4]),
    ("diffusion", {"epochs": 1.1, "batch": 2}, 50, [2, 4]),
    ("vae", {"epochs": 2.3, "batch": 2}, 50, [1]),
    ("vae", {"epochs": 2.0, "batch": 2}, 50, []),
    ("language", {"epochs": 1.1, "batch": 2, "steps": 9}, 50, []),
]
"""Under `accumulate`, of corpora of 50, 100, 150 and 200 rows, the generations whose updates were miscounted."""


@pytest.mark.parametrize(("kind", "fields", "rows", "miscounted"), PLANNED)
def test_models_of_miscounted_updates_and_what_comes_of_them_have_new_keys(kind, fields, rows, miscounted, monkeypatch):
    cell = Cell.model_validate({"family": {"kind": kind, **fields}, "policy": {"kind": "accumulate"}, "rows": rows})
    found = [Steps(cell, data=DATA).step(n) for n in (1, 2, 3, 4)]
    monkeypatch.setattr(f"{CONFIGS[kind]}.recounted", lambda *_: {})
    before = [Steps(cell, data=DATA).step(n) for n in (1, 2, 3, 4)]
    first = min(miscounted, default=5)
    changed = [step.generation for step, old in zip(found, before, strict=True) if step.model != old.model]
    assert changed == list(range(first, 5)), "a corpus holds the samples of all models before"
    fits = [cell.family.fitted_on(n * rows) for n in (1, 2, 3, 4)]
    assert fits == [{}] * 4, "as it was"
    monkeypatch.undo()
    assert [n for n in (1, 2, 3, 4) if cell.family.fitted_on(n * rows)] == miscounted


@pytest.mark.parametrize(
    ("kind", "reference", "judged"),
    [("language", {}, True), ("vae", {}, True), ("vae", {"reference": "classifier"}, False), ("diffusion", {}, False)],
)
def test_a_reference_that_is_fitted_alike_has_a_new_key_too(kind, reference, judged):
    fields = {"epochs": 2.3, "batch": 2} if kind == "vae" else AFFECTED
    family = Cell.model_validate(
        {"family": {"kind": kind, **fields, **reference}, "policy": {"kind": "verified"}, "rows": 100}
    ).family
    rows = 50 if kind == "vae" else 100
    assert family.fitted_on(rows) == {"updates": 2}
    assert family.judged_on(rows) == ({"updates": 2} if judged else {})
