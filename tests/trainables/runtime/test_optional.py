"""Packages that are not installed: one line that says what needs them and what brings them."""

import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from trainables.runtime import require, required_by, required_version
from trainables.runtime.optional import EXTRAS

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {"PIL": "pillow", "flask_wtf": "Flask-WTF"}
"""Where a distribution is not called as what is imported."""


def test_every_extra_that_is_named_brings_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for module, extra in EXTRAS.items():
        brought = {re.split(r"[\[<>=]", wanted)[0] for wanted in extras[extra]}
        assert DISTRIBUTIONS.get(module, module) in brought


@pytest.fixture
def no_peft(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)


@pytest.mark.usefixtures("no_peft")
@pytest.mark.parametrize("ask", [require, required_version])
def test_a_missing_package_is_told_with_its_extra(ask):
    with pytest.raises(ValueError, match=r'^lora: needs peft, .*not installed; pip install "collapse-sweep\[lora\]"$'):
        ask("peft", "lora")


def test_one_of_no_extra_is_installed_by_its_name():
    with pytest.raises(LookupError, match=r"^here: needs no_such_package, .*; pip install no_such_package$"):
        require("no_such_package", "here", LookupError)


def test_what_is_there_passes():
    require("numpy", "here")
    assert required_version("numpy", "here") == np.__version__


def test_an_import_that_fails_inside_is_told_alike():
    with (
        pytest.raises(LookupError, match=r"^--x: needs no_such_package, .*; pip install no_such_package$"),
        required_by("--x", LookupError),
    ):
        import_module("no_such_package.part")


def test_another_error_inside_stays_what_it_is():
    with pytest.raises(KeyError), required_by("--x"):
        raise KeyError("a")
