"""Commands in processes of their own, as `python -m sweep` is one, which fork from a process that has the libraries of
a run loaded: to load them again takes more time than most of what tests ask of a command. Nothing of this project is
loaded there, so that each command reads its code, its settings and its environment anew. Ray reads its own environment
when it is loaded: a command with settings of Ray's own loads all libraries itself.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

LIBRARIES = [
    "altair", "alembic.command", "lifelines", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "mlflow", "mlflow.store.tracking.sqlalchemy_store", "optuna", "pandas", "psutil", "pyarrow.parquet", "pydantic",
    "ray", "ray.air.integrations.comet", "ray.air.integrations.mlflow", "ray.air.integrations.wandb",
    "ray.dashboard.optional_deps", "ray.tune", "rich.console", "rich.progress", "rich.table", "scipy.optimize",
    "scipy.stats", "statsmodels.stats.multitest", "typer", "yaml", "tests.support.lasting",
]  # fmt: skip
"""What a run loads, and that it stays."""
PASSED_ON = {"RAY_TMPDIR", "RAY_USAGE_STATS_ENABLED"}
"""Settings of Ray's that it reads anew whenever it starts."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(LIBRARIES)
_FRESH = multiprocessing.get_context("spawn")


class Command:
    """A command at work, to be dealt with like a `subprocess.Popen` whose output is text and is kept.

    Args:
        folder: where it works.
        arguments: of the command.
        environment: its own, where one is given.
        module: what it runs; this project by default.
    """

    def __init__(
        self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, module: str = "sweep"
    ) -> None:
        self._said = Path(tempfile.mkdtemp(prefix="command-"))
        for name in ("out", "err"):
            (self._said / name).touch()
        variables = dict(os.environ if environment is None else environment)
        own = {name for name in variables if name.startswith("RAY_")} - PASSED_ON
        told = (module, str(folder), arguments, variables, str(self._said))
        self._process = (_FRESH if own else _FORKS).Process(target=_main, args=told, daemon=True)
        self._process.start()
        self.args = arguments
        self._told: tuple[str, ...] = ()

    @property
    def pid(self) -> int:
        """Of the command itself."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative where a signal ended it; None while it is at work."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        """To the command alone."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once, the command alone."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it has written on stdout and stderr, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not; it is ended.
        """
        self._process.join(timeout)
        if self.returncode is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0, *self._texts())
        return self._texts()

    def _texts(self) -> tuple[str, str]:
        if self._said.exists():
            self._told = tuple((self._said / name).read_text(errors="replace") for name in ("out", "err"))
            shutil.rmtree(self._said)
        out, err = self._told
        return out, err


def start(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Command:
    """A command at work in a folder; with an environment of its own, where one is given."""
    return Command(folder, *arguments, environment=environment)


def call(
    folder: Path,
    *arguments: str,
    code: int = 0,
    timeout: float = 600,
    environment: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """What a command has written on stdout and stderr; it has ended with the code, and with no traceback."""
    process = start(folder, *arguments, environment=environment)
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == code, f"{arguments}: {err[-3000:]}"
    assert "Traceback" not in err
    return out, err


def _main(module: str, folder: str, arguments: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    """In the forked process: what `python -m MODULE` does."""
    for number, name in ((1, "out"), (2, "err")):
        target = os.open(Path(said, name), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(target, number)
        os.close(target)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
