"""Commands that write where nothing more can be written: one line that says where, and nothing half there."""

from __future__ import annotations

import errno
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from search_spaces import load_study
from search_spaces.expansion import expand
from sweep.cli import app
from sweep.commands import gc
from trainables.recursion import Recursion
from trainables.store import StoreError, open_store

VAE = {"family": {"kind": "vae", "epochs": 1}, "policy": {"kind": "replace"}, "rows": 30, "generations": 1}


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system ends writing at so many bytes of a file, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps({"name": "s", "cell": VAE}))
    return path


def call(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--workspace", str(folder / "w")])


def told(result: Result, start: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"collapse-sweep: {start}")
    assert result.stderr.count("\n") == 1


def test_a_model_that_does_not_fit_is_not_half_exported(study: Path, tmp_path: Path) -> None:
    (point,) = expand(load_study(str(study)))
    recursion = Recursion(point.cell, open_store(str(tmp_path / "w" / "store")))
    recursion.record(1)
    out, words = tmp_path / "out", ("export", str(study), recursion.steps.step(1).model)
    with files_of_at_most(1_000):
        result = call(tmp_path, *words, str(out))
    told(result, f"FOLDER: {str(out)!r} can't be written: ")
    assert list(out.iterdir()) == []
    assert call(tmp_path, *words, str(out)).exit_code == 0, "it can be tried again in the same place"
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "model.safetensors"]


def test_a_study_that_does_not_fit_is_not_begun(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    with files_of_at_most(100):
        result = CliRunner().invoke(app, ["init", "gaussian", "--out", str(file)])
    told(result, f"--out {file}: can't be written: ")
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_does_not_fit_names_its_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{n},replace,{seed},{1 + 0.1 * n}" for n in range(1, 5) for seed in range(3)]
    (tmp_path / "runs.csv").write_text("\n".join(["generation,policy,seed,test_loss", *rows]))

    def full(*frame: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("analysis.report.build_report", full)
    told(
        call(tmp_path, "report", str(tmp_path / "runs.csv")),
        f"--workspace {tmp_path / 'w'}: the report can't be written: No space left on device",
    )


def test_what_would_go_of_a_store_that_takes_nothing_is_told(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (point,) = expand(load_study(str(study)))
    Recursion(point.cell, open_store(str(tmp_path / "w" / "store"))).record(1)

    def unwritable(store: Any) -> None:
        raise StoreError("store: no permission to write or read there")

    monkeypatch.setattr(gc, "leftovers", unwritable)
    words = ("gc", str(study), "--keep", "records")
    dry = call(tmp_path, *words, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "1 model" in dry.stdout
    told(call(tmp_path, *words), "store: no permission to write or read there")
