"""With what an artifact was made: source state, versions, hardware, as this machine's own files say."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from trainables.runtime import COMMIT, current_provenance
from trainables.runtime.provenance import PACKAGES, _cpu, _git, _gpus, _packages


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one committed file."""
    folder = tmp_path_factory.mktemp("tree")
    git(folder, "init", "-q")
    (folder / "code.py").write_text("x = 1\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "-qm", "first")
    return folder


def test_a_source_in_a_repository_is_its_commit_and_whether_it_was_changed(tree: Path) -> None:
    commit = git(tree, "rev-parse", "HEAD").strip()
    assert len(commit) == 40
    assert _git(tree / "code.py") == {"commit": commit, "changed": False}
    (tree / "notes.txt").write_text("of nobody's concern")
    assert _git(tree / "code.py") == {"commit": commit, "changed": False}, "what git does not know is no change"
    (tree / "code.py").write_text("x = 2\n")
    assert _git(tree / "code.py") == {"commit": commit, "changed": True}
    git(tree, "checkout", "-q", "code.py")


def test_an_environment_within_somebody_else_s_repository_is_none_of_its_sources(tree: Path) -> None:
    (tree / "installed.py").write_text("x = 1\n")
    assert _git(tree / "installed.py") == {}


def test_a_source_in_no_repository_has_no_commit(tmp_path: Path) -> None:
    assert _git(tmp_path / "code.py") == {}


def test_a_copy_without_git_says_what_it_was_made_from(tmp_path: Path) -> None:
    kept = {"commit": "0" * 40, "changed": True}
    (tmp_path / COMMIT).write_text(json.dumps(kept))
    assert _git(tmp_path / "code.py") == kept


@pytest.mark.parametrize("problem", [FileNotFoundError("git"), subprocess.TimeoutExpired("git", 10)])
def test_a_machine_whose_git_fails_is_no_error(tree: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise problem

    monkeypatch.setattr(subprocess, "run", fail)
    assert _git(tree / "code.py") == {}


def test_versions_are_those_that_are_installed_and_what_is_not_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _packages()
    assert {"numpy", "scipy", "torch", "pyarrow", "safetensors"} <= set(found) <= set(PACKAGES)
    assert all(version(name) == found[name] for name in found)
    monkeypatch.setattr("trainables.runtime.provenance.PACKAGES", ("numpy", "no-such-package-of-anybody"))
    assert set(_packages()) == {"numpy"}


def test_the_whole_is_plain_data_of_this_machine_and_computed_once() -> None:
    found = current_provenance()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["python"] == {"version": platform.python_version(), "implementation": "CPython"}
    hardware = found["hardware"]
    assert (hardware["system"], hardware["machine"]) == (os.uname().sysname, os.uname().machine)
    assert hardware["cores"] == os.cpu_count()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert hardware["memory_bytes"] == pytest.approx(pages, rel=0.01)
    assert current_provenance() is found


def read(texts: dict[str, str]) -> Any:
    """A stand-in for the kernel's files."""

    def read_text(self: Path, *_: Any, **__: Any) -> str:
        if str(self) not in texts:
            raise FileNotFoundError(str(self))
        return texts[str(self)]

    return read_text


def test_a_processor_is_named_as_its_kernel_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "processor\t: 0\nvendor_id\t: X\nmodel name\t: Some CPU @ 2: fast\nmodel name\t: other\n"
    monkeypatch.setattr(Path, "read_text", read({"/proc/cpuinfo": text}))
    assert _cpu() == "Some CPU @ 2: fast"
    monkeypatch.setattr(platform, "processor", lambda: "arm")
    monkeypatch.setattr(Path, "read_text", read({"/proc/cpuinfo": "Hardware : board\n"}))
    assert _cpu() == "arm"
    monkeypatch.setattr(Path, "read_text", read({}))
    assert _cpu() == "arm"


def test_cards_are_named_by_their_driver_s_files(monkeypatch: pytest.MonkeyPatch) -> None:
    base = "/proc/driver/nvidia/gpus"
    texts = {f"{base}/0/information": "Model: \t\t NVIDIA A\nIRQ: 1\n", f"{base}/1/information": "Model: NVIDIA B\n"}
    lost = f"{base}/2/information"
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [Path(lost), *map(Path, reversed(texts))])
    monkeypatch.setattr(Path, "read_text", read(texts))
    assert _gpus() == ["NVIDIA A", "NVIDIA B"]
