"""The tracker of a workspace, from its tracking URI."""

from __future__ import annotations

from collections.abc import Callable

from search_spaces import Study
from sweep.errors import TrackingError
from sweep.tracking.base import NullTracker, Tracker
from sweep.tracking.database import ready
from sweep.workspace import Workspace

NO_TRACKING = "none"
"""As a tracking URI: show runs nowhere."""


def connect(
    study: Study, workspace: Workspace, beside: bool = False, warn: Callable[[str], None] = lambda line: None
) -> Tracker:
    """The tracker of a workspace; `beside` a process that may be running the study.

    Args:
        study: whose runs are shown.
        workspace: says where.
        beside: leave the study's run as it stands.
        warn: told where a broken database of the workspace is set aside.

    Raises:
        TrackingError: its server can't be used.
    """
    if workspace.tracking_uri == NO_TRACKING:
        return NullTracker()
    from sweep.tracking.mlflow import MlflowTracker

    if workspace.local_tracking:
        ready(workspace, warn)
    return MlflowTracker(workspace.tracking_uri, study, workspace.artifacts, beside)


def optional(connected: Callable[[], Tracker], workspace: Workspace, warn: Callable[[str], None]) -> Tracker:
    """The tracker, or one that shows nothing where the workspace's own database can't be used: a view stops no study.

    Raises:
        TrackingError: the server that the user named can't be used.
    """
    try:
        return connected()
    except TrackingError as problem:
        if not workspace.local_tracking:
            raise
        warn(str(problem))
        return Untracked(str(problem))


class Untracked(NullTracker):
    """Shows nothing, and says why."""

    def __init__(self, trouble: str) -> None:
        self.trouble: str | None = trouble
