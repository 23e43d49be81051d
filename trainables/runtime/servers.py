"""Whether data on servers may be asked for: what runs nothing calls nobody, unless it is told to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = re.compile(r"(file|local|memory)://")
_ALLOWED = [True]


class NotAsked(ValueError):
    """The data lies on a server, and the command calls none."""


@contextmanager
def unasked(online: bool = False) -> Iterator[None]:
    """For the block, data on servers raises `NotAsked`, in every thread of this process; with `online` nothing does."""
    before = _ALLOWED[0]
    _ALLOWED[0] = online
    try:
        yield
    finally:
        _ALLOWED[0] = before


def check_place(field: str, place: str) -> None:
    """Refuse a path on a server where none may be asked.

    Args:
        field: of the config, as `source.path`.
        place: a local path, or any fsspec URL.

    Raises:
        NotAsked: it is on a server.
    """
    if "://" in place and not _HERE.match(place):
        _refuse(field, place)


def check_dataset(field: str, name: str) -> None:
    """Refuse a dataset of the hub where no server may be asked; a local folder, or a hub set offline, is none.

    Raises:
        NotAsked: it is on the hub.
    """
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    if not Path(name).is_dir() and not offline:
        _refuse(field, name)


def _refuse(field: str, place: str) -> None:
    if not _ALLOWED[0]:
        raise NotAsked(f"{field}: {place!r} is on a server, which this command asks only with --online")
