"""What `doctor` finds, and that it says what to do about it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def doctor(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    command = [sys.executable, "-m", "sweep", "doctor", "--json", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {finding["what"]: finding for finding in json.loads(done.stdout)}


def test_a_sound_installation_is_found_sound(tmp_path: Path) -> None:
    code, found = doctor(tmp_path)
    assert code == 0, [finding for finding in found.values() if finding["state"] == "wrong"]
    assert {"collapse-sweep", "torch", "ray", "package sweep", "device", "disk", "storage", "tracking"} <= set(found)


@pytest.mark.parametrize("package", ["analysis", "search_spaces"])
def test_a_shadowed_package_and_a_storage_that_cannot_be_written_are_found(tmp_path: Path, package: str) -> None:
    (tmp_path / "other" / package).mkdir(parents=True)
    (tmp_path / "other" / package / "__init__.py").touch()
    (tmp_path / "file").touch()
    code, found = doctor(tmp_path, "--storage", str(tmp_path / "file"), PYTHONPATH=str(tmp_path / "other"))
    assert code == 1
    assert found[f"package {package}"]["state"] == "wrong"
    assert str(tmp_path / "other" / package) in found[f"package {package}"]["found"]
    assert found[f"package {package}"]["fix"]
    assert found["tracking"]["found"].startswith("can't be checked: ")
    assert found["storage"]["state"] == "wrong"
    assert found["storage"]["fix"]


def test_what_a_bare_server_lacks_is_named_and_nothing_is_wrong(tmp_path: Path) -> None:
    missing = ["PIL", "rdkit.Chem.Draw.rdMolDraw2D", "matplotlib.figure"]
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in missing)]
    (tmp_path / "sitecustomize.py").write_text("\n".join(lines))
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    code, found = doctor(tmp_path, PYTHONPATH=path, PATH="")
    assert code == 0
    for what in ("pictures of molecules", "pictures of images", "figures of reports", "git"):
        assert found[what]["state"] == "warning", what
        assert found[what]["found"], what
        assert found[what]["fix"], what
    assert found["compiled loops"]["state"] == "ok"
