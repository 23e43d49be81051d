"""What is shipped to a cluster, and what is refused before anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sweep.cli import app
from sweep.commands.submit import entrypoint
from sweep.errors import UsageError
from sweep.ray_backend import packed
from sweep.ray_backend.code_shipping import environment
from sweep.resources import Machines
from trainables.runtime import current_provenance

ASK = """
import json, sys
from trainables.recursion.loop import _annotators as annotators
from trainables.runtime.provenance import current_provenance
import trainables
print(json.dumps({"at": trainables.__file__, "annotators": len(annotators()), "git": current_provenance()["git"]}))
"""


def test_the_token_is_chosen_before_ray_is_imported() -> None:
    """Ray 2.60.0 reads RAY_AUTH_MODE once, when `ray` is imported: set afterwards it is taken no notice of, and a
    client sends no token although RAY_AUTH_TOKEN holds one."""
    code = "import sys, sweep.commands.submit; sys.exit(any(name.split('.')[0] == 'ray' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("moment", "mode"), [("before", 1), ("after", 0)])
def test_ray_reads_its_mode_when_it_is_imported(moment: str, mode: int) -> None:
    lines = ["import os", "os.environ['RAY_AUTH_MODE'] = 'token'", "import ray"]
    if moment == "after":
        lines[1:] = reversed(lines[1:])
    lines += ["from ray._raylet import get_authentication_mode as mode", "print(int(mode()))"]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-c", "; ".join(lines)]
    done = subprocess.run(command, env=plain, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == str(mode)


def test_a_parcel_is_the_whole_package_with_its_entry_points_and_source_state() -> None:
    with packed() as folder:
        command = [sys.executable, "-c", ASK]
        told = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=True).stdout
        found = json.loads(told)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert Path(found["at"]).is_relative_to(folder)
    assert found["annotators"] == 1, "records on other machines carry theory too"
    assert found["git"] == current_provenance()["git"]
    assert size < 20_000_000
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("--tracking-uri", "https://me:planted@mlflow"),
        ("--tracking-uri", "mlflow,https://me:planted@mlflow"),  # as several of them are handed on
        ("--tracking-uri", "csv://runs,postgresql+psycopg://me:planted@db/mlflow"),
        ("--tracking-uri", "https://planted@mlflow"),
        ("--storage", "abfs://box?access_key=planted"),
    ],
)
def test_no_password_is_shown_by_the_heads_pages(name: str, uri: str) -> None:
    with pytest.raises(UsageError) as refused:
        entrypoint(Machines(address="http://head:8265"), {name: uri})
    assert str(refused.value) == (
        f"{name}: a password in a URL would be shown by Ray's pages; keep it on the head instead"
    )


def test_no_credential_travels_with_a_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    monkeypatch.setenv("COLLAPSE_SWEEP_LEASE_SECONDS", "9")
    assert environment()["COLLAPSE_SWEEP_LEASE_SECONDS"] == "9"
    assert "planted" not in environment().values()


def test_the_heads_command_says_what_was_asked_for() -> None:
    machines = Machines(cpus=4, address="http://head:8265", shared=True, wait=True)
    words = entrypoint(machines, {"--workspace": "~/my runs", "--storage": "s3://b/store"})
    assert words.startswith("python -m sweep run study.yaml --address auto --workspace '~/my runs' --storage s3://b")
    assert words.endswith("--cpus 4 --shared-storage --wait")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["submit", "nothing", "--address", "http://127.0.0.1:9"], "unknown study 'nothing'"),
        (["submit", "quickstart", "--address", "127.0.0.1:8265"], "the head's page is needed, as in http://"),
        (["submit", "quickstart", "--address", "http://127.0.0.1:9"], "no head takes jobs there"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_what_cannot_be_sent_is_told_in_one_line(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
