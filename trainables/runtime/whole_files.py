"""Small files written whole or not at all: into a new file beside them, which then takes their place."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_whole(path: Path, content: str | bytes, durable: bool = False) -> None:
    """Put a file there in one step. A link of that name is replaced, never followed; a full disk leaves the old file.

    Args:
        path: the file; its folder is made where it is missing.
        content: text is written as UTF-8.
        durable: it survives a loss of power.

    Raises:
        OSError: it can't be written; nothing is left half there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
