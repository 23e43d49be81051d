"""MLflow runs to pandas frames, verdicts, tables and reports. Never imports Ray.

Importing it loads nothing heavy: names are looked up when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.data import load
    from analysis.report import assess

__all__ = ["assess", "load"]

_HOME = {"assess": "analysis.report", "load": "analysis.data.loading"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
