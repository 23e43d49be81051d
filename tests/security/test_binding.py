"""Nothing listens beyond this machine unless a flag and a password say so."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from sweep.commands import ui
from sweep.errors import UsageError
from sweep.ray_backend import security as confinement
from sweep.workspace import open_workspace
from tests.support.ports import free_port

PASSWORD = "correct-horse-battery"

RAY = """
import json, os, psutil
import contextlib
from sweep.ray_backend import security as confinement
from sweep.ray_backend import nodes as ray_nodes
from sweep.resources.placement import Machines
held = contextlib.ExitStack()
held.enter_context(ray_nodes.started(Machines(1)))
import ray
@ray.remote
def work():
    return 1
ray.get(work.remote())
found = []
for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
    found += [c.laddr.ip for c in process.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
from ray._raylet import AuthenticationMode, get_authentication_mode
print(json.dumps({"listening": found, "token": get_authentication_mode() == AuthenticationMode.TOKEN}))
held.close()
print(json.dumps(os.environ.get(confinement.SWITCH)))
"""


@pytest.mark.slow
def test_a_local_ray_listens_on_loopback_alone_and_asks_for_its_token(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # sockets' paths must not be long
        environment |= {"HOME": str(tmp_path), "RAY_TMPDIR": short}
        done = subprocess.run(
            [sys.executable, "-c", RAY], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
    assert done.returncode == 0, done.stderr
    found, switch = map(json.loads, done.stdout.strip().splitlines())
    assert len(found["listening"]) >= 5
    assert {address.removeprefix("::ffff:") for address in found["listening"]} == {"127.0.0.1"}
    assert found["token"]
    assert switch is None, "the setting must not reach a cluster that the same process connects to later"
    token = tmp_path / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600


def test_a_token_that_others_may_read_is_closed_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in confinement.TOKENS:
        monkeypatch.delenv(name, raising=False)
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("kept")
    token.chmod(0o644)
    confinement.guard_token()
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert token.read_text() == "kept"


def test_a_first_token_is_whole_from_its_first_moment_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two Rays that start together on a new machine the second reads what the first has just made."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in confinement.TOKENS:
        monkeypatch.delenv(name, raising=False)
    link = os.link
    seen = []

    def rival(own: Path, path: Path) -> None:
        assert not path.exists()
        path.write_text("the other's")
        seen.append(len(own.read_text()))
        link(own, path)

    monkeypatch.setattr(os, "link", rival)
    confinement.guard_token()
    (token,) = (tmp_path / ".ray").iterdir()
    assert (token.name, token.read_text(), seen) == ("auth_token", "the other's", [64])
    token.unlink()
    monkeypatch.setattr(os, "link", link)
    confinement.guard_token()
    (token,) = (tmp_path / ".ray").iterdir()
    assert (len(token.read_text()), stat.S_IMODE(token.stat().st_mode)) == (64, 0o600)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])
def test_pages_are_not_shown_to_others_without_a_password(tmp_path: Path, host: str) -> None:
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(UsageError, match="add --auth"):
        ui.ui(open_workspace(tmp_path), 5000, host)


@pytest.mark.parametrize("password", ["", "short"])
def test_a_first_password_has_to_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    pytest.importorskip("flask_wtf")
    (tmp_path / "mlflow.db").touch()
    monkeypatch.setenv(ui.PASSWORD, password)
    with pytest.raises(UsageError, match=r"--auth: set the first account's password"):
        ui.ui(open_workspace(tmp_path), 5000, "0.0.0.0", auth=True)


def test_the_server_is_started_without_urls_among_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, start = {}, subprocess.Popen

    def record(command, env, **options):
        seen.update(command=command, env=env)
        return start([sys.executable, "-c", ""], **options)

    monkeypatch.setattr(subprocess, "Popen", record)
    monkeypatch.setattr(ui, "pages", lambda uri: {})
    uri = f"postgresql://mlflow:{PASSWORD}@db/mlflow"
    assert ui.ui(open_workspace(tmp_path, None, uri), 5000) == 0
    assert seen["command"][seen["command"].index("--host") + 1] == "127.0.0.1"
    assert not any(PASSWORD in word for word in seen["command"]), "everybody may read a process's arguments"
    assert seen["env"]["MLFLOW_BACKEND_STORE_URI"] == uri


def test_no_worker_goes_on_listening_without_its_server(tmp_path: Path) -> None:
    """The server is killed first, as by `kill -9`; what it has started ends with the command all the same."""
    program = "import socket, subprocess, sys, time\nheld = socket.create_server(('127.0.0.1', 0))\n"
    program += "held.set_inheritable(True)\n"
    program += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], close_fds=False)\n"
    program += "print(held.getsockname()[1], flush=True)\ntime.sleep(600)"
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    server.kill()
    server.wait()
    with socket.create_connection(("127.0.0.1", port)):
        ui._end(server)
    server.stdout.close()
    deadline = time.monotonic() + 60
    while _listens(port):
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_a_server_for_others_answers_only_who_knows_the_password(tmp_path: Path) -> None:
    pytest.importorskip("flask_wtf")
    (tmp_path / "mlflow.db").touch()
    port = free_port()
    words = ["ui", "--workspace", str(tmp_path), "--port", str(port), "--host", "0.0.0.0", "--auth"]
    server = subprocess.Popen(
        [sys.executable, "-m", "sweep", *words],
        env=os.environ | {ui.PASSWORD: PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait(f"http://127.0.0.1:{port}/health")
        experiments = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/search?max_results=1"
        assert _status(f"http://127.0.0.1:{port}/") == 401
        assert _status(experiments) == 401
        assert _status(experiments, "admin:password1234") == 401
        assert _status(experiments, f"admin:{PASSWORD}") == 200
    finally:
        server.terminate()  # it alone, as a service manager does
        server.wait(120)
    with pytest.raises(urllib.error.URLError, match="refused"):
        _status(f"http://127.0.0.1:{port}/health")
    for name in ("accounts.db", "accounts.key", "accounts.ini"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        assert PASSWORD.encode() not in (tmp_path / name).read_bytes()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True


def _wait(url: str) -> None:
    deadline = time.monotonic() + 250
    while time.monotonic() < deadline:
        try:
            if _status(url) == 200:
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{url} does not answer")


def _status(url: str, account: str = "") -> int:
    request = urllib.request.Request(url)
    if account:
        request.add_header("Authorization", f"Basic {b64encode(account.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code
