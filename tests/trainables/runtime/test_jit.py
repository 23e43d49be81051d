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


SHARED = """
import hashlib
import numpy as np
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

@compiled
def shares(row, count):
    total = np.float32(0)
    for i in range(count):
        row[i] = exp(row[i])
        total += row[i]
    return total

@compiled
def some(rows, out):
    for r in range(len(rows)):
        out[r] = shares(rows[r], 37)

@compiled
def all_of(rows, out):
    for r in range(len(rows)):
        out[r] = shares(rows[r], rows.shape[1])

rows = np.random.default_rng(0).normal(size=(2000, 515)).astype(np.float32)
out = np.empty(2000, np.float32)
digest = hashlib.sha256()
for kernel in (some, all_of):
    kernel(rows.copy(), out)
    digest.update(out.tobytes())
print(digest.hexdigest(), all_of.stats.cache_hits.total())
"""


@pytest.mark.slow
def test_what_is_read_from_disk_sums_in_the_order_of_what_was_compiled(tmp_path: Path) -> None:
    """numba 0.68.1: a function that two others call is kept with each of them, and summed in another order by each;
    the process that compiles them takes one of these, later ones the other. The first batch that a machine sampled
    could differ from the same batch sampled later: one token of 19,200, other weights from then on.
    """
    (tmp_path / "kernels.py").write_text(SHARED)
    environment = os.environ | {"PYTHONPATH": os.getcwd(), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    command = [sys.executable, "kernels.py"]
    said = [
        subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert [hits for _, hits in said] == ["0", "1"], "the second process has read what the first compiled"
    assert said[0][0] == said[1][0]
