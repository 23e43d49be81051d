"""The room that a plan foresees, against the files of studies that were run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Grid, Study
from sweep.planning import plan_study
from tests.support.toys import points
from trainables.families.diffusion.config import DiffusionConfig
from trainables.recursion import Recursion
from trainables.store import open_store


def used(folder: Path) -> int:
    """Bytes as `du` counts them on a file system of 4 kB blocks."""
    files = sum(-(-path.stat().st_size // 4096) for path in folder.rglob("*") if path.is_file())
    return 4096 * (files + sum(path.is_dir() for path in folder.rglob("*")))


DIFFUSION = DiffusionConfig.tiny()[0].canonical()


@pytest.mark.parametrize(
    "cell",
    [
        {"family": {"kind": "gaussian"}, "rows": 100, "generations": 20},
        {"family": {"kind": "gaussian"}, "rows": 20, "generations": 10, "replicates": 500},
        {"family": {"kind": "linear"}, "rows": 50, "generations": 5, "replicates": 1000},
        {"family": {"kind": "discrete"}, "rows": 50, "generations": 5, "replicates": 200},
        {"family": {"kind": "kde"}, "rows": 50, "generations": 4, "replicates": 5},
        {"family": {"kind": "language", "steps": 2}, "rows": 30, "generations": 2},
        {"family": {"kind": "mixture"}, "rows": 200, "generations": 3, "replicates": 20},
        {"family": {"kind": "glm"}, "rows": 200, "generations": 3, "replicates": 20},
        {"family": {"kind": "vae", "steps": 2, "judged": 64, "feature_steps": 20}, "rows": 200, "generations": 2},
        {
            "family": {"kind": "vae", "steps": 2, "judged": 64, "feature_steps": 20},
            "rows": 50,
            "generations": 2,
            "replicates": 20,
        },
        {"family": {"kind": "gaussian"}, "rows": 100, "generations": 6, "population": {"models": 3}},
        {"family": DIFFUSION, "rows": 12, "generations": 2},
        {"family": DIFFUSION, "rows": 12, "generations": 2, "replicates": 3},
    ],
    ids=lambda cell: f"{cell['family']['kind']}-{cell.get('replicates', 1)}",
)
def test_a_plan_foresees_what_a_study_takes(tmp_path: Path, cell: dict[str, Any]) -> None:
    space = {"policy.kind": Grid(values=("replace", "accumulate")), "seed": Grid(values=(0, 1))}
    study = Study(name="small", blocks=(Block(cell=cell, space=space),))
    planned = plan_study(study).disk["results"]
    store = open_store(str(tmp_path))
    for point in points(study):
        recursion = Recursion(point.cell, store)
        for generation in range(1, point.cell.generations + 1):
            recursion.record(generation)
    assert 0.75 < planned / used(tmp_path) < 1.25


@pytest.mark.parametrize("policy", ["fresh_mix", "ratio_mix"])
def test_real_rows_that_each_generation_reads_anew_are_planned(tmp_path: Path, policy: str) -> None:
    """They were left out, and are as much as what is sampled."""
    cell = {"family": {"kind": "gaussian"}, "rows": 500, "generations": 6, "replicates": 100}
    told = {"kind": policy} | ({"fresh": True} if policy == "ratio_mix" else {})
    study = Study(name="fresh", blocks=(Block(cell=cell | {"policy": told}),))
    planned = plan_study(study).disk["results"]
    store = open_store(str(tmp_path))
    recursion = Recursion(points(study)[0].cell, store)
    for generation in range(1, 7):
        recursion.record(generation)
    assert 0.9 < planned / used(tmp_path) < 1.1
