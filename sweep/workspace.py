"""A workspace: the folder that holds a user's results, and the two places that may lie elsewhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from sweep.errors import UsageError
from trainables.runtime import sqlite_uri, write_whole

SCHEMA = 1
"""Version of the folder's layout."""

_MARK, _DATABASE = "workspace.json", "mlflow.db"
_MARKED = json.dumps({"schema": SCHEMA}) + "\n"
_BESIDE_DATABASE = ("", "-journal", "-wal", "-shm", ".lock")
NO_TRACKING = "none"
"""As a tracking URI: show runs nowhere."""
_APART = re.compile(r",(?=[A-Za-z][A-Za-z0-9+.-]*://|sqlite:|mlflow\b|none\b)")
MLFLOW_SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "file", "databricks", "uc")
"""Of tracking URIs that are MLflow's own, a driver's name after `+` aside."""


@dataclass(frozen=True)
class Workspace:
    """Where things are; absolute, because trials run in other folders.

    Attributes:
        root: the folder: `store/`, `mlflow.db`, `reports/`, `optuna/`, `logs/`.
        storage: URL of the store.
        tracking_uri: where runs are shown: MLflow's URI, another tracker's, or several apart by commas.
    """

    root: Path
    storage: str
    tracking_uri: str

    @property
    def named(self) -> str:
        """The folder as a command names it: from the working folder where it lies below it."""
        here = Path.cwd()
        return str(self.root.relative_to(here) if self.root.is_relative_to(here) else self.root)

    @property
    def tracking_uris(self) -> tuple[str, ...]:
        """Each tracker's."""
        own = sqlite_uri(self.root / _DATABASE)
        return tuple(own if uri == "mlflow" else uri for uri in _APART.split(self.tracking_uri))

    @property
    def mlflow_uri(self) -> str:
        """The first that is MLflow's, which runs can be read from; `none` where there is none."""
        found = [uri for uri in self.tracking_uris if uri != NO_TRACKING and is_mlflow(uri)]
        return found[0] if found else NO_TRACKING

    @property
    def local_tracking(self) -> bool:
        """Whether MLflow's runs are kept in the workspace's own database."""
        return self.is_own_database(self.mlflow_uri)

    @property
    def default_tracking(self) -> bool:
        """Whether runs are shown there and nowhere else."""
        return self.tracking_uris == (sqlite_uri(self.root / _DATABASE),)

    def is_own_database(self, uri: str) -> bool:
        """Whether a tracking URI is that of the workspace's own database."""
        return uri == sqlite_uri(self.root / _DATABASE)

    @property
    def local_storage(self) -> bool:
        """Whether artifacts are kept in the workspace."""
        return self.storage == str(self.root / "store")

    def report(self, study: str) -> Path:
        """Folder of a study's report, which need not exist yet.

        Raises:
            UsageError: it, or a file in it, leads out of the workspace; or a file has its name.
        """
        folder = self._inside("reports", study)
        for path in folder.rglob("*"):
            if path.is_symlink():
                self._inside(*path.relative_to(self.root).parts)
        for path in (self.root / "reports", folder):
            if path.exists() and not path.is_dir():
                raise UsageError(f"--workspace {self.root}: {path} must be a folder and is a file; move that file away")
        return folder

    def running(self, study: str) -> Path:
        """What the run of a study that is going on says of itself."""
        return self._inside("running", f"{study}.json")

    @property
    def database(self) -> Path:
        """MLflow's, where runs are kept in the workspace; what lies beside it leads nowhere else either."""
        for end in _BESIDE_DATABASE:
            self._inside(_DATABASE + end)
        return self.root / _DATABASE

    @property
    def artifacts(self) -> Path:
        """Files that MLflow shows beside runs."""
        return self._inside("artifacts")

    def log(self, cell: str) -> Path:
        """What happened to a cell, run after run."""
        return self._inside("logs", f"{cell}.log")

    @property
    def speeds(self) -> Path:
        """How fast machines were seen to be."""
        return self._inside("speeds.json")

    def searches(self, study: str) -> Path:
        """Optuna's journal of a study."""
        return self._inside("optuna", f"{study}.log")

    @property
    def all_searches(self) -> Path:
        """The journal that earlier versions kept for all studies."""
        return self._inside("optuna", "journal.log")

    def _inside(self, *parts: str) -> Path:
        """A path of the workspace, which may come from somebody else: nothing in it leads us to write elsewhere.

        Raises:
            UsageError: the path leaves the workspace, by its words or by a symbolic link.
        """
        path = self.root.joinpath(*parts)
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise UsageError(
                f"--workspace {self.root}: {'/'.join(parts)} leads out of it, to {path.resolve()}; "
                "remove the link, or link the whole workspace instead"
            )
        return path


def scheme_of(uri: str) -> str:
    """`postgresql` of `postgresql+psycopg://…`; empty where it is a plain path or word."""
    head, colon, _ = uri.partition(":")
    return head.partition("+")[0] if colon else ""


def is_mlflow(uri: str) -> bool:
    """Whether a tracking URI is MLflow's rather than another tracker's."""
    return scheme_of(uri) in ("", *MLFLOW_SCHEMES)


def open_workspace(root: Path, storage: str | None = None, tracking_uri: str | None = None) -> Workspace:
    """The workspace at a folder, which need not exist yet.

    Raises:
        UsageError: it is no folder, or a newer version wrote it.
    """
    root = root.expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise UsageError(f"--workspace {root}: is a file, not a folder")
    _check_schema(root / _MARK)
    place = storage or str(root / "store")
    if "://" not in place:
        place = str(Path(place).expanduser().absolute())
    return Workspace(root, place, tracking_uri or sqlite_uri(root / _DATABASE))


def prepare(workspace: Workspace) -> None:
    """Make the folder and mark it with its version.

    Raises:
        UsageError: it can't be written.
    """
    try:
        workspace.root.mkdir(parents=True, exist_ok=True)
        mark = workspace.root / _MARK
        if not mark.exists() or not mark.stat().st_size:
            write_whole(mark, _MARKED, durable=True)
    except OSError as problem:
        raise UsageError(f"--workspace {workspace.root}: can't be written: {problem.strerror}") from None


def _check_schema(mark: Path) -> None:
    try:
        if not mark.stat().st_size:
            return  # a disk was full when it was made: `prepare` makes it again
        held = json.loads(mark.read_text(encoding="utf-8"))
        found = int(held["schema"])
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"{mark}: can't be read as a workspace's mark; restore it as {{\"schema\": {SCHEMA}}}"
        ) from None
    if found > SCHEMA:
        raise UsageError(
            f"--workspace {mark.parent}: written by a newer version (schema {found}, this version reads up to "
            f"{SCHEMA}); upgrade collapse-sweep or choose another folder"
        )
