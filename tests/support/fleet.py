"""A Ray cluster of several processes on this machine, each node with cores, folder and, where the system allows it,
process numbers and /tmp of its own; and an S3 server, the only thing that they share.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.support.ports import free_port

SOON = {"RAY_health_check_period_ms": "1000"}
"""A head looks whether its nodes are alive every second, in place of three; five looks in vain are a death."""

APART = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
"""A process namespace and a mount namespace of its own: what happens there is seen by nobody else."""


def can_be_apart() -> bool:
    """Whether nodes can have namespaces of their own."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*APART, "true"], capture_output=True, check=False).returncode == 0


class Fleet:
    """The nodes. A node is killed with everything that it runs, as a machine that loses its power."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {name: free_port() for name in ("gcs", "dashboard")}
        self.address = f"127.0.0.1:{self.ports['gcs']}"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # a job's `python` is this one
        self.environment = {**os.environ, **environment, "RAY_AUTH_MODE": "token", "PATH": path, **SOON}

    def head(self, cpus: int = 0, dashboard: bool = False, *more: str) -> None:
        """Start the head; it runs no trials."""
        page = ["--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={self.ports['dashboard']}"]
        options = ["--head", "--num-gpus=0", f"--port={self.ports['gcs']}", f"--temp-dir={self._temporary('head')}"]
        options += page if dashboard else ["--include-dashboard=false"]
        self._start("head", cpus, [*options, *more], apart=False)
        self._wait_for("head")

    def join(self, *names: str, cpus: int = 1, gpus: int = 0, apart: bool = True) -> None:
        """Let machines join."""
        for name in names:
            options = [f"--address={self.address}", f"--num-gpus={gpus}"]
            self._start(name, cpus, options, apart=apart and can_be_apart())
        for name in names:
            self._wait_for(name)

    def kill(self, name: str) -> None:
        """kill -9, no farewell: the node and all its workers."""
        process = self.nodes.pop(name)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGKILL)
        process.wait(timeout=120)

    def close(self) -> None:
        """End every node."""
        for name in list(self.nodes):
            self.kill(name)

    def log(self, name: str) -> str:
        """What a node has said."""
        return (self.folder / f"{name}.log").read_text()

    def _temporary(self, name: str) -> str:
        return str(self.folder / name)  # short: it holds sockets

    def _start(self, name: str, cpus: int, options: list[str], apart: bool) -> None:
        command = [
            sys.executable,
            "-m",
            "ray.scripts.scripts",
            "start",
            "--block",
            f"--num-cpus={cpus}",
        ]
        command += ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000", *options]
        command += ["--include-log-monitor=false"]  # drivers here ask for nothing that workers print
        command += [f"--dashboard-agent-listen-port={free_port()}"]  # whose default other clusters here may hold
        if apart:
            script = f'mount -t tmpfs tmpfs /tmp && mkdir -p {self.folder} && exec "$@"'
            command = [*APART, "sh", "-c", script, "sh", *command]
        with open(self.folder / f"{name}.log", "wb") as log:
            self.nodes[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.folder)

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 300
        while "Ray runtime started" not in self.log(name):
            assert self.nodes[name].poll() is None, self.log(name)[-2000:]
            assert time.monotonic() < deadline, self.log(name)[-2000:]
            time.sleep(0.1)


@contextlib.contextmanager
def fleet(**environment: str) -> Iterator[Fleet]:
    """No node has started yet; all are ended with the block."""
    folder = Path(tempfile.mkdtemp(prefix="fleet-", dir="/tmp"))
    made = Fleet(folder, **environment)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def s3() -> Iterator[dict[str, str]]:
    """An S3 server; the environment by which its clients find it."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()  # of servers of other tests of this process
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        S3FileSystem.clear_instance_cache()
        running.stop()


def bucket(**settings: Any) -> str:
    """A new bucket that keeps every version of every object, so that what was written twice is seen."""
    import boto3

    name = f"b{time.time_ns()}"
    client = boto3.client("s3", **settings)
    client.create_bucket(Bucket=name)
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name
