"""No pickle that lies in a workspace, in data or in a home folder is ever loaded."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces import StudyError, load_study
from search_spaces.expansion import expand
from tests.support.planted import evil_npy, evil_pickle, evil_torch
from trainables import run
from trainables.sources.molecules.files import Npz
from trainables.sources.molecules.geom import SAFE, GeomDrugs
from trainables.sources.text.hub import TextHub
from trainables.store import Payload, open_store

ROOT = Path(__file__).parents[2]
TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}}
"""
SEARCH = """\
name: search
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5}
space: {policy.kind: {choice: [replace, accumulate]}}
search: {kind: optuna, num_samples: 2, objective: final_loss, mode: min, seed: 1}
"""
WATCHED = """
import sys
seen = []
sys.addaudithook(lambda event, found: seen.append(found) if event == "pickle.find_class" else None)
from typer.testing import CliRunner
from sweep.cli import app
for words in {commands!r}:
    done = CliRunner().invoke(app, [*words, "--workspace", "runs"])
    assert done.exit_code == 0, (words, done.output)
    assert not seen, (words, seen)
"""


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What only a pickle makes."""
    return tmp_path / "came-alive"


def test_the_plants_are_live(mark: Path) -> None:
    import pickle

    pickle.loads(evil_pickle(mark))  # noqa: S301
    assert mark.exists()


def python(folder: Path, *words: str) -> None:
    """Run Python in a folder that is also its home."""
    home = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "home" / ".cache")}
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | home, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


def plant(folder: Path, mark: Path) -> int:
    """Pickles beside, in place of, and under the usual names of everything that is read."""
    names = ["tuner.pkl", "trainable.pkl", "error.pkl", "searcher-state-x.pkl", "search_gen_state-x.json"]
    names += ["experiment_state-2026-01-01_00-00-00.json", "basic-variant-state-x.json", "_dict_checkpoint.pkl"]
    places = [folder / "home" / "ray_results" / "study", folder / "runs", folder / "runs" / "store"]
    places += [path for path in (folder / "runs").rglob("*") if path.is_dir()]
    count = 0
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
        for name in [*names, "model.pkl", "model.joblib", "journal.log.snapshot", "__init__.pkl", "cache"]:
            if not (place / name).exists():
                (place / name).write_bytes(evil_pickle(mark))
                count += 1
        (place / "pytorch_model.bin").write_bytes(evil_torch(mark))
        (place / "replicates.npy").write_bytes(evil_npy(mark))
    return count


@pytest.mark.slow
def test_pickles_all_over_a_workspace_stay_asleep(tmp_path: Path, mark: Path) -> None:
    """Commands that only read unpickle nothing whatever; a run does, Ray being made so, but nothing that was there."""
    (tmp_path / "toy.yaml").write_text(TOY)
    (tmp_path / "search.yaml").write_text(SEARCH)
    search = ["-m", "sweep", "run", "search.yaml", "--workspace", "runs", "--cpus", "1", "--no-report"]
    python(tmp_path, *search)
    for point in expand(load_study(str(tmp_path / "toy.yaml"))):
        list(run(point.cell, str(tmp_path / "runs" / "store")))
    assert plant(tmp_path, mark) > 100
    key = next(open_store(str(tmp_path / "runs" / "store")).keys("record"))
    commands = [["status", "search.yaml"], ["plan", "toy.yaml"], ["relog", "toy.yaml"], ["report", "toy.yaml"]]
    commands += [["show", key], ["gc", "toy.yaml"]]
    python(tmp_path, "-c", WATCHED.format(commands=commands))
    python(tmp_path, *search, "-o", "generations=3")
    assert not mark.exists()


@pytest.mark.parametrize("role", ["safetensors", "arrow", "json"])
def test_a_pickle_in_place_of_an_artifact_is_damage(tmp_path: Path, mark: Path, role: str) -> None:
    import datasets
    import numpy as np

    from trainables.store.payload_io import forget_checks

    table = datasets.Dataset.from_dict({"x": list(range(5))})
    store = open_store(str(tmp_path / "store"))
    store.put("model", "ab" * 8, Payload({"rows": 5}, {"w": np.zeros(100_000)}, table))
    path = next((tmp_path / "store" / "model").rglob(f"*.{role}"))
    path.write_bytes(evil_pickle(mark))
    forget_checks()
    assert open_store(str(tmp_path / "store")).get("model", "ab" * 8) is None
    assert not mark.exists()


def test_arrays_of_objects_are_refused(tmp_path: Path, mark: Path) -> None:
    import zipfile

    path = tmp_path / "molecules.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("z", "pos", "n_atoms"):
            archive.writestr(f"{name}.npy", evil_npy(mark))
    with pytest.raises(ValueError, match=r"is no \.npz file of plain arrays"):
        Npz(path=str(path)).load()
    path.write_bytes(evil_pickle(mark))
    with pytest.raises(ValueError, match=r"is no \.npz file of plain arrays"):
        Npz(path=str(path)).load()
    assert not mark.exists()


def test_a_dataset_script_is_not_run(tmp_path: Path, mark: Path) -> None:
    folder = tmp_path / "stories"
    folder.mkdir()
    (folder / "stories.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (folder / "loader.pkl").write_bytes(evil_pickle(mark))
    with pytest.raises(ValueError, match=r"source\.name"):
        TextHub(name=str(folder)).read()["train"].__iter__()
    assert not mark.exists()


def test_published_pickles_of_molecules_open_by_consent_and_name_nothing_but_molecules(
    tmp_path: Path, mark: Path
) -> None:
    pytest.importorskip("rdkit")
    (tmp_path / "drugs").mkdir()
    (tmp_path / "drugs" / "evil.pickle").write_bytes(evil_pickle(mark))
    (tmp_path / "summary_drugs.json").write_text('{"C": {"pickle_path": "drugs/evil.pickle"}}')
    with pytest.raises(ValueError, match="allow_pickle"):
        GeomDrugs(path=str(tmp_path)).load()
    loaded = GeomDrugs(path=str(tmp_path), allow_pickle=True).load()
    assert loaded.skipped == {f"pickle names {os.mkdir.__module__}.mkdir": 1}
    assert not mark.exists()
    assert {
        ("rdkit.Chem.rdchem", "Mol"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "scalar"),
    } == SAFE, "whoever lengthens this list has to show that the new name can't run anything"


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['touch MARK']", "!!python/name:os.system"])
def test_yaml_makes_no_objects(tmp_path: Path, mark: Path, tag: str) -> None:
    text = tag.replace("MARK", str(mark))
    (tmp_path / "study.yaml").write_text(f"name: s\ncell: {{family: {{kind: gaussian, dim: {text}}}}}\n")
    with pytest.raises(StudyError, match=r"study\.yaml:2: not valid YAML"):
        load_study(str(tmp_path / "study.yaml"))
    with pytest.raises(StudyError):
        load_study("quickstart", [f"rows={text}"])
    assert not mark.exists()


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
)


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]\n", "a: " + "[" * 3000, "a: &a {b: *a}\n"])
def test_yaml_that_never_ends_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "study.yaml").write_text(f"name: s\n{text}")
    with pytest.raises(StudyError, match=r"study\.yaml"):
        load_study(str(tmp_path / "study.yaml"))


FORBIDDEN = {
    "pickle.load", "pickle.loads", "torch.load", "joblib.load", "dill.load", "dill.loads", "cloudpickle.load",
    "cloudpickle.loads", "pd.read_pickle", "pandas.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
    "marshal.load", "marshal.loads", "shelve.open", "os.system", "np.load", "numpy.load", "eval", "exec",
    "Tuner.restore", "tune.Tuner.restore",
}  # fmt: skip
ALLOWED = {("trainables/sources/molecules/files.py", "np.load"): "allow_pickle=False"}


def test_the_code_calls_nothing_that_unpickles_or_evaluates() -> None:
    found = []
    for package in ("trainables", "search_spaces", "analysis", "sweep"):
        for path in sorted((ROOT / package).rglob("*.py")):
            place = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in FORBIDDEN:
                    needed = ALLOWED.get((place, ast.unparse(node.func)))
                    if needed is None or needed not in ast.unparse(node):
                        found.append(f"{place}:{node.lineno}: {ast.unparse(node)}")
    assert not found
