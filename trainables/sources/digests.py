"""Digests of files by content, wherever they lie."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from trainables.runtime import check_place

BLOCK = 1 << 20


def content_digest(path: str) -> str:
    """32 hex digits that name the bytes of a file at a local path or any fsspec URL; equal copies are equal.

    A file is read once per process, and again when the file system says that it changed.

    Raises:
        ValueError: there is no such file, or it can't be read.
    """
    import fsspec

    check_place("source.path", path)
    filesystem, place = fsspec.url_to_fs(path)
    try:
        if not filesystem.isfile(place):
            raise ValueError(f"source.path: no such file: {path!r}")
        return _digest(path, str(filesystem.checksum(place)))
    except OSError as problem:
        raise ValueError(f"source.path: {path!r} can't be read ({problem.strerror or problem})") from problem


@lru_cache(maxsize=64)
def _digest(path: str, mark: str) -> str:
    import fsspec

    total = hashlib.sha256()
    with fsspec.open(path, "rb") as file:
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()[:32]
