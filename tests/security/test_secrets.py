"""Passwords that a user has to give us are found in nothing that we write or print."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces import StudyError
from search_spaces.loading.study import study_from
from sweep.commands.report import options
from sweep.workspace import open_workspace
from tests.support.ports import free_port
from trainables.runtime import redact, redact_urls
from trainables.sources.text.files import TextFile
from trainables.store import StoreError, open_store
from trainables.tune import _unexpected

SECRET = "wJalrXUtnFEMI-PLANTED-bPxRfiCY"
TOY = """\
name: toy
cell: {family: {kind: gaussian}, rows: 20, generations: 2, replicates: 5}
space: {policy.kind: {grid: [replace, accumulate]}}
"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"postgresql://mlflow:{SECRET}@db.example/mlflow", "postgresql://mlflow:***@db.example/mlflow"),
        (f"postgresql+psycopg2://u:{SECRET}/a:b@db/x?sslmode=require", "postgresql+psycopg2://u:***@db/x?sslmode=require"),
        (f"redis://:{SECRET}@db", "redis://:***@db"),
        (f"https://{SECRET}@example.org/x", "https://***@example.org/x"),
        (f"postgresql://db/x?user=u&password={SECRET}&a=b", "postgresql://db/x?user=u&password=***&a=b"),
        (f"https://b.s3/x?X-Amz-Signature={SECRET}", "https://b.s3/x?X-Amz-Signature=***"),
        (f"az://c/x?sv=1&sig={SECRET}", "az://c/x?sv=1&sig=***"),
        (f"can't reach sftp://me:{SECRET}@host/a, or so", "can't reach sftp://me:***@host/a, or so"),
        ("s3://bucket/folder@v2/a:b", "s3://bucket/folder@v2/a:b"),
        ("sqlite:////home/me/mlflow.db", "sqlite:////home/me/mlflow.db"),
        ("http://127.0.0.1:5000 and mail me@example.org", "http://127.0.0.1:5000 and mail me@example.org"),
        ("hf://datasets/owner/name@main", "hf://datasets/owner/name@main"),
    ],
)  # fmt: skip
def test_urls_are_shown_without_passwords(text: str, shown: str) -> None:
    assert redact_urls(text) == shown


def test_secrets_of_the_environment_are_masked_and_ordinary_settings_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("DB_PASSWORD", f"{SECRET}-longer")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "definitely")
    monkeypatch.setenv("HF_TOKEN", "true")
    assert redact(f"a {SECRET} b {SECRET}-longer definitely true") == "a *** b *** definitely true"


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("PGPASSWORD", True),
        ("MYSQL_PWD", True),
        ("AZURE_STORAGE_KEY", True),
        ("AZURE_STORAGE_CONNECTION_STRING", True),
        ("AZURE_CLIENT_SECRET", True),
        ("WANDB_API_KEY", True),
        ("HF_TOKEN", True),
        ("SSH_PASSPHRASE", True),
        ("PWD", False),
        ("TOKENIZERS_CACHE", False),
        ("KEYBOARD_LAYOUT", False),
    ],
)
def test_secrets_are_told_by_the_names_that_tools_give_them(
    monkeypatch: pytest.MonkeyPatch, name: str, masked: bool
) -> None:
    monkeypatch.setenv(name, SECRET)
    assert redact(f"it said {SECRET}.") == ("it said ***." if masked else f"it said {SECRET}.")


def test_an_unexpected_failure_is_kept_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    try:
        raise RuntimeError(f"signing with {SECRET} failed at https://u:{SECRET}@example.org")
    except RuntimeError as problem:
        kept = _unexpected(1, problem)
    assert SECRET not in str(kept)
    assert "signing with *** failed" in kept["reason"]
    assert "Traceback" in kept["details"]


def test_the_command_that_is_shown_holds_no_password(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, f"sftp://me:{SECRET}@host/x", f"postgresql://u:{SECRET}@db/x")
    shown = options([], workspace)
    assert "sftp://me:***@host/x" in shown
    assert "postgresql://u:***@db/x" in shown


@pytest.mark.parametrize("place", [f"https://me:{SECRET}@example.org/x.txt", f"https://example.org/x?token={SECRET}"])
def test_a_config_with_a_password_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="holds a password or a token"):
        TextFile(path=place)
    source = {"kind": "text", "path": place}
    raw = {"name": "s", "cell": {"family": {"kind": "language", "source": source}, "policy": {"kind": "replace"}}}
    with pytest.raises(StudyError, match=r"cell\.family\.source\.path: the URL holds a password") as refused:
        study_from(raw, "s.yaml")
    assert SECRET not in str(refused.value)


def call(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sweep", *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--tracking-uri", f"http://me:{SECRET}@127.0.0.1:9"],
        ["--tracking-uri", f"postgresql://me:{SECRET}@127.0.0.1:9/x"],
        ["--tracking-uri", f"nonsense://me:{SECRET}@127.0.0.1:9"],
        ["--storage", f"nonsense://me:{SECRET}@127.0.0.1:9/x"],
        ["--storage", f"ftp://me:{SECRET}@127.0.0.1:9/x"],
    ],
)
@pytest.mark.slow
def test_what_can_not_be_reached_is_named_without_its_password(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "toy.yaml").write_text(TOY)
    done = call(tmp_path, "relog", "toy.yaml", *words)
    assert done.returncode == 2, done.stderr
    assert "***@127.0.0.1:9" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Address of an MLflow server; its database lies in the test's folder too."""
    place = f"127.0.0.1:{free_port()}"
    words = ["--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}", "--workers", "1", "--host", "127.0.0.1"]
    words += ["--port", place.rpartition(":")[2], "--artifacts-destination", str(tmp_path / "served")]
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", *words],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait(f"http://{place}/health", process)
        yield place
    finally:
        os.killpg(process.pid, 15)
        process.wait(120)
        log.close()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 250
    while True:
        try:
            with urllib.request.urlopen(url, timeout=30):
                return
        except OSError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.3)


def _holds_secret(path: Path) -> bool:
    try:
        return SECRET.encode() in path.read_bytes()
    except FileNotFoundError:  # Ray, which is ending, still removes files, and sqlite its journal
        return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_whole_run_writes_no_secret_anywhere(tmp_path: Path, server: str) -> None:
    (tmp_path / "toy.yaml").write_text(TOY)
    uri = f"http://researcher:{SECRET}@{server}"
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # Ray's own logs are looked into as well
        places = {"RAY_TMPDIR": short, "TMPDIR": short, "AWS_SECRET_ACCESS_KEY": SECRET, "DB_PASSWORD": SECRET}
        done = call(tmp_path, "run", "toy.yaml", "--workspace", "runs", "--tracking-uri", uri, "--cpus", "1", **places)
        assert done.returncode == 0, done.stderr
        said = done.stdout + done.stderr
        for words in (["doctor"], ["relog", "toy.yaml"]):
            done = call(tmp_path, *words, "--workspace", "runs", "--tracking-uri", uri, **places)
            said += done.stdout + done.stderr
        files = [path for root in (tmp_path, Path(short)) for path in root.rglob("*") if path.is_file()]
        found = [str(path) for path in files if _holds_secret(path)]
    assert SECRET not in said
    assert found == []
    report = (tmp_path / "runs" / "reports" / "toy" / "report.html").read_text()
    assert f"http://researcher:***@{server}" in report, "the command is shown, with the password masked"
    assert len(files) > 50
    assert any(path.name == "server.db" for path in files)
    assert any("session" in str(path) for path in files)


def test_a_store_names_its_place_without_a_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(f"nonsense://me:{SECRET}@127.0.0.1/x")
    assert SECRET not in redact(str(refused.value))
