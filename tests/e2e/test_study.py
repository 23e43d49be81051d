"""A study through Ray and MLflow, as a user runs it: killed, stopped, gone on with, run again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from search_spaces import load_study
from search_spaces.expansion import expand
from tests.support.commands import Command, call, start
from tests.support.gates import unfinished
from tests.support.workspaces import PATIENCE, TOY, models, records, robustness, wait_for
from trainables.recursion import Steps

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEARCH = """\
name: search
cell: {family: {kind: gaussian}, policy: {kind: replace}, rows: 40, generations: 3, replicates: 50}
space:
  policy.bias: {uniform: [0.5, 1.0]}
search: {kind: optuna, sampler: tpe, num_samples: 5, objective: final_loss, mode: min, seed: 1}
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    (folder / "toy.yaml").write_text(TOY)
    (folder / "search.yaml").write_text(SEARCH)
    out, err = call(folder, "run", "toy.yaml", "--workspace", "w", "--cpus", "2")
    assert "collapses" in out or "undecided" in out, "the robustness table is printed"
    assert "report.html" in out
    assert "collapse-sweep ui" in err
    return folder


def test_a_study_ends_with_its_records_runs_and_report(undisturbed: Path) -> None:
    import analysis

    frame = analysis.load(undisturbed / "w", study="toy")
    assert len(frame) == 4 * 6
    assert set(frame["status"]) == {"done"}
    first = frame[frame["generation"] == 1].groupby("seed")["test_loss"].nunique()
    assert (first == 1).all(), "both policies share generation 1"
    assert len(models(undisturbed, "w")) == 4 * 6 - 2, "and it was trained once"
    names = {path.name for path in (undisturbed / "w" / "reports" / "toy").iterdir()}
    assert {"report.html", "robustness.md", "robustness.csv", "robustness.tex", "robustness.parquet"} <= names


def test_a_finished_study_run_again_trains_nothing_and_starts_no_ray(undisturbed: Path) -> None:
    before = models(undisturbed, "w")
    page = undisturbed / "w" / "reports" / "toy" / "report.html"
    drawn = page.stat().st_mtime_ns
    code = (
        "import sys; from sweep.cli import app\n"
        "try: app(['run', 'toy.yaml', '--workspace', 'w'], standalone_mode=False)\n"
        "finally: print(sorted({'ray', 'torch', 'mlflow'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=undisturbed, capture_output=True, text=True, check=False)
    assert "nothing was trained" in done.stderr
    assert done.stderr.strip().splitlines()[-1] == "[]"
    assert models(undisturbed, "w") == before
    assert page.stat().st_mtime_ns == drawn, "a report of equal figures is left alone"


def test_trial_gives_the_records_of_the_trial_run_by_ray(undisturbed: Path) -> None:
    import analysis

    frame = analysis.load(undisturbed / "w", study="toy")
    (undisturbed / "cell.yaml").write_text(str(frame["cell_config"].iloc[0]))
    out, _ = call(undisturbed, "trial", "cell.yaml")
    cell = frame[frame["cell"] == frame["cell"].iloc[0]].sort_values("generation")
    alone = [json.loads(line) for line in out.splitlines()]
    assert [record["test_loss"] for record in alone] == cell["test_loss"].tolist(), "to the last digit"
    assert [record["metrics"]["trace_ratio"] for record in alone] == cell["trace_ratio"].tolist()


def store_of(folder: Path, workspace: str) -> str:
    return str(folder / workspace / "store")


def test_a_killed_driver_goes_on_and_ends_with_the_same_table(undisturbed: Path) -> None:
    with unfinished(undisturbed / "toy.yaml", store_of(undisturbed, "killed")):
        process = start(undisturbed, "run", "toy.yaml", "--workspace", "killed", "--cpus", "2")
        wait_for(lambda: len(models(undisturbed, "killed")) >= 6, process)
        crew = trials(process)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        assert psutil.wait_procs(crew, timeout=PATIENCE)[1] == [], "workers notice that their driver is gone"
        kept = models(undisturbed, "killed")
    assert len(kept) < 22, "it was killed in the middle"
    call(undisturbed, "run", "toy.yaml", "--workspace", "killed", "--cpus", "2")
    after = models(undisturbed, "killed")
    assert {key: after[key] for key in kept} == kept, "nothing that was committed is computed again"
    assert records(undisturbed, "killed") == records(undisturbed, "w")
    assert robustness(undisturbed, "killed") == robustness(undisturbed, "w")


def trials(process: Command) -> list[psutil.Process]:
    """Processes that run a trial; Ray names them after the class, or the method that is running."""
    return workers(process, "ray::CellTrial", "ray::ResourceTrainable")


def workers(process: Command, *names: str) -> list[psutil.Process]:
    """Processes that a run has started and that Ray names so."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if any(name in " ".join(child.cmdline()) for name in names):
                found.append(child)
    return found


KILLING = """\
import os, signal
from pathlib import Path

from sweep.cli import app
from sweep.ray_backend import tuner

told = tuner._Reports.on_trial_result


def tell(self, iteration, trials, trial, result, **info):
    told(self, iteration, trials, trial, result, **info)
    ended = len(list(Path().glob("between*")))
    if result["done"] and ended < 3:
        Path(f"between{ended}").touch()
        os.kill(result["pid"], signal.SIGKILL)
    elif '"generation":2,' in (result["record"] or "") and result["cell"] == os.environ.get("KILLER"):
        with open("deaths.txt", "a") as file:
            file.write("x")
        os.kill(result["pid"], signal.SIGKILL)


tuner._Reports.on_trial_result = tell
app()
"""
"""A command whose first three workers to end a cell are killed there, when no cell is theirs; and every one that has
done generation 2 of a cell that is named."""


def test_a_killed_worker_is_started_again_and_the_records_are_the_same(undisturbed: Path) -> None:
    """One that is killed somewhere within a cell, and three between two cells, whose next cell is not to blame."""
    (undisturbed / "killing.py").write_text(KILLING)
    with unfinished(undisturbed / "toy.yaml", store_of(undisturbed, "worker")):
        options = ("run", "toy.yaml", "--workspace", "worker", "--cpus", "1", "--no-report")
        process = Command(undisturbed, *options, module="killing")
        wait_for(lambda: len(models(undisturbed, "worker")) >= 3, process)
        assert workers(process, "ray::IDLE") == [], "none was started in vain"
        wait_for(lambda: kill(trials(process)) > 0, process)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(list(undisturbed.glob("between*"))) == 3
    assert records(undisturbed, "worker") == records(undisturbed, "w")


def test_a_cell_that_kills_every_worker_at_one_generation_fails_alone(undisturbed: Path) -> None:
    """Though each reads again what the ones before have done."""
    (undisturbed / "killing.py").write_text(KILLING)
    killer = expand(load_study(str(undisturbed / "toy.yaml")))[-1].cell
    environment = os.environ | {"KILLER": killer.key}
    options = ("run", "toy.yaml", "--workspace", "killer", "--cpus", "2", "--no-report")
    process = Command(undisturbed, *options, module="killing", environment=environment)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    assert "generation 3: the worker process died 3 times" in err, err
    assert (undisturbed / "deaths.txt").read_text() == "xxx"
    never = {Steps(killer).step(generation).record for generation in range(3, 7)}
    expected = records(undisturbed, "w")
    assert records(undisturbed, "killer") == {key: expected[key] for key in expected.keys() - never}


def kill(found: list[psutil.Process]) -> int:
    """How many of these processes were there to be killed."""
    killed = 0
    for each in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
            killed += 1
    return killed


def test_a_stopped_run_says_how_to_go_on(undisturbed: Path) -> None:
    """It ends at once, which is to say: while a cell that it would wait for is not done."""
    with unfinished(undisturbed / "toy.yaml", store_of(undisturbed, "stopped")):
        process = start(undisturbed, "run", "toy.yaml", "--workspace", "stopped", "--cpus", "1")
        wait_for(lambda: len(models(undisturbed, "stopped")) >= 2, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "go on with: collapse-sweep run toy.yaml --workspace" in err
    out, _ = call(undisturbed, "status", "toy.yaml", "--workspace", "stopped", "--json")
    assert {cell["status"] for cell in json.loads(out)["cells"]} <= {"done", "left"}


def test_an_optuna_study_runs_and_is_not_run_again(undisturbed: Path) -> None:
    out, _ = call(undisturbed, "run", "search.yaml", "--workspace", "s", "--cpus", "1", "--no-report", "--json")
    assert [cell["status"] for cell in json.loads(out)["cells"]] == ["done"] * 5
    _, err = call(undisturbed, "run", "search.yaml", "--workspace", "s", "--no-report")
    assert "nothing was trained" in err
