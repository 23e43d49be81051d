"""Files of a record that are there to be looked at: what can't be made on this machine is left out."""

from __future__ import annotations

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


def shown(name: str, make: Callable[[], bytes]) -> dict[str, bytes]:
    """The file by its name, or nothing, and a warning, where making it fails, whatever the reason: a library, a font or
    memory may be missing, and figures stand without pictures.
    """
    try:
        return {name: make()}
    except Exception as problem:
        _log.warning("%s is left out: %s: %s", name, type(problem).__name__, problem)
        return {}
