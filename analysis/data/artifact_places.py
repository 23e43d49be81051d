"""Which places a tracking server may name for a run's files: its own, never another server or folder.

A run's `artifact_uri` is text in a database that may come from anybody, and MLflow's client follows it anywhere, with
the user's tracking token.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from trainables.runtime import sqlite_file

_SERVED = "mlflow-artifacts"


def is_own(tracking_uri: str, artifact_uri: str) -> bool:
    """Whether a run's files lie with what keeps its figures.

    Args:
        tracking_uri: that the user named.
        artifact_uri: that its server names. Of an MLflow server: served by itself, at the same address. Of an SQLite
            file: below the folder that holds it. A database server keeps no files.
    """
    named, place = urlsplit(tracking_uri), urlsplit(artifact_uri)
    if named.scheme in ("http", "https"):
        same = place.netloc in ("", named.netloc)
        return same and place.scheme in (_SERVED, named.scheme) and bool(place.netloc or place.scheme == _SERVED)
    file = sqlite_file(tracking_uri)
    if file is None or place.scheme not in ("", "file") or place.netloc:
        return False
    return Path(unquote(place.path)).resolve().is_relative_to(file.parent.resolve())
