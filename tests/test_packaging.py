"""The wheel holds the four packages and runs from a folder that is not the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("trainables", "search_spaces", "analysis", "sweep")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, "--quiet", "--disable-pip-version-check"], check=True, timeout=600)
    (built,) = folder.glob("collapse_sweep-*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_every_module_of_the_four_packages_and_nothing_else(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    written = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert held == written
    schemas = {f"search_spaces/schemas/{what}.schema.json" for what in ("study", "cell")}
    assert schemas <= set(zipfile.ZipFile(wheel).namelist()), "editors of installed copies find them"


@pytest.mark.slow
def test_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    code = "import trainables, sys; print(trainables.__file__); from sweep.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, "studies"],
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
    assert "quickstart" in done.stdout
