"""Where machine code is kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainables.runtime import jit

KERNEL = """
from trainables.runtime.jit import compiled
from helper import SCALE
@compiled
def scaled(x):
    return SCALE * x
print(scaled(2.0))
"""


def test_a_changed_constant_of_another_module_is_compiled_anew(tmp_path: Path) -> None:
    """numba alone would go on with the former constant: only the kernel's own file tells it of a change."""
    package = tmp_path / "trainables"
    (package / "runtime").mkdir(parents=True)
    for folder in (package, package / "runtime"):
        (folder / "__init__.py").touch()
    (package / "runtime" / "jit.py").write_text(Path(jit.__file__).read_text())
    (tmp_path / "kernel.py").write_text(KERNEL)
    said = []
    for scale in (3.0, 5.0):
        (package / "constants.py").write_text(f"SCALE = {scale}")
        (tmp_path / "helper.py").write_text("from trainables.constants import SCALE")
        environment = os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
        command = [sys.executable, "-B", "kernel.py"]
        found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        said.append(float(found.stdout))
    assert said == [6.0, 10.0]
    assert len(list((tmp_path / "kept").iterdir())) == 2, "either is kept"


def test_without_a_folder_to_write_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert jit.compiled(lambda x: x + 1)(2) == 3


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), EOFError("a damaged file")])
def test_a_folder_that_fails_later_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, problem: Exception
) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.load", fail)
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", fail)
    assert jit.compiled(lambda x: x + 2)(2) == 4


def test_the_folder_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path))
    assert (jit.kept_at() or "").startswith(str(tmp_path))
    monkeypatch.setattr("numba.core.caching.CacheImpl._locator_classes", [])
    assert jit.kept_at() is None
