"""How `run` ends: its exit code, what it tells, and the command that goes on with the study."""

import errno

import pytest
import yaml

from search_spaces.loading.study import study_from
from search_spaces.study import StudyBudget
from sweep.commands import run as command
from sweep.commands.outcome import report
from sweep.commands.report import options
from sweep.commands.run import _tell
from sweep.engine import Outcome
from sweep.errors import UsageError
from sweep.resources import Machines, cores
from sweep.scheduling import Board, Failure
from sweep.search import OptunaSource
from sweep.workspace import open_workspace
from tests.support.toys import drain, points, toy
from trainables.store import MemoryStore

AGAIN = "collapse-sweep run toy"
NOWHERE = Machines()


def ended(study=None, done=True, **outcome):
    """A study that has run in this process, or one of which nothing has."""
    study, store = study or toy(), MemoryStore()
    board = Board(store, budget=study.budget)
    board.admit(points(study))
    if done:
        drain(board, store)
    return study, Outcome(board, **{"ran": True} | outcome)


@pytest.fixture
def tell(tmp_path, capsys):
    def told(study, outcome, tracking="none"):
        _tell(study, outcome, open_workspace(tmp_path / "w", tracking_uri=tracking), AGAIN)
        captured = capsys.readouterr()
        assert captured.out == "", "stdout is for tables and JSON"
        return captured.err.splitlines()

    return told


def test_a_study_that_is_done_says_where_its_runs_are_shown(tell, tmp_path):
    assert tell(*ended(), tracking=None) == [f"MLflow: collapse-sweep ui --workspace {tmp_path / 'w'}"]
    assert tell(*ended()) == []
    assert tell(*ended(ran=False)) == ["toy: everything was done already; nothing was trained"]


@pytest.mark.parametrize(("stopped", "word"), [(True, "stopped"), (False, "not finished")])
def test_a_study_that_is_not_done_says_how_far_it_is_and_how_to_go_on(tell, stopped, word):
    study, outcome = ended(done=False, stopped=stopped)
    assert tell(study, outcome) == [f"{word}: 0 of 4 cells are done and kept; go on with: {AGAIN}"]


def test_a_tuning_that_was_stopped_says_that_nothing_is_lost(tell):
    study, outcome = ended(done=False, stopped=True, untuned=True)
    assert tell(study, outcome) == [
        f"stopped: hyperparameters are not tuned yet, what was tried is kept; go on with: {AGAIN}"
    ]


def test_failed_cells_come_first_and_a_run_of_nothing_else_is_not_said_to_be_done(tell):
    study, outcome = ended(ran=False)
    job = next(iter(outcome.board.jobs.values()))
    job.status, job.failure = "failed", Failure("the loss is nan", 2)
    (line,) = tell(study, outcome)
    assert line.startswith(f"failed: {job.title}: generation 2: the loss is nan; the same settings end alike")


def test_what_a_budget_left_out_is_named_with_a_command_for_more_of_it(tell):
    study = toy(seeds=14).model_copy(update={"budget": StudyBudget(cells=3, flops=1e9)})
    lines = tell(*ended(study))
    assert len([line for line in lines if line.startswith("not run: gaussian / dim 1 / ")]) == 20
    assert lines[-2:] == [
        "not run: 5 more; `status` names them all",
        f"budget spent (cells 3, flops 1e+09): 3 cells are done and kept; with a larger one, go on with: {AGAIN} "
        "-o budget.cells=… -o budget.flops=…",
    ]
    again = tell(*ended(study, ran=False))
    assert again[-1] == "toy: everything that the budget allows was done already; nothing was trained"


def test_suggestions_that_a_budget_leaves_no_room_for_are_counted(tell):
    search = {"kind": "optuna", "num_samples": 6, "seed": 1}
    cell = {"family": {"kind": "gaussian"}, "generations": 2, "replicates": 5, "policy": {"kind": "replace"}}
    raw = {"name": "sought", "cell": cell, "space": {"rows": {"lograndint": [5, 500]}}, "search": search}
    study, store = study_from(raw | {"budget": {"cells": 4}}, "s.yaml"), MemoryStore()
    board = Board(store, budget=study.budget)
    board.add_source(OptunaSource(study, 0, None))
    drain(board, store)
    lines = tell(study, Outcome(board, ran=True))
    assert lines[0] == "not run: 2 suggestions of open searches"
    assert lines[1].startswith("budget spent (cells 4): 4 cells are done and kept; with a larger one, go on with: ")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command on an outcome that is made up, what it was to run on, and what it said."""
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toy().canonical()))

    def ran(outcome, machines=NOWHERE, overrides=(), keep="all"):
        asked = {}

        def run_study(study, workspace, progress, **more):
            asked.update(more, name=study.name, concurrency=progress.eta.concurrency)
            return outcome

        monkeypatch.setattr(command, "run_study", run_study)
        monkeypatch.setattr(command, "show", lambda *told, reuse: asked.update(shown=told[4], reuse=reuse))
        workspace = open_workspace(tmp_path / "w", tracking_uri="none")
        code = command.run(str(path), list(overrides), workspace, machines, keep, report=True, json=False)
        return code, asked, capsys.readouterr().err

    return ran


def test_exit_codes_tell_a_study_that_is_done_from_one_that_is_not(run):
    done, waiting = ended()[1], ended(done=False)[1]
    assert run(done)[0] == 0
    assert run(waiting)[0] == 1
    assert run(Outcome(done.board, ran=True, untuned=True))[0] == 1
    limited = toy().model_copy(update={"budget": StudyBudget(cells=3)})
    assert run(ended(limited)[1])[0] == 1
    next(iter(done.board.jobs.values())).status = "failed"
    assert run(done)[0] == 1


def test_a_machine_s_own_cores_are_the_default_here_and_a_cluster_s_are_its_own(run):
    _, asked, _ = run(ended()[1])
    assert asked["machines"] == Machines(cpus=cores())
    assert asked["concurrency"] == cores()
    assert run(ended()[1], Machines(cpus=3))[1]["machines"].cpus == 3
    _, asked, _ = run(ended()[1], Machines(address="auto"))
    assert (asked["machines"].cpus, asked["concurrency"]) == (None, 1)


def test_results_are_shown_where_there_are_any_and_drawn_again_where_something_ran(run):
    _, asked, _ = run(ended()[1])
    assert asked["shown"].startswith("collapse-sweep report ")
    assert asked["reuse"] is False
    assert run(ended(ran=False)[1])[1]["reuse"] is True
    assert "shown" not in run(ended(done=False)[1])[1], "nothing is done yet"
    assert "shown" not in run(ended(stopped=True)[1])[1], "who stops a run does not wait for a report"


def test_the_command_that_goes_on_says_what_the_first_one_said(run, tmp_path):
    _, _, said = run(
        ended(done=False)[1], Machines(address="10.0.0.1:6379"), ["budget.cells=99", "description=a b"], "last"
    )
    assert said.rstrip().endswith(
        f"go on with: collapse-sweep run {tmp_path / 'toy.yaml'} -o budget.cells=99 -o 'description=a b' --workspace "
        f"{tmp_path / 'w'} --tracking-uri none --address 10.0.0.1:6379 --keep last"
    )


def test_an_unknown_level_is_refused_before_the_study_is_read(tmp_path):
    with pytest.raises(UsageError, match=r"^--keep most: is none of all, last, records$"):
        command.run("no study", [], open_workspace(tmp_path), Machines(), "most", report=True, json=False)


def test_options_that_repeat_a_command_show_no_password(tmp_path):
    plain = open_workspace(tmp_path / "w")
    assert options([], plain) == ["--workspace", str(tmp_path / "w")]
    far = open_workspace(tmp_path / "w", "s3://me:planted@bucket/store", "mlflow,https://me:planted@host")
    assert options(["rows=5"], far) == [
        *("-o", "rows=5", "--workspace", str(tmp_path / "w")),
        *("--tracking-uri", "mlflow,https://me:***@host", "--storage", "s3://me:***@bucket/store"),
    ]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_takes_nothing_is_the_user_s_to_mend(capsys, number):
    def fail():
        raise OSError(number, "no way", "/w/x")

    assert report(fail) == 2
    assert capsys.readouterr().err == "collapse-sweep: /w/x: no way\n"


@pytest.mark.parametrize("problem", [OSError(errno.EIO, "Input/output error"), ValueError("ours"), KeyError("ours")])
def test_what_nobody_foresaw_keeps_its_traceback(problem):
    def fail():
        raise problem

    with pytest.raises(type(problem)):
        report(fail)


def test_what_is_told_is_one_line_without_passwords(capsys):
    def fail():
        raise UsageError("--storage s3://me:planted@b:\nno answer")

    assert report(fail) == 2
    assert capsys.readouterr().err == "collapse-sweep: --storage s3://me:***@b: no answer\n"
    assert report(lambda: 1) == 1
