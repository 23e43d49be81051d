"""`export` of models whose settings a study does not state: a search or a tuning chose them, or a member of a
population has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.cli import app
from tests.support.commands import call
from trainables.recursion import Recursion
from trainables.store import open_store

pytestmark = pytest.mark.slow

VAE = {"family": {"kind": "vae", "epochs": 1}, "policy": {"kind": "replace"}, "rows": 30, "generations": 1}
DRAWN = {"family.learning_rate": {"loguniform": [1.0e-3, 1.0e-2]}}
SEARCHED = {"name": "s", "cell": VAE, "space": DRAWN, "search": {"kind": "optuna", "num_samples": 2}}
TUNED = {
    "name": "s",
    "cell": VAE,
    "space": DRAWN | {"seed": {"grid": [0]}},
    "tune_first": {"params": ["learning_rate"], "on": "generation 1", "num_samples": 2},
}


def run(folder: Path) -> None:
    call(folder, "run", "s.yaml", "--no-report", "--tracking-uri", "none", "--cpus", "1", "--workspace", "w")


def keys(folder: Path) -> list[str]:
    """Of every model in the store."""
    return sorted(path.stem for path in (folder / "w" / "store" / "model").rglob("*.json"))


def exported(folder: Path, key: str) -> bool:
    """Whether the model of the store is written, to the last digit."""
    words = ["export", str(folder / "s.yaml"), key[:8], str(folder / f"out-{key}"), "--workspace", str(folder / "w")]
    if CliRunner().invoke(app, words).exit_code:
        return False
    held = open_store(str(folder / "w" / "store")).get("model", key)
    assert held is not None
    written = load_file(folder / f"out-{key}" / "model.safetensors")
    return values(held.tensors) == values(written)


def values(tensors: Mapping[str, Any]) -> list[float]:
    """All numbers of a model, whatever its tensors are called."""
    return sorted(float(value) for tensor in tensors.values() for value in np.asarray(tensor).ravel())


def test_each_model_that_a_search_has_tried_is_exported(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(SEARCHED))
    run(tmp_path)
    assert len(keys(tmp_path)) == 2
    assert all(exported(tmp_path, key) for key in keys(tmp_path))


def test_the_model_of_the_setting_that_was_chosen_is_exported(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(json.dumps(TUNED))
    run(tmp_path)
    assert len(keys(tmp_path)) == 2, "one a setting"
    assert [exported(tmp_path, key) for key in keys(tmp_path)].count(True) == 1


def test_each_member_s_model_is_exported(tmp_path: Path) -> None:
    cell = VAE | {"population": {"models": 2, "graph": "ring", "real": "own"}}
    (tmp_path / "s.yaml").write_text(json.dumps({"name": "s", "cell": cell}))
    (point,) = expand(load_study(str(tmp_path / "s.yaml")))
    Recursion(point.cell, open_store(str(tmp_path / "w" / "store"))).record(1)
    assert len(keys(tmp_path)) == 2
    assert all(exported(tmp_path, key) for key in keys(tmp_path))
