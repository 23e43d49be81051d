"""Schedulers: what they stop, that a restart changes nothing, and that what is stopped is never dropped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Grid, OptunaSearch, Range, Study, StudyError
from search_spaces.expansion import expand
from search_spaces.loading.study import study_from
from sweep.commands.plan import schedulers
from sweep.scheduling import Board, Job, make_job
from sweep.search import OptunaSource, Stopping, cautions
from tests.support.toys import GAUSSIAN, Counting, drain, step
from trainables import Record
from trainables.store import MemoryStore

ROWS = tuple(range(8, 8 + 2 * 12, 2))


def grid(scheduler: dict[str, Any], policies: tuple[str, ...] = ("replace",), seeds: int = 1, n: int = 9) -> Study:
    """Twelve configurations, the fewer rows the worse."""
    space = {"policy.kind": Grid(values=policies), "seed": Grid(values=tuple(range(seeds))), "rows": Grid(values=ROWS)}
    cell = GAUSSIAN | {"generations": n, "replicates": 200}
    return Study(name="s", blocks=(Block(cell=cell, space=space, scheduler=scheduler),))  # type: ignore[arg-type]


def board_of(study: Study, store: Any, journal: Path | None, writing: bool = True) -> Board:
    board = Board(store, stopping=Stopping(study, journal, store, writing))
    board.admit(expand(study))
    return board


@pytest.mark.parametrize(
    ("scheduler", "rungs"),
    [({"kind": "asha"}, {2, 6}), ({"kind": "hyperband"}, {2, 6}), ({"kind": "median"}, set(range(2, 9)))],
)
def test_a_scheduler_stops_bad_cells_at_its_rungs_and_lets_good_ones_end(
    scheduler: dict[str, Any], rungs: set[int]
) -> None:
    store = Counting(MemoryStore())
    board = board_of(grid(scheduler), store, None)
    drain(board, store)
    stopped = [job for job in board.jobs.values() if job.status == "stopped"]
    done = [job for job in board.jobs.values() if job.status == "done"]
    assert len(stopped) + len(done) == 12
    assert stopped
    assert {job.done for job in stopped} <= rungs
    assert max(ROWS) in {job.cell.rows for job in done}, "the best one goes on"
    mean = {name: sum(job.cell.rows for job in jobs) / len(jobs) for name, jobs in (("s", stopped), ("d", done))}
    assert mean["s"] < mean["d"]
    trained = sum(name.startswith("model/") for name in store.computed)
    assert trained == sum(job.done for job in board.jobs.values()) < 12 * 9, "what is stopped costs nothing more"


def test_a_policy_is_never_stopped_for_being_what_it_is() -> None:
    """Replacing grows and accumulating does not: if they were ranked together, only replacing would be stopped."""
    store = MemoryStore()
    board = board_of(grid({"kind": "asha"}, policies=("replace", "accumulate"), seeds=2), store, None)
    drain(board, store)
    counts = {
        (policy, seed): sum(
            job.status == "stopped"
            for job in board.jobs.values()
            if (job.cell.policy.kind, job.cell.seed) == (policy, seed)
        )
        for policy in ("replace", "accumulate")
        for seed in (0, 1)
    }
    assert all(6 <= count <= 11 for count in counts.values()), counts


def hear(study: Study, journal: Path, steps: int = 1000) -> dict[int, str]:
    """A driver that hears of cell after cell, the fewer rows the larger the loss, until it is killed after `steps`."""
    stopping = Stopping(study, journal, MemoryStore())
    jobs = [make_job(point.cell, point.values) for point in expand(study)]
    for job in jobs:
        stopping.admit(job)
        while job.status == "waiting" and steps:
            job.done, steps = job.done + 1, steps - 1
            if stopping.judge(job, record(job.done, job.done / (job.cell.rows * 7 % 23))):
                job.status = "stopped"
            elif job.done == len(job.stages):
                job.status = "done"
            if job.status != "waiting":
                stopping.end(job)
    return {job.cell.rows: job.status for job in jobs}


@pytest.mark.parametrize("kind", ["asha", "hyperband", "median"])
def test_a_restart_in_the_middle_of_a_cell_decides_as_if_nothing_had_happened(tmp_path: Path, kind: str) -> None:
    study = grid({"kind": kind})
    expected = hear(study, tmp_path / "a.log")
    assert set(expected.values()) == {"done", "stopped"}
    for steps in (5, 13, 31):  # each driver hears the generations of the cell that was cut short once more
        hear(study, tmp_path / "b.log", steps)
    assert hear(study, tmp_path / "b.log") == expected


def test_reading_where_a_study_stands_writes_nothing(tmp_path: Path) -> None:
    study, store = grid({"kind": "asha"}), MemoryStore()
    first = board_of(study, store, tmp_path / "j.log")
    job = first.take()
    assert job is not None
    step(first, job, store)
    before = (tmp_path / "j.log").read_bytes()
    board_of(grid({"kind": "median"}), store, tmp_path / "j.log", writing=False)
    assert (tmp_path / "j.log").read_bytes() == before


def test_a_cell_that_comes_back_counts_once(tmp_path: Path) -> None:
    """Its step is computed by another driver, so that its trial ends as busy and a new one hears everything again."""
    study, store = grid({"kind": "median", "min_cells": 1}), MemoryStore()
    stopping = Stopping(study, tmp_path / "j.log", store)
    board = Board(store, stopping=stopping)
    board.admit(expand(study))
    good, bad = (next(job for job in board.jobs.values() if job.cell.rows == rows) for rows in (max(ROWS), min(ROWS)))
    for job in (good, bad):
        board._running[job.key] = job
    for n in (1, 2, 1, 2, 1, 2):
        board.judge(good, record(n, 0.1 * n))
    group = next(iter(stopping._groups.values()))
    assert [trial.intermediate_values for trial in group._optuna.trials] == [{1: 0.1, 2: 0.2}]
    assert not board.judge(bad, record(1, 5.0)), "grace"
    assert board.judge(bad, record(2, 9.0))


def record(n: int, loss: float) -> Record:
    plain: dict[str, Any] = {"metrics": {}, "model": "m", "composition": {}, "seconds": {}}
    return Record(generation=n, test_loss=loss, corpus_rows=9, real_fraction=1.0, **plain)


def test_the_median_rule_sees_a_loss_that_grows_though_every_cell_was_best_in_generation_1() -> None:
    study, store = grid({"kind": "median", "min_cells": 2}), MemoryStore()
    board = board_of(study, store, None)
    jobs = list(board.jobs.values())[:3]
    for job in jobs:
        board._running[job.key] = job
    curves = [[0.1, 0.11, 0.12], [0.1, 0.12, 0.13], [0.05, 0.5, 2.0]]
    heard = [
        [board.judge(job, record(n, loss)) for n, loss in enumerate(curve, 1)]
        for job, curve in zip(jobs, curves, strict=True)
    ]
    assert heard[0] == heard[1] == [False] * 3
    assert heard[2][1], "its first generation is the best of all, and it collapses"


def test_a_cell_that_is_done_already_is_a_rival_and_is_never_undone(tmp_path: Path) -> None:
    store = MemoryStore()
    plain = Study(name="s", blocks=(grid({"kind": "asha"}).blocks[0].model_copy(update={"scheduler": None}),))
    drain(board_of(plain, store, None), store)
    board = board_of(grid({"kind": "median"}), store, tmp_path / "j.log")
    assert {job.status for job in board.jobs.values()} == {"done"}
    assert not board.has_work()
    more = grid({"kind": "median"}).blocks[0]
    wider = more.model_copy(update={"space": {**more.space, "rows": Grid(values=(4, *ROWS))}})
    board = board_of(Study(name="s", blocks=(wider,)), store, tmp_path / "j.log")
    drain(board, store)
    worst = next(job for job in board.jobs.values() if job.cell.rows == 4)
    assert (worst.status, worst.done) == ("stopped", 2)


def test_a_suggestion_with_a_stopped_cell_is_told_as_pruned(tmp_path: Path) -> None:
    space = {"rows": Range(low=5, high=200, integer=True, log=True), "seed": Grid(values=(0, 1))}
    search = OptunaSearch(num_samples=12, objective="growth", seed=3)
    cell = GAUSSIAN | {"policy": {"kind": "replace"}, "generations": 6, "replicates": 100}
    study = Study(name="s", blocks=(Block(cell=cell, space=space, search=search, scheduler={"kind": "asha"}),))  # type: ignore[arg-type]
    store = MemoryStore()
    source = OptunaSource(study, 0, tmp_path / "j.log")
    board = Board(store, stopping=Stopping(study, tmp_path / "j.log", store))
    board.add_source(source)
    drain(board, store, slots=1)
    trials = source.trials()
    assert len(trials) == 12
    pruned = [trial for trial in trials if trial.state.name == "PRUNED"]
    assert pruned
    assert len(pruned) < 12
    for trial in trials:
        own: list[Job] = [board.jobs[key] for key in trial.user_attrs["cells"]]
        assert (trial.state.name == "PRUNED") is any(job.status == "stopped" for job in own)
        if trial.state.name == "PRUNED":
            assert trial.last_step == min(job.done for job in own)
    assert all(trial.state.name == "COMPLETE" for trial in source.best())


BASE: dict[str, Any] = {
    "name": "s",
    "cell": GAUSSIAN | {"policy": {"kind": "replace"}},
    "space": {"rows": {"lograndint": [5, 90]}},
    "search": {"kind": "optuna"},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheduler": "ash"}, "scheduler: unknown kind 'ash'; did you mean 'asha'"),
        (
            {"scheduler": "pbt"},
            "scheduler: pbt copies weights and changes hyperparameters in the middle of a recursion",
        ),
        (
            {"scheduler": "asha", "search": {"kind": "falsify", "claim": "accumulate stays bounded"}},
            "scheduler: a hunt judges whole recursions; leave it out",
        ),
        ({"scheduler": {"kind": "asha", "grace": 0}}, "scheduler.grace: input should be greater than or equal to 1"),
        ({"scheduler": {"kind": "asha", "eta": 3}}, "scheduler.eta: unknown key"),
        (
            {"scheduler": {"kind": "asha", "metric": "grwth"}},
            "scheduler.metric: 'grwth' can't rank unfinished cells; did",
        ),
        (
            {"scheduler": "asha", "search": {"kind": "optuna", "sampler": "gp"}},
            "scheduler: the sampler gp learns nothing from suggestions that were stopped",
        ),
        (
            {"scheduler": "asha", "search": {"kind": "optuna", "objective": "flops"}},
            "scheduler.metric: flops can't rank unfinished cells; say one of final_loss, growth, growth_ratio",
        ),
        (
            {"scheduler": "asha", "search": {"kind": "optuna", "objective": ["growth", "flops"], "mode": ["min"] * 2}},
            "scheduler: with several objectives there is no one order to stop by",
        ),
    ],
)
def test_what_cannot_be_scheduled_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        study_from(BASE | change, "s.yaml")
    assert "\n" not in str(caught.value)


def test_what_a_scheduler_does_to_a_table_is_said() -> None:
    (said,) = cautions(grid({"kind": "asha", "metric": "growth"}))
    assert "ranks cells of equal policy and seed by growth and stops those where it is largest" in said
    assert "they are the ones that collapse" in said
    assert "over the generations that all its cells reached" in said
    (said,) = cautions(grid({"kind": "asha", "mode": "max"}))
    assert "smallest" in said
    assert "collapse" not in said.partition("Corrected")[0]
    assert list(cautions(Study(name="s", blocks=(Block(cell=GAUSSIAN),)))) == []


def test_a_plan_says_that_its_figures_are_upper_bounds() -> None:
    (said,) = map(str, schedulers(grid({"kind": "asha", "grace": 3})))
    assert said.startswith("Scheduler asha stops cells from generation 3 on; all figures are upper bounds")
    plain = grid({"kind": "asha"}).blocks[0].model_copy(update={"scheduler": None})
    assert schedulers(Study(name="s", blocks=(plain,))) == []
