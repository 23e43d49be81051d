"""Servers for tests, on this machine and on free ports: PostgreSQL, S3 (moto's) and MLflow."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.support.ports import free_port

PASSWORD = "planted-Xq7-database-password"
_RUNNING: dict[str, int] = {}
"""MLflow servers by address."""


def postgres_home() -> Path | None:
    """Where PostgreSQL's programs are; None where it is not installed."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    )
    return next((place for place in places if (place / "postgres").exists()), None)


@contextmanager
def postgres(home: Path) -> Iterator[str]:
    """A database server of its own; yields MLflow's URI of it. It refuses to run as root, so root lends it a user."""
    folder, port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
    user = _other_user() if os.geteuid() == 0 else None
    (folder / "password").write_text(PASSWORD)
    if user is not None:
        for path in (folder, folder / "password"):
            os.chown(path, user, -1)
    words = [f"--pgdata={folder / 'data'}", "--username=mlflow", f"--pwfile={folder / 'password'}"]
    words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    said = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, "user": user}
    subprocess.run([home / "initdb", *words], check=True, **said)
    words = ["-D", folder / "data", "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-c", "fsync=off"]
    server = subprocess.Popen([home / "postgres", *words], **said)
    uri = f"postgresql://mlflow:{PASSWORD}@127.0.0.1:{port}/postgres"
    try:
        _until(lambda: _connects(uri))
        yield uri
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(120)
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> int:
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody", 65534))


def _connects(uri: str) -> bool:
    import psycopg

    try:
        psycopg.connect(uri, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def s3() -> Iterator[str]:
    """An S3 server with the bucket `fleet`; yields its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    try:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="fleet")
        yield address
    finally:
        server.stop()


@contextmanager
def mlflow(backend: str, artifacts: str, folder: Path, **environment: str) -> Iterator[str]:
    """An MLflow server as on a cluster's head; yields its address."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    words = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--artifacts-destination", artifacts]
    settings = {"MLFLOW_BACKEND_STORE_URI": backend, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            cwd=folder,
            env=os.environ | settings | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _until(lambda: _answers(f"{address}/health"))
            _RUNNING[address] = server.pid
            yield address
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(120)


@contextmanager
def asleep(address: str) -> Iterator[None]:
    """For the block, an MLflow server takes connections and answers nobody."""
    members = [psutil.Process(_RUNNING[address])]
    members += members[0].children(recursive=True)
    for member in members:
        member.suspend()
    try:
        yield
    finally:
        for member in members:
            member.resume()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _until(true: object, seconds: float = 250.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError("a server does not answer")
        time.sleep(0.2)
