"""`collapse-sweep ui`."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from sweep.commands.outcome import DONE, REFUSED, say
from sweep.commands.report import options
from sweep.errors import UsageError
from sweep.tracking import pages, ready
from sweep.workspace import NO_TRACKING, Workspace
from trainables.runtime import require

LOCAL = ("127.0.0.1", "localhost", "::1")
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
GRACE = 5.0
"""Seconds that the server has to end by itself."""
LINKS = 20
"""Studies whose pages are named, at most."""
PATIENCE = 60.0
"""Seconds until a server that does not answer is not waited for any more."""
SHORTEST = 12
"""Characters of a password at least, for a server that others can reach."""


def ui(workspace: Workspace, port: int, host: str = LOCAL[0], auth: bool = False, browser: bool = False) -> int:
    """Serve MLflow's pages until Ctrl-C: to this machine, or with `auth` to others too. Links lead to each study's
    configurations by policy; `browser` opens the newest.

    Raises:
        UsageError: there is nothing to show, or others could read and change it without a password.
    """
    if workspace.mlflow_uri == NO_TRACKING:
        raise UsageError(f"--tracking-uri {workspace.tracking_uri}: is not MLflow's, whose pages these are")
    if workspace.mlflow_uri.startswith(("http://", "https://")):
        say(f"{workspace.mlflow_uri} has pages of its own: open it in a browser")
        _open(_links(workspace.mlflow_uri.rstrip("/"), workspace), browser)
        return DONE
    if host not in LOCAL and not auth:
        raise UsageError(
            f"--host {host}: others could read, change and delete every run; add --auth to ask for a password, "
            f"or leave --host out and reach this machine through ssh -L {port}:localhost:{port}"
        )
    if workspace.local_tracking and not (workspace.root / "mlflow.db").exists():
        first = shlex.join(["collapse-sweep", "run", "quickstart", *options((), workspace)])
        raise UsageError(f"--workspace {workspace.root}: no runs are kept there; first: {first}")
    if workspace.local_tracking:
        ready(workspace, lambda trouble: say(f"warning: {trouble}"))
    # URLs may hold passwords, and everybody on the machine can read a command's arguments
    environment = _environment(workspace) | (_guard(workspace) if auth else {})
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--app-name", "basic-auth"] if auth else []
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"MLflow: {address}  (Ctrl-C ends it)")
    _open(_links(address, workspace), browser, port)
    server = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        return server.wait() and REFUSED
    except KeyboardInterrupt:
        return DONE
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End a server with all its workers, which would go on listening without it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)


def _links(address: str, workspace: Workspace) -> list[str]:
    """Each study's page, newest first."""
    found = [(study, f"{address}{path}") for study, path in pages(workspace.mlflow_uri).items()]
    for study, link in found[:LINKS]:
        say(f"{study}: {link}")
    return [link for _, link in found]


def _open(links: list[str], browser: bool, port: int | None = None) -> None:
    """Open the first in a browser, as soon as somebody answers at the port."""
    if browser and links:
        threading.Thread(target=_open_when_ready, args=(links[0], port), daemon=port is not None).start()


def _open_when_ready(link: str, port: int | None) -> None:
    import webbrowser

    deadline = time.monotonic() + PATIENCE
    while port is not None and time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            break
        time.sleep(0.2)
    webbrowser.open(link)


def _environment(workspace: Workspace) -> dict[str, str]:
    return os.environ | {
        "MLFLOW_BACKEND_STORE_URI": workspace.mlflow_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (workspace.root / "artifacts").as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _guard(workspace: Workspace) -> dict[str, str]:
    """Settings of MLflow's own authentication: accounts lie in the workspace, and what has no rule is refused.

    Raises:
        UsageError: there is no password yet, it is too short, or a package is missing.
    """
    require("flask_wtf", "--auth", UsageError)
    accounts, key = workspace.root / "accounts.db", workspace.root / "accounts.key"
    known = accounts.exists() and accounts.stat().st_size > 0
    if not known and len(os.environ.get(PASSWORD, "")) < SHORTEST:
        raise UsageError(
            f"--auth: set the first account's password (user admin) in {PASSWORD}, of {SHORTEST} characters or more"
        )
    _private(accounts, "")
    _private(key, secrets.token_hex(32))
    settings = workspace.root / "accounts.ini"
    database = f"sqlite:///{accounts}".replace("%", "%%")  # as configparser reads it
    settings.unlink(missing_ok=True)
    _private(
        settings,
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = {database}\nadmin_username = admin\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": key.read_text(encoding="ascii"),
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
    }


def _private(path: Path, text: str) -> None:
    """A file that its owner alone may read; one that is there stays as it is, but for others' rights."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
