"""Every sampler: repeatable, resumed in mid-search to the same sequence, refused where it can not draw the space."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from search_spaces import Block, Choice, Grid, OptunaSearch, Range, Study
from search_spaces.search.samplers import SAMPLERS
from sweep.planning import plan_study
from sweep.scheduling import Board, Failure
from sweep.search import OptunaSource
from sweep.search.samplers import distribution
from tests.support.toys import GAUSSIAN, drain, step
from trainables.store import MemoryStore

BIAS = Range(low=0.5, high=1.0)
ROWS = Range(low=5, high=200, integer=True, log=True)
STEPPED = Range(low=0.5, high=1.0, step=0.1)


def study(kind: str, samples: int = 12, **options: Any) -> Study:
    """Two numbers, and two objectives where the sampler takes them."""
    space = {
        "policy.bias": STEPPED if kind == "grid" else BIAS,
        "rows": Choice(values=(5, 20)) if kind == "grid" else ROWS,
    }
    sampler = {"kind": kind} | ({"n_startup_trials": 4} if kind in ("tpe", "gp", "cmaes") else {})
    sampler |= {"population_size": 4} if kind.startswith("nsga") else {}
    several = {"objective": ("final_loss", "flops"), "mode": ("min", "min")} if kind.startswith("nsga") else {}
    search = OptunaSearch(**{"num_samples": samples, "seed": 1, "sampler": sampler} | several | options)
    cell = GAUSSIAN | {"policy": {"kind": "replace"}, "replicates": 20, "generations": 2}
    return Study(name="s", blocks=(Block(cell=cell, space=space, search=search),))


def board_of(made: Study, store: Any, journal: Path | None) -> tuple[Board, OptunaSource]:
    source = OptunaSource(made, 0, journal)
    source.resume()
    board = Board(store)
    board.add_source(source)
    return board, source


def suggested(source: OptunaSource) -> list[dict[str, Any]]:
    return [source.values(trial) for trial in source.trials()]


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.slow) if k == "gp" else k for k in SAMPLERS])
def test_interrupted_and_resumed_suggests_what_an_uninterrupted_search_does(tmp_path: Path, kind: str) -> None:
    store = MemoryStore()
    whole, source = board_of(study(kind), store, tmp_path / "a.log")
    drain(whole, store, slots=1)
    expected = suggested(source)
    assert len(expected) == 12
    assert len({json.dumps(values) for values in expected}) >= 6, "they differ"

    store = MemoryStore()
    for told in (2, 5):  # killed twice, each time with a suggestion out
        part, _ = board_of(study(kind), store, tmp_path / "b.log")
        for _ in range(told):
            job = part.take()
            assert job is not None
            while part.holds(job):
                step(part, job, store)
        part.take()
    rest, source = board_of(study(kind), store, tmp_path / "b.log")
    drain(rest, store, slots=1)
    assert suggested(source) == expected
    assert not board_of(study(kind), store, tmp_path / "b.log")[0].has_work()


@pytest.mark.parametrize("kind", [kind for kind in SAMPLERS if kind != "grid"])
def test_another_seed_is_another_search(kind: str) -> None:
    found = []
    for seed in (1, 2):
        store = MemoryStore()
        board, source = board_of(study(kind, samples=5, seed=seed), store, None)
        drain(board, store, slots=1)
        found.append(suggested(source))
    assert found[0] != found[1]


def test_cmaes_reads_no_pickle_from_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    board, _ = board_of(study("cmaes", samples=10), store, tmp_path / "j.log")
    drain(board, store, slots=1)
    assert "cma:" not in (tmp_path / "j.log").read_text()

    def refuse(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a pickle was read")

    rest, source = board_of(study("cmaes", samples=11), store, tmp_path / "j.log")
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr("optuna.storages.journal._file.pickle", None, raising=False)
    drain(rest, store, slots=1)
    assert len(source.trials()) == 11


def test_the_grid_sampler_runs_every_combination_once_and_then_ends() -> None:
    store = MemoryStore()
    board, source = board_of(study("grid", samples=100), store, None)
    drain(board, store, slots=1)
    found = suggested(source)
    assert len(found) == 6 * 2
    assert {(values["policy.bias"], values["rows"]) for values in found} == {
        (bias, rows) for bias in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0) for rows in (5, 20)
    }


@pytest.mark.parametrize("samples", [1, 5, 12, 100])
def test_a_plan_of_the_grid_sampler_is_of_the_cells_it_runs(samples: int) -> None:
    """Random draws, which stand for other samplers' suggestions, repeat combinations and go on behind the last."""
    made, store = study("grid", samples=samples, points=({"policy.bias": 0.7},)), MemoryStore()
    ahead = plan_study(made)
    board, _ = board_of(made, store, None)
    drain(board, store, slots=1)
    assert {cell.key for cell in ahead.asked} == set(board.jobs)
    assert len(ahead.asked) == ahead.totals.cells == min(samples, 12)
    assert plan_study(made, store).totals.stored == ahead.totals.trained


def test_points_come_first_and_are_not_tried_twice(tmp_path: Path) -> None:
    points = ({"policy.bias": 0.75, "rows": 50}, {"policy.bias": 0.6})
    store = MemoryStore()
    board, source = board_of(study("tpe", samples=4, points=points), store, tmp_path / "j.log")
    drain(board, store, slots=1)
    first, second, *_ = suggested(source)
    assert first == {"policy.bias": 0.75, "rows": 50}
    assert second["policy.bias"] == 0.6, "what a point leaves out is drawn"
    more = ({"policy.bias": 0.9, "rows": 9}, *points)
    board, source = board_of(study("tpe", samples=6, points=more), store, tmp_path / "j.log")
    drain(board, store, slots=1)
    assert suggested(source)[4] == {"policy.bias": 0.9, "rows": 9}, "a point added later is the next one"
    assert sum(values["policy.bias"] in (0.75, 0.6) for values in suggested(source)) == 2


def test_the_front_of_two_objectives_is_what_nothing_dominates() -> None:
    store = MemoryStore()
    board, source = board_of(study("nsgaii", samples=16), store, None)
    drain(board, store, slots=1)
    front = [tuple(trial.values) for trial in source.best()]
    every = [tuple(trial.values) for trial in source.trials()]
    assert front == sorted(front), "by the first objective"
    for values in every:
        beaten = any(a <= values[0] and b <= values[1] and (a, b) != values for a, b in every)
        assert (values in front) is not beaten
    flops = [values[1] for values in front]
    assert flops == sorted(flops, reverse=True), "less loss costs more"


@pytest.mark.slow
@pytest.mark.parametrize("objectives", [("final_loss",), ("final_loss", "flops")])
def test_a_gaussian_process_goes_on_after_cells_that_failed(objectives: tuple[str, ...]) -> None:
    made = study("gp", samples=8, objective=objectives, mode=("min",) * len(objectives))
    store = MemoryStore()
    board, source = board_of(made, store, None)
    while (job := board.take()) is not None:
        if len(source.trials()) in (1, 5):
            board.fail(job, Failure("the loss is nan", 1))
        while board.holds(job):
            step(board, job, store)
    assert [trial.number for trial in source.trials() if trial.user_attrs["diverged"]] == [1, 5]
    assert not {1, 5} & {trial.number for trial in source.best()}


@pytest.mark.parametrize(
    ("search", "space", "message"),
    [
        ({"sampler": "tpee"}, {}, "unknown kind 'tpee'; did you mean 'tpe'"),
        ({"sampler": {"kind": "gp", "sigma": 1}}, {}, "sigma"),
        ({"sampler": {"kind": "tpe", "n_startup_trials": 0}}, {}, "n_startup_trials"),
        (
            {"sampler": "cmaes", "objective": ["final_loss", "flops"], "mode": ["min", "min"]},
            {},
            "sampler: cmaes seeks one objective, not 2; use tpe, gp or nsgaii",
        ),
        ({"objective": ["final_loss", "flops"]}, {}, "mode: needs one of min, max for each of 2 objectives"),
        ({"objective": ["final_loss", "final_loss"], "mode": ["min", "max"]}, {}, "the same name stands there twice"),
        ({"objective": [], "mode": []}, {}, "objective: the list is empty"),
        ({"objective": "growht"}, {}, "search.objective: unknown objective 'growht'; did you mean 'growth'"),
        ({"sampler": "qmc", "warm_start": ["x"]}, {}, "warm_start: the sampler qmc learns nothing from it"),
        ({"sampler": "cmaes"}, {"policy.bias": BIAS}, "search.sampler: cmaes needs two paths to draw"),
        (
            {"sampler": "cmaes"},
            {"rows": Choice(values=(5, 9)), "policy.bias": BIAS},
            "search.sampler: cmaes draws numbers, and rows is a choice",
        ),
        (
            {"sampler": "qmc"},
            {"policy.bias": Range(low=0.5, high=1, when={"seed": 0}), "seed": Grid(values=(0, 1))},
            "search.sampler: qmc takes no conditional path, as policy.bias is",
        ),
        ({"sampler": "grid"}, {"policy.bias": BIAS}, "grid needs finitely many values, and policy.bias is uniform"),
        ({"points": [{"row": 3}]}, {}, "search.points.0: unknown path 'row'; did you mean 'rows'"),
        ({"points": [{"rows": 3}]}, {}, "search.points.0.rows: 3 is not in {'lograndint': \\[5, 200\\]}"),
        (
            {"points": [{"seed": 3}]},
            {"rows": ROWS, "seed": Grid(values=(0, 1))},
            "search.points.0: unknown path 'seed'; it is a grid",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(
    search: dict[str, Any], space: dict[str, Any], message: str
) -> None:
    cell = GAUSSIAN | {"policy": {"kind": "replace"}}
    raw = {"name": "s", "cell": cell, "space": space or {"rows": ROWS}, "search": {"kind": "optuna"} | search}
    from search_spaces.errors import StudyError
    from search_spaces.loading.study import study_from

    with pytest.raises(StudyError, match=message) as caught:
        study_from(raw, "s.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        (Range(low=1, high=9, step=2, integer=True), [2, 4, 6, 8]),
        (Range(low=0.05, high=0.35, step=0.1), [0.1, 0.2, 0.3]),
        (Range(low=-2, high=2, integer=True), [-2, -1, 0, 1]),
    ],
)
def test_optuna_counts_multiples_as_the_word_does(word: Range, values: list[float]) -> None:
    """Counted from a low bound of 1, by 2, they are 1, 3, 5, 7, 9: snapped to 2, 4, 4, 8, 8, so that 6 never comes."""
    found = distribution(word)
    count = round((found.high - found.low) / found.step)
    counted = [word.snap(found.low + number * found.step) for number in range(count + 1)]
    assert counted == values
