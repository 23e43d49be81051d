"""What a run shows while it goes on: a live view, remaining time, a log."""

from sweep.progress.eta import duration
from sweep.progress.run_log import Chronicle, read_note
from sweep.progress.view import LiveProgress, PlainProgress, Progress

__all__ = [
    "Chronicle",
    "LiveProgress",
    "PlainProgress",
    "Progress",
    "duration",
    "read_note",
]
