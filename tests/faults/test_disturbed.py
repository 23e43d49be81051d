"""What can happen to a study while it runs through Ray and MLflow: afterwards the same table, to the last digit."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import call, start
from tests.support.gates import unfinished
from tests.support.workspaces import TOY, models, records, robustness, wait_for
from trainables.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HUNGRY = """\
name: hungry
cell: {family: {kind: kde}, policy: {kind: replace}, generations: 2}
space: {rows: {grid: [20, 10000000000000]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an undisturbed run of the study in workspace `w`."""
    made = tmp_path_factory.mktemp("faults")
    (made / "toy.yaml").write_text(TOY)
    (made / "hungry.yaml").write_text(HUNGRY)
    call(made, "run", "toy.yaml", "--workspace", "w", "--cpus", "1")
    return made


def same(folder: Path, workspace: str) -> bool:
    return all(held(folder, workspace) == held(folder, "w") for held in (records, robustness))


def test_a_locked_tracking_database_stops_nothing_and_is_written_again(folder: Path) -> None:
    with contextlib.ExitStack() as stack:
        with unfinished(folder / "toy.yaml", str(folder / "locked" / "store")):
            process = start(folder, "run", "toy.yaml", "--workspace", "locked", "--cpus", "2")
            wait_for(lambda: len(models(folder, "locked")) >= 1, process)
            database = sqlite3.connect(folder / "locked" / "mlflow.db", timeout=200)
            stack.callback(database.close)  # and with it the lock
            database.execute("begin exclusive")
        _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert "warning: --tracking-uri" in err
    assert "`relog`" in err
    assert records(folder, "locked") == records(folder, "w")
    call(folder, "relog", "toy.yaml", "--workspace", "locked")
    call(folder, "report", "toy.yaml", "--workspace", "locked")
    assert same(folder, "locked")
    assert "0 of 4" in relogged(folder, "locked")


def relogged(folder: Path, workspace: str) -> str:
    said, _ = call(folder, "relog", "toy.yaml", "--workspace", workspace)
    return said


def test_a_deleted_tracking_database_is_written_again(folder: Path) -> None:
    import pandas as pd

    import analysis

    with unfinished(folder / "toy.yaml", str(folder / "deleted" / "store")):
        process = start(folder, "run", "toy.yaml", "--workspace", "deleted", "--cpus", "2")
        wait_for(lambda: len(models(folder, "deleted")) >= 4, process)
        for path in (folder / "deleted").glob("mlflow.db*"):
            path.unlink(missing_ok=True)  # a journal comes and goes
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert records(folder, "deleted") == records(folder, "w")
    relogged(folder, "deleted")
    call(folder, "report", "toy.yaml", "--workspace", "deleted")
    assert same(folder, "deleted")
    figures = ["cell", "generation", "test_loss", "real_fraction", "trace_ratio"]
    frames = [
        analysis.load(folder / name, study="toy")[figures].sort_values(figures[:2]).reset_index(drop=True)
        for name in ("w", "deleted")
    ]
    pd.testing.assert_frame_equal(*frames)


def test_two_drivers_on_one_workspace_compute_every_step_once(folder: Path) -> None:
    options = ("run", "toy.yaml", "--workspace", "two", "--cpus", "1", "--no-report")
    drivers = [start(folder, *options) for _ in range(2)]
    said = [driver.communicate(timeout=600)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], said
    assert len(models(folder, "two")) == len(models(folder, "w"))
    call(folder, "report", "toy.yaml", "--workspace", "two")
    assert same(folder, "two")


def test_a_damaged_record_in_the_middle_is_computed_again(folder: Path) -> None:
    store = open_store(str(folder / "w" / "store"))
    expected, fitted, before = records(folder, "w"), models(folder, "w"), robustness(folder, "w")
    key = next(one.key for one in store.walk("record") if one.meta["corpus_rows"] == 120)
    path = next((folder / "w" / "store" / "record").rglob(f"{key}.json"))
    path.write_bytes(path.read_bytes().replace(b"test_loss", b"test_lass"))
    _, err = call(folder, "run", "toy.yaml", "--workspace", "w", "--cpus", "1")
    assert "nothing was trained" not in err
    assert records(folder, "w") == expected
    assert models(folder, "w") == fitted, "its model is used as it is"
    assert robustness(folder, "w") == before
    assert list((folder / "w" / "store" / "quarantine" / "record").iterdir())


def test_a_cell_that_needs_more_memory_than_there_is_fails_alone_and_is_named(folder: Path) -> None:
    options = ("hungry.yaml", "--workspace", "hungry")
    _, err = call(folder, "run", *options, "--cpus", "1", "--no-report", code=1)
    failed = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert "Unable to allocate" in failed[0]
    told, _ = call(folder, "status", *options, "--json")
    assert sorted(cell["status"] for cell in json.loads(told)["cells"]) == ["done", "left"], "the next run tries it"
