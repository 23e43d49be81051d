"""How runs are shown: MLflow, files, TensorBoard, W&B, or nothing. A tracker that fails costs no result."""

from sweep.tracking.artifacts import exhibit
from sweep.tracking.background import Background
from sweep.tracking.base import Guarded, NullTracker, Several, Tracker
from sweep.tracking.connection import TRACKERS, WRITERS, check, connect, connect_aside, connect_beside
from sweep.tracking.database import damaged, ready
from sweep.tracking.frames import cells_of, frame_of
from sweep.tracking.ledger import Ledger, Shown
from sweep.tracking.mlflow_server import pages, probe
from sweep.tracking.schema import TAG, Difference, flatten, state_tags
from sweep.tracking.summaries import Summary, summarise

__all__ = [
    "TAG",
    "TRACKERS",
    "WRITERS",
    "Background",
    "Difference",
    "Guarded",
    "Ledger",
    "NullTracker",
    "Several",
    "Shown",
    "Summary",
    "Tracker",
    "cells_of",
    "check",
    "connect",
    "connect_aside",
    "connect_beside",
    "damaged",
    "exhibit",
    "flatten",
    "frame_of",
    "pages",
    "probe",
    "ready",
    "state_tags",
    "summarise",
]
