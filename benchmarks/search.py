"""Optuna against random search on the response surface of a toy family: suggestions until the best region is reached.

The surface is real: held-out loss after three generations of ridge regression on weighted fresh data, over the ridge
penalty, the weight of real rows and the sharpness of sampling. It has one basin, whose place is known by theory
(the Bayes penalty σ²·d/‖w*‖² = 20 in units of rows of full weight, real rows above half of it). The best region is
what a dense scan puts below the 0.5 % quantile, so that random search needs 139 suggestions in the median.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.harness import Ratio
from search_spaces import Block, OptunaSearch, RandomSearch, Range, Study
from search_spaces.expansion import build, random_draws
from sweep.scheduling import Board
from sweep.search import OptunaSource
from trainables import Cell, run
from trainables.recursion import Recursion
from trainables.store import MemoryStore

PAIRS, SHARE, SCAN = 20, 0.005, 1024
MOST_RANDOM, MOST_OPTUNA = 1000, 150
SPACE = {
    "family.penalty": Range(low=1e-2, high=1e4, log=True),
    "policy.weight": Range(low=0.02, high=0.98),
    "policy.bias": Range(low=0.5, high=1.5),
}
CELL = {
    "family": {"kind": "linear", "dim": 20, "estimator": "ridge"},
    "policy": {"kind": "weighted_fresh"},
    "rows": 60,
    "generations": 3,
    "replicates": 50,
}


def study(sampler: str, samples: int, seed: int) -> Study:
    """The search of one run."""
    search = OptunaSearch.model_validate({"sampler": {"kind": sampler}, "num_samples": samples, "seed": seed})
    return Study(name=f"surface-{sampler}-{seed}", blocks=(Block(cell=CELL, space=SPACE, search=search),))


def loss(cell: Cell) -> float:
    """Held-out loss of the last generation."""
    return list(run(cell))[-1].test_loss


def best_region(share: float = SHARE) -> float:
    """The loss below which a share of the space lies, by a scrambled Sobol scan."""
    from scipy.stats import qmc

    plain, found = study("random", 1, 0), []
    for point in qmc.Sobol(len(SPACE), seed=0).random(SCAN):
        values = {path: _at(word, float(u)) for (path, word), u in zip(SPACE.items(), point, strict=True)}
        found.append(loss(build(plain, 0, values)))
    return float(np.quantile(found, share))


def _at(word: Range, u: float) -> float:
    low, high = (np.log(word.low), np.log(word.high)) if word.log else (word.low, word.high)
    value = low + u * (high - low)
    return float(word.snap(float(np.exp(value) if word.log else value)))


def random_until(target: float, seed: int) -> int:
    """Draws of random search until the best region."""
    block = Block(cell=CELL, space=SPACE, search=RandomSearch(num_samples=MOST_RANDOM, seed=seed))
    plain = study("random", 1, 0)
    for number, drawn in enumerate(random_draws(block, MOST_RANDOM, seed), start=1):
        if loss(build(plain, 0, drawn)) <= target:
            return number
    return MOST_RANDOM


def optuna_until(target: float, seed: int, sampler: str = "tpe") -> int:
    """Suggestions of Optuna until the best region, through the study's board and store, one trial at a time."""
    store = MemoryStore()
    board = Board(store)
    source = OptunaSource(study(sampler, MOST_OPTUNA, seed), 0, None)
    board.add_source(source)
    while (job := board.take()) is not None:
        board.start(job)
        for generation in range(1, len(job.stages) + 1):
            record = Recursion(job.cell, store).record(generation)
            board.record(job, record)
        board.finish(job)
        if record.test_loss <= target:
            break
    return len(source.trials())


def through_tune(target: float, samples: int, seed: int) -> int | None:
    """The same by the whole engine, on Ray Tune; None where the region was not reached."""
    from sweep.engine import run_study
    from sweep.progress import PlainProgress
    from sweep.resources import Machines
    from sweep.workspace import NO_TRACKING, open_workspace

    made = study("tpe", samples, seed)
    with tempfile.TemporaryDirectory(prefix="collapse-sweep-bench-") as folder:
        workspace = open_workspace(Path(folder), tracking_uri=NO_TRACKING)
        quiet = PlainProgress(1, lambda line: None)
        run_study(made, workspace, quiet, machines=Machines(cpus=1), warn=lambda line: None)
        values = [trial.value for trial in OptunaSource(made, 0, workspace.searches(made.name)).trials()]
    return next((number for number, value in enumerate(values, start=1) if value <= target), None)


def claims() -> list[Ratio]:
    """Median ratio of suggestions over paired runs; and one run through Tune."""
    target = best_region()
    by_random = _each(lambda seed: random_until(target, seed))
    rows = []
    for sampler in ("tpe", "gp"):
        by_optuna = _each(lambda seed, sampler=sampler: optuna_until(target, seed, sampler))
        ratio = statistics.median(by_random) / statistics.median(by_optuna)
        note = f"medians {statistics.median(by_random):g} and {statistics.median(by_optuna):g}, ratio {ratio:.2g}"
        rows.append(
            Ratio(f"best 0.5 % of a surface, {sampler}", "random search", 3, by_optuna, by_random, note, "draws")
        )
    reached = through_tune(target, 60, 0)
    print(f"Through Ray Tune, seed 0, tpe: reached after {reached} suggestions of 60", flush=True)
    return rows


def _each(until: Callable[[int], int]) -> tuple[float, ...]:
    return tuple(float(until(seed)) for seed in range(PAIRS))
