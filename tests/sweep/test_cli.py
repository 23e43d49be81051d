"""The command line: what it loads, what it prints, and one line with exit code 2 for whatever a user gets wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.workspace import open_workspace
from tests.support.commands import start

HEAVY = "{'ray', 'torch', 'mlflow', 'pandas', 'transformers', 'optuna', 'matplotlib', 'datasets'}"
TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 3, replicates: 5}
space:
  policy.kind: {grid: [replace, accumulate]}
  seed: {grid: [0, 1]}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(TOY, encoding="utf-8")
    return path


def call(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments, environment=os.environ | environment)
    out, err = process.communicate(timeout=600)
    assert process.returncode is not None
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def refused(folder: Path, *arguments: str) -> str:
    """The one line of a command that is refused."""
    done = call(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("collapse-sweep: ")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["studies"], ["plan", "toy.yaml"], ["plan", "quickstart"]]
)
def test_commands_that_compute_nothing_load_nothing_heavy(study: Path, arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from sweep.cli import app\n"
        f"app({arguments!r}, standalone_mode=False)\n"
        f"print(sorted({HEAVY} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=study.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"


def test_help_is_quick(tmp_path: Path) -> None:
    """Half a second on a quiet machine, which benchmarks measure; here, less processor time than Ray's import alone."""
    assert call(tmp_path, "--help").returncode == 0
    helped = min(processor_time("-m", "sweep", "--help") for _ in range(3))
    assert helped < 0.7 * min(processor_time("-c", "import ray") for _ in range(2))
    assert "quickstart" in call(tmp_path, "studies").stdout


def processor_time(*words: str) -> float:
    """Seconds of processor time that a Python of these arguments takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_plan_counts_what_is_shared(study: Path) -> None:
    done = call(study.parent, "plan", "toy.yaml", "--json")
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)["totals"]
    assert (totals["cells"], totals["generations"], totals["trained"], totals["stored"]) == (4, 12, 10, 0)
    assert not (study.parent / "collapse-runs").exists(), "planning writes nothing"
    text = call(study.parent, "plan", "toy.yaml").stdout
    assert "toy: 4 cells of 12 generations; 2 of these are shared between cells" in text


def test_trial_prints_one_json_record_per_generation(tmp_path: Path) -> None:
    path = tmp_path / "cell.yaml"
    path.write_text("family: {kind: gaussian}\npolicy: {kind: replace}\nrows: 20\ngenerations: 3\n", encoding="utf-8")
    done = call(tmp_path, "trial", "cell.yaml")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["generation"] for line in done.stdout.splitlines()] == [1, 2, 3]
    code = "import runpy, sys; sys.argv = ['x', 'trial', 'cell.yaml']\n"
    code += "try: runpy.run_module('sweep', run_name='__main__')\nexcept SystemExit: assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("grid: [replace", "grd: [replace"),
            "toy.yaml:4: space.policy.kind: unknown word 'grd'; did you mean 'grid'?",
        ),
        (("rows: 20", "rows: -2"), "toy.yaml:2: cell.rows: input should be greater than or equal to 1, not -2"),
        (("{kind: gaussian}", "{kind: linear, dim: 30}"), "toy.yaml:2: cell.rows: "),
        (("{kind: gaussian}", "{kind: gaussian, dim: -1}"), "toy.yaml:2: cell.family.dim: "),
    ],
)
def test_a_wrong_study_is_refused_before_anything_is_made(study: Path, change: tuple[str, str], message: str) -> None:
    study.write_text(TOY.replace(*change), encoding="utf-8")
    for command in ("plan", "run", "status", "report"):
        assert refused(study.parent, command, "toy.yaml").startswith(message)
    assert sorted(path.name for path in study.parent.iterdir()) == ["toy.yaml"]


def test_an_unknown_study_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    assert refused(tmp_path, "run", "quikstart").startswith("unknown study 'quikstart'; did you mean 'quickstart'?")


def test_a_workspace_of_a_newer_version_is_refused(study: Path) -> None:
    folder = study.parent / "w"
    folder.mkdir()
    (folder / "workspace.json").write_text('{"schema": 99}')
    said = refused(study.parent, "run", "toy.yaml", "--workspace", "w")
    assert "written by a newer version (schema 99" in said
    (folder / "workspace.json").write_text("garbage")
    assert "can't be read as a workspace's mark" in refused(study.parent, "status", "toy.yaml", "--workspace", "w")


def test_a_workspace_that_is_a_file_is_refused(study: Path) -> None:
    assert "is a file, not a folder" in refused(study.parent, "run", "toy.yaml", "--workspace", "toy.yaml")


def test_an_unreachable_tracking_server_is_refused_before_anything_is_trained(study: Path) -> None:
    said = refused(study.parent, "run", "toy.yaml", "--workspace", "w", "--tracking-uri", "http://127.0.0.1:9")
    assert said.startswith("--tracking-uri http://127.0.0.1:9: the tracking server can't be reached")
    assert not (study.parent / "w" / "store" / "model").exists()


def test_a_report_of_nothing_is_refused(study: Path) -> None:
    said = refused(study.parent, "report", "toy.yaml", "-o", "generations=2")
    assert "no generation is done in" in said
    assert said.rstrip().endswith("; first: collapse-sweep run toy.yaml -o generations=2 --workspace collapse-runs")


def test_a_command_names_a_workspace_from_where_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for given in ("runs", ".", "../other", "/elsewhere"):
        assert open_workspace(Path(given)).named == given


def test_status_of_a_study_that_never_ran(study: Path) -> None:
    done = call(study.parent, "status", "toy.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert [cell["status"] for cell in json.loads(done.stdout)["cells"]] == ["left"] * 4


def test_an_unknown_objective_is_refused_with_the_nearest_name(study: Path) -> None:
    study.write_text(
        TOY.replace("grid: [0, 1]", "randint: [0, 9]") + "search: {kind: optuna, objective: grwth}\n", encoding="utf-8"
    )
    assert "search.objective: unknown objective 'grwth'; did you mean 'growth'?" in refused(
        study.parent, "run", "toy.yaml"
    )


def test_plan_needs_no_data_that_it_cannot_read(tmp_path: Path) -> None:
    done = call(tmp_path, "plan", "paper/diffusion")
    assert done.returncode == 0, done.stderr
    assert "paper/diffusion: 6 cells of 48 generations; 3 of these are shared" in done.stdout
    assert (
        "note: the data can't be read here, and `run` will ask for it: cell.family.source.allow_pickle" in done.stdout
    )
    assert "allow_pickle" in refused(tmp_path, "run", "paper/diffusion", "--workspace", "w")
    assert not (tmp_path / "w" / "store").exists()


def test_plan_notes_what_is_wrong_with_the_first_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")
    (tmp_path / "table.yaml").write_text(
        "name: table\ncell: {family: {kind: glm, source: {kind: table, path: a.csv}}, generations: 2}\n"
        "space: {policy.kind: {grid: [replace, accumulate]}}\n"
    )
    done = call(tmp_path, "plan", "table.yaml")
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert notes == ["note: cell.family.source.target: no column 'target' among x, y"]
    assert json.loads(call(tmp_path, "plan", "table.yaml", "--json").stdout)["notes"] == [notes[0][6:]]


def test_plan_refuses_too_few_seeds_where_it_is_asked_to(study: Path) -> None:
    options = ["--effect", "0.1", "--deviation", "0.5"]
    found = call(study.parent, "plan", "toy.yaml", *options)
    assert found.returncode == 0, found.stderr
    assert "warning: underpowered: gaussian dim 1: a growth per generation of 0.1 is found with power" in found.stdout
    strict = call(study.parent, "plan", "toy.yaml", *options, "--strict")
    assert strict.returncode == 2
    assert "seed: gaussian dim 1 has 2 seeds a configuration and needs" in strict.stderr
    said = refused(study.parent, "run", "toy.yaml", "-o", "require_power={effect: 0.1, deviation: 0.5}")
    assert said.startswith("toy: seed: gaussian dim 1 has 2 seeds a configuration and needs")
    assert refused(study.parent, "plan", "toy.yaml", "--effect", "1", "--power", "2").startswith(
        "--power: input should"
    )
    assert refused(study.parent, "plan", "toy.yaml", "--on", "verdict").startswith("--effect: say which effect")


def test_plan_tells_a_price_at_the_users_own_rate(study: Path) -> None:
    (study.parent / "lab.yaml").write_text("{nodes: 2, gpu: A100, gpus_per_node: 4, price_per_hour: 12, currency: EUR}")
    (study.parent / "v.yaml").write_text(
        "{name: v, cell: {family: {kind: vae}, policy: {kind: replace}, generations: 1}}"
    )
    text = call(study.parent, "plan", "v.yaml", "--cluster", "lab.yaml").stdout
    assert "On lab (2 × 4 A100 at 30% of its peak" in text
    assert "at the stated 12 EUR a node and hour" in text
    forms = call(study.parent, "plan", "toy.yaml", "--cluster", "lab.yaml").stdout
    assert "On lab: gaussian needs no A100; for the price of cores leave gpu out and say cpus_per_node." in forms


def test_a_calibration_is_kept_and_makes_a_plan_tell_the_time(study: Path) -> None:
    assert "unknown; gaussian dim 1 was never timed here" in call(study.parent, "plan", "toy.yaml").stdout
    done = call(study.parent, "plan", "toy.yaml", "--calibrate", "--cpus", "1")
    assert "about" in done.stdout, done.stderr
    assert "(speeds: 1 by calibration)" in done.stdout
    later = json.loads(call(study.parent, "plan", "toy.yaml", "--cpus", "1", "--json").stdout)["time"]
    assert 10 < later["seconds"] < 30, "ten generations of milliseconds, and the start of a run"
    assert sorted(path.name for path in (study.parent / "collapse-runs").iterdir()) == ["speeds.json", "workspace.json"]


def test_the_version_is_told_and_a_shell_completes_names(tmp_path: Path) -> None:
    from importlib.metadata import version

    told = call(tmp_path, "--version")
    assert (told.returncode, told.stdout) == (0, f"{version('collapse-sweep')}\n")
    (tmp_path / "lapse.yaml").touch()
    words = {"COMP_WORDS": "collapse-sweep run lap", "COMP_CWORD": "2"}
    completed = call(tmp_path, _COLLAPSE_SWEEP_COMPLETE="complete_bash", **words).stdout.split()
    assert {"laptop/vae", "lapse.yaml"} <= set(completed)
    assert all(word.startswith("lap") for word in completed)


def test_schemas_are_printed_and_an_unknown_one_refused(tmp_path: Path) -> None:
    printed = call(tmp_path, "schema", "study")
    assert json.loads(printed.stdout)["title"] == "Study"
    assert refused(tmp_path, "schema", "stduy").startswith("WHAT: no schema of 'stduy'; did you mean")
