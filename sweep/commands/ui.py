"""`collapse-sweep ui`."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from sweep.commands.outcome import DONE, REFUSED, say
from sweep.errors import UsageError
from sweep.tracking import ready
from sweep.workspace import Workspace

LOCAL = ("127.0.0.1", "localhost", "::1")
PASSWORD = "MLFLOW_AUTH_ADMIN_PASSWORD"
GRACE = 5.0
"""Seconds that the server has to end by itself."""
SHORTEST = 12
"""Characters of a password at least, for a server that others can reach."""


def ui(workspace: Workspace, port: int, host: str = LOCAL[0], auth: bool = False) -> int:
    """Serve MLflow's pages until Ctrl-C: to this machine, or with `auth` to others too.

    Raises:
        UsageError: there is nothing to show, or others could read and change it without a password.
    """
    if workspace.tracking_uri.startswith(("http://", "https://")):
        say(f"{workspace.tracking_uri} has pages of its own: open it in a browser")
        return DONE
    if host not in LOCAL and not auth:
        raise UsageError(
            f"--host {host}: others could read, change and delete every run; add --auth to ask for a password, "
            f"or leave --host out and reach this machine through ssh -L {port}:localhost:{port}"
        )
    if workspace.local_tracking and not (workspace.root / "mlflow.db").exists():
        raise UsageError(f"--workspace {workspace.root}: no runs are kept there; first: collapse-sweep run quickstart")
    if workspace.local_tracking:
        ready(workspace, lambda trouble: say(f"warning: {trouble}"))
    # URLs may hold passwords, and everybody on the machine can read a command's arguments
    environment = _environment(workspace) | (_guard(workspace) if auth else {})
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--app-name", "basic-auth"] if auth else []
    say(f"MLflow: http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends it)")
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


def _environment(workspace: Workspace) -> dict[str, str]:
    return os.environ | {
        "MLFLOW_BACKEND_STORE_URI": workspace.tracking_uri,
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (workspace.root / "artifacts").as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def _guard(workspace: Workspace) -> dict[str, str]:
    """Settings of MLflow's own authentication: accounts lie in the workspace, and what has no rule is refused.

    Raises:
        UsageError: there is no password yet, it is too short, or a package is missing.
    """
    if find_spec("flask_wtf") is None:
        raise UsageError('--auth: MLflow\'s authentication needs a further package: pip install "collapse-sweep[auth]"')
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
