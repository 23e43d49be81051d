"""The tracker of a workspace, from its tracking URI."""

from __future__ import annotations

from search_spaces import Study
from sweep.tracking.base import NullTracker, Tracker
from sweep.workspace import Workspace

NO_TRACKING = "none"
"""As a tracking URI: show runs nowhere."""


def connect(study: Study, workspace: Workspace, beside: bool = False) -> Tracker:
    """The tracker of a workspace; `beside` a process that may be running the study.

    Raises:
        TrackingError: its server can't be used.
    """
    if workspace.tracking_uri == NO_TRACKING:
        return NullTracker()
    from sweep.tracking.mlflow import MlflowTracker

    artifacts = (workspace.root / "artifacts").as_uri() if workspace.local_tracking else None
    return MlflowTracker(workspace.tracking_uri, study, artifacts, beside)
