"""How many generations each word takes, against what verdicts say of curves that are as clear as can be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import analysis
from analysis.verdicts import robustness
from sweep.cli import app
from sweep.planning import reach_line, words_from


def words_of(folder: Path, generations: int) -> set[str]:
    """What verdicts say of a line, of one that ends, of nothing, and of a little, each far above or below its noise."""
    rng, n = np.random.default_rng(0), np.arange(1, generations + 1)
    curves = {"line": n, "bounded": -np.exp(-1.5 * n), "flat": 0 * n, "little": 4e-4 * n}
    found = set()
    for policy, curve in curves.items():
        rows = [
            (g, policy, seed, value)
            for seed in range(60)
            for g, value in zip(n, 5 + curve + 1e-3 * rng.standard_normal(generations), strict=True)
        ]
        path = folder / f"{policy}{generations}.csv"
        pd.DataFrame(rows, columns=["generation", "policy", "seed", "test_loss"]).to_csv(path, index=False)
        found |= set(robustness.assess(analysis.load(path))["verdict"])
    return found


def test_words_are_reached_from_where_it_is_said(tmp_path: Path) -> None:
    said = {generations: words_of(tmp_path, generations) for generations in range(2, 9)}
    for word, least in words_from().items():
        assert not any(word in words for generations, words in said.items() if generations < least), word
    assert {"collapses", "levels off"} <= said[8] | said[7] | said[6]
    assert {"rises", "stable", "grows slowly"} <= said[2] | said[3]


@pytest.mark.parametrize("family", ["language", "vae", "gaussian"])
def test_a_study_too_short_for_some_words_is_told_so_before_it_runs(tmp_path: Path, family: str) -> None:
    runner, path = CliRunner(), tmp_path / "my.yaml"
    assert runner.invoke(app, ["init", family, "--out", str(path)]).exit_code == 0
    assert f"# {reach_line()}" in path.read_text(encoding="utf-8")
    plan = ["plan", str(path), "--workspace", str(tmp_path / "w")]
    for generations in (4, 5, 6):
        told = runner.invoke(app, [*plan, "-o", f"cell.generations={generations}"]).stdout
        line = [line for line in told.splitlines() if line.startswith("Verdicts")]
        assert len(line) == (generations < 6)
        assert not line or f"“collapses” and “levels off” from 6 generations on (here {generations})" in line[0]
    assert json.loads(runner.invoke(app, [*plan, "--json"]).stdout)["words_from"]["levels off"] == 6
