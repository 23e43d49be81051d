"""What sharing lineages saves: models trained beside those of a plan, and a study's wall time beside Ray Tune's.

`python -m benchmarks.sharing SIZES SEEDS` measures the wall time of a smaller study than the one that is claimed.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import HEADER, Ratio, seconds
from search_spaces import Block, Grid, Study, load_study
from search_spaces.expansion import expand
from sweep.planning import plan_study
from trainables import Cell, run
from trainables.store import open_store

POLICIES: tuple[dict[str, Any], ...] = (
    {"kind": "replace"},
    {"kind": "accumulate"},
    {"kind": "accumulate_subsample"},
    {"kind": "sliding_window", "window": 2},
)
GENERATIONS = 5
CPUS = 1

LANGUAGE: dict[str, Any] = {"kind": "language", "architecture": "llama", "layers": 2, "heads": 2, "steps": 30}
VAE: dict[str, Any] = {"kind": "vae", "steps": 60}
WIDTHS = {"language": (16, 24, 32), "vae": (8, 12, 16)}


def claims() -> list[Ratio]:
    """Everything that is claimed of sharing."""
    return [*_counts(), whole_study(3, 3)]


def four_policies(generations: int) -> str:
    """A study of 4 policies × 3 sizes × 3 seeds in closed form, as YAML."""
    cell = {"family": {"kind": "gaussian"}, "rows": 20, "generations": generations, "replicates": 4}
    space = {
        "policy": {"grid": list(POLICIES)},
        "family.dim": {"grid": [1, 2, 3]},
        "seed": {"grid": [0, 1, 2]},
    }
    return json.dumps({"name": "sharing", "cell": cell, "space": space})


def complete(study: str, store: Path) -> int:
    """Run every cell of a study in this process; how many models were added to the store."""
    held = open_store(str(store))
    before = len(list(held.keys("model")))
    for point in expand(load_study(study)):
        list(run(point.cell, held))
    return len(list(held.keys("model"))) - before


def _counts() -> list[Ratio]:
    """Models trained: of a study, of the same study again, and of the study two generations longer."""
    with tempfile.TemporaryDirectory() as folder:
        short, long, store = Path(folder, "short.yaml"), Path(folder, "long.yaml"), Path(folder, "store")
        short.write_text(four_policies(5))
        long.write_text(four_policies(7))
        planned = plan_study(load_study(str(short))).totals
        trained, again = complete(str(short), store), complete(str(short), store)
        added = plan_study(load_study(str(long)), open_store(str(store))).totals
        longer = complete(str(long), store)
    what = "4 policies × 3 sizes × 3 seeds × 5 generations"
    note = f"{planned.trained} planned; the study again: {again} trained"
    alone = planned.generations / planned.trained
    return [
        _count(f"models trained, {what}", "cells × generations", alone, trained, planned.generations, note),
        _count(f"models trained, {what}", "those of the plan", 1.0, trained, planned.trained),
        _count("models trained for 2 generations more", "the new ones", 1.0, longer, added.trained - added.stored),
    ]


def _count(work: str, peer: str, target: float, ours: int, theirs: int, note: str = "") -> Ratio:
    return Ratio(work, peer, target, (float(ours),), (float(theirs),), note, unit="models")


def whole_study(sizes: int, seeds: int, rounds: int = 1) -> Ratio:
    """Wall time of a study of two families, beside the same cells as plain Ray Tune trainables."""
    study = two_families(sizes, seeds)
    cells = [point.cell for point in expand(study)]
    totals = plan_study(study).totals
    shared = totals.generations / totals.trained
    ours, theirs = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(seconds(lambda: product(study, folder)))
        theirs.append(seconds(lambda: peer(cells)))
    work = f"a study of 2 families × 4 policies × {sizes} sizes × {seeds} seeds × {GENERATIONS} generations"
    note = f"{totals.trained} of {totals.generations} models; ours also commits to disk and writes MLflow's runs"
    return Ratio(work, "Ray Tune functions, nothing shared", 0.95 * shared, tuple(ours), tuple(theirs), note)


def two_families(sizes: int, seeds: int) -> Study:
    """Language and autoencoder; every fit of a size costs the same, however large its corpus."""
    space = {"policy": Grid(values=POLICIES), "seed": Grid(values=tuple(range(seeds)))}
    blocks = []
    for family, rows in ((LANGUAGE, 200), (VAE, 300)):
        cell = {"family": family, "policy": POLICIES[0], "rows": rows, "generations": GENERATIONS}
        widths = Grid(values=WIDTHS[family["kind"]][:sizes])
        blocks.append(Block(name=family["kind"], cell=cell, space=space | {"family.width": widths}))
    return Study(name="sharing", blocks=tuple(blocks))


def product(study: Study, folder: str) -> None:
    """The study as `collapse-sweep run` runs it, without the report."""
    from sweep.engine import run_study
    from sweep.progress import PlainProgress
    from sweep.resources import Machines
    from sweep.workspace import open_workspace

    workspace = open_workspace(Path(folder))
    progress = PlainProgress(CPUS, lambda line: None)
    outcome = run_study(study, workspace, progress, machines=Machines(cpus=CPUS), warn=print)
    assert not outcome.failed
    assert not outcome.unfinished


def peer(cells: Sequence[Cell]) -> None:
    """One function trainable a cell, workers reused, a report a generation."""
    from ray import tune

    from sweep.ray_backend.nodes import started
    from sweep.resources import Machines

    def train(config: dict[str, Any]) -> None:
        for record in run(Cell.model_validate_json(config["cell"])):
            tune.report({"test_loss": record.test_loss})

    with started(Machines(cpus=CPUS)), tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(train, {"cpu": 1.0}),
            param_space={"cell": tune.grid_search([cell.model_dump_json() for cell in cells])},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    assert not results.errors


if __name__ == "__main__":
    print(HEADER, whole_study(int(sys.argv[1]), int(sys.argv[2])).row(), sep="\n")
