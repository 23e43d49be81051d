"""How runs are shown: MLflow, or nothing. A tracker that fails costs no result."""

from sweep.tracking.artifacts import exhibit
from sweep.tracking.background import Background
from sweep.tracking.base import Guarded, Tracker
from sweep.tracking.connection import NO_TRACKING, connect, optional
from sweep.tracking.database import damaged, ready
from sweep.tracking.frames import cells_of, frame_of
from sweep.tracking.mlflow import probe
from sweep.tracking.schema import TAG, flatten

__all__ = [
    "NO_TRACKING",
    "TAG",
    "Background",
    "Guarded",
    "Tracker",
    "cells_of",
    "connect",
    "damaged",
    "exhibit",
    "flatten",
    "frame_of",
    "optional",
    "probe",
    "ready",
]
