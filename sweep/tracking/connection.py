"""The trackers of a workspace, from its tracking URI."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from search_spaces import Study
from sweep.errors import TrackingError
from sweep.tracking.background import Background
from sweep.tracking.base import KEPT, Guarded, NullTracker, Several, Tracker, told
from sweep.tracking.database import ready
from sweep.tracking.ledger import local_folder
from sweep.workspace import MLFLOW_SCHEMES, NO_TRACKING, Workspace, is_mlflow, scheme_of
from trainables.config import did_you_mean

TRACKERS: Mapping[str, str] = {
    "csv": "sweep.tracking.files:CsvTracker",
    "jsonl": "sweep.tracking.files:JsonLinesTracker",
    "tensorboard": "sweep.tracking.tensorboard:TensorBoardTracker",
    "wandb": "sweep.tracking.wandb:WandbTracker",
}
"""Scheme of a tracking URI -> "module:Class"; every other URI is MLflow's."""

PLUGINS = "collapse_sweep.trackers"
"""Entry points of other packages: name the scheme, load what is called as the classes above: (uri, study, workspace,
beside)."""

WRITERS = 4
"""Threads that write to a tracking server: each call waits for its answer most of the time."""


def connect(
    study: Study, workspace: Workspace, beside: bool = False, warn: Callable[[str], None] = lambda line: None
) -> Tracker:
    """What a workspace's tracking URI names, as one tracker.

    Args:
        study: whose runs are shown.
        workspace: says where.
        beside: leave the study's run as it stands: another process may be running it.
        warn: told where a broken database of the workspace is set aside.

    Raises:
        TrackingError: one of them can't be used.
    """
    found = [_open(uri, study, workspace, beside, warn) for uri in workspace.tracking_uris]
    return found[0] if len(found) == 1 else Several(found)


def connect_aside(
    study: Study, workspace: Workspace, warn: Callable[[str], None]
) -> Callable[[Callable[[str], None]], Tracker]:
    """The same for a driver: each writes on threads of its own, and one that fails stops neither the study nor others.

    Returns:
        Makes the tracker, given who is told what fails.

    Raises:
        TrackingError: one that the user named can't be used; the workspace's own database stops no study.
    """
    found: list[tuple[Tracker, int]] = []
    failed: list[TrackingError] = []
    for uri in workspace.tracking_uris:
        try:
            found.append((_open(uri, study, workspace, False, warn), writers(uri)))
        except TrackingError as problem:
            if not workspace.is_own_database(uri):
                raise
            failed.append(problem)

    def made(warn: Callable[[str], None]) -> Tracker:
        for problem in failed:
            warn(told(problem, KEPT))
        lost = [Untracked(str(problem)) for problem in failed]
        return Several([*lost, *(Guarded(Background(tracker, threads), warn, KEPT) for tracker, threads in found)])

    return made


class Untracked(NullTracker):
    """Shows nothing, and says why."""

    def __init__(self, trouble: str) -> None:
        self.trouble: str | None = trouble


def connect_beside(study: Study, workspace: Workspace, warn: Callable[[str], None]) -> Tracker:
    """The same beside a process that may be running the study; what can't be used is told and left out."""
    found: list[Tracker] = []
    for uri in workspace.tracking_uris:
        try:
            found.append(Guarded(_open(uri, study, workspace, True, warn), warn))
        except TrackingError as problem:
            warn(str(problem))
    return Several(found)


def check(uri: str) -> None:
    """Whether a tracker can be used, as far as that can be told without a study.

    Raises:
        TrackingError: it can't.
    """
    scheme = scheme_of(uri)
    if uri == NO_TRACKING:
        return
    if scheme in TRACKERS:
        _class(TRACKERS[scheme])
        if scheme != "wandb":
            local_folder(uri)
        return
    if scheme not in _plugins():
        from sweep.tracking.mlflow_server import probe

        probe(uri)


def writers(uri: str) -> int:
    """Threads that may write at once: a server takes several, files one, and so does sqlite."""
    return WRITERS if scheme_of(uri) in ("http", "https", "postgresql", "mysql", "mssql") else 1


def _open(
    uri: str, study: Study, workspace: Workspace, beside: bool, warn: Callable[[str], None] = lambda line: None
) -> Tracker:
    if uri == NO_TRACKING:
        return NullTracker()
    scheme, plugins = scheme_of(uri), _plugins()
    if scheme in TRACKERS:
        made: Tracker = _class(TRACKERS[scheme])(uri, study, workspace, beside)
        return made
    if scheme in plugins:
        return _plugged(plugins[scheme], uri, study, workspace, beside)
    if not is_mlflow(uri):
        known = [*TRACKERS, *plugins, *MLFLOW_SCHEMES]
        raise TrackingError(f"--tracking-uri {uri}: unknown scheme {scheme!r}{did_you_mean(scheme, known)}")
    from sweep.tracking.mlflow import MlflowTracker

    if workspace.is_own_database(uri):
        ready(workspace, warn)
    return MlflowTracker(uri, study, workspace.artifacts, beside)


def _plugged(plugin: Any, uri: str, study: Study, workspace: Workspace, beside: bool) -> Tracker:
    try:
        made: Tracker = plugin.load()(uri, study, workspace, beside)
    except TrackingError:
        raise
    except Exception as problem:  # a tracker may be anybody's
        raise TrackingError(f"--tracking-uri {uri}: {told(problem)}") from None
    return made


def _plugins() -> dict[str, Any]:
    return {found.name: found for found in entry_points(group=PLUGINS)}


def _class(entry: str) -> Any:
    module, _, name = entry.partition(":")
    return getattr(importlib.import_module(module), name)
