"""Recursions on a bare server: no X libraries for RDKit, no Pillow, no git. Figures stand, pictures are left out."""

import sys

import pytest

from trainables import Cell
from trainables.families import FAMILIES
from trainables.families.shown_files import shown
from trainables.recursion import Recursion
from trainables.runtime import current_provenance
from trainables.store import MemoryStore

DRAWN_BY = {"diffusion": "rdkit.Chem.Draw.rdMolDraw2D", "vae": "PIL"}


@pytest.fixture
def no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    current_provenance.cache_clear()
    yield
    current_provenance.cache_clear()


@pytest.mark.usefixtures("no_git")
@pytest.mark.parametrize(("kind", "kept"), [("diffusion", {"samples.sdf"}), ("vae", set())])
def test_a_recursion_ends_as_on_any_other_server_but_for_its_picture(monkeypatch, caplog, kind, kept):
    for module in (DRAWN_BY[kind], "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)  # as where its import fails
    config, rows = FAMILIES.get(kind).tiny()
    cell = Cell(family=config, policy={"kind": "replace"}, generations=2, rows=rows)
    store = MemoryStore()
    recursion = Recursion(cell, store)
    losses = [recursion.record(generation).test_loss for generation in (1, 2)]
    assert len(set(losses)) == 2
    held = store.get("record", recursion.steps.step(2).record)
    assert set(held.files) == kept
    assert "samples.png is left out: ModuleNotFoundError" in caplog.text
    assert current_provenance()["git"].keys() <= {"commit", "changed"}


@pytest.mark.parametrize("problem", [MemoryError(), OSError("no font"), KeyError("format")])
def test_whatever_fails_is_a_warning(caplog, problem):
    def make():
        raise problem

    assert shown("a.png", make) == {}
    assert shown("b.png", lambda: b"b") == {"b.png": b"b"}
    assert type(problem).__name__ in caplog.text
