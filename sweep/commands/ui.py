"""`collapse-sweep ui`."""

from __future__ import annotations

import os
import subprocess
import sys

from sweep.commands.outcome import DONE, say
from sweep.errors import UsageError
from sweep.workspace import Workspace

HOST = "127.0.0.1"


def ui(workspace: Workspace, port: int) -> int:
    """Serve MLflow's pages until Ctrl-C, on localhost only."""
    if workspace.local_tracking and not (workspace.root / "mlflow.db").exists():
        raise UsageError(f"--workspace {workspace.root}: no runs are kept there; first: collapse-sweep run quickstart")
    if workspace.tracking_uri.startswith(("http://", "https://")):
        say(f"{workspace.tracking_uri} has pages of its own: open it in a browser")
        return DONE
    say(f"MLflow: http://{HOST}:{port}  (Ctrl-C ends it)")
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", workspace.tracking_uri]
    command += ["--default-artifact-root", (workspace.root / "artifacts").as_uri()]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    try:
        return subprocess.run(command, env=quiet, check=False).returncode and 2
    except KeyboardInterrupt:
        return DONE
