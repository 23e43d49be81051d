"""Private temporary folders for artifacts on their way into or out of a store."""

from __future__ import annotations

import tempfile


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A private temporary folder for an artifact on its way into or out of a store."""
    return tempfile.TemporaryDirectory(prefix="collapse-sweep-")
