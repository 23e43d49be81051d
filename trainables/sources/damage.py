"""What a file that is damaged or cut short raises when it is unpacked, whatever packed it."""

from __future__ import annotations

import lzma
import sys
import tarfile
import zipfile
import zlib

UNREADABLE = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""Of the file itself, and of gzip, bzip2 and xz."""

BROKEN_ARCHIVE = (
    *(*UNREADABLE, zipfile.BadZipFile, tarfile.TarError),
    *(NotImplementedError, RuntimeError, UnicodeDecodeError),
)
"""Of a zip or a tar: the last three where a version, a flag or a name in it is not what it was."""


def damage(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """`UNREADABLE`, Zstandard's error where that is in use, and more."""
    zstandard = sys.modules.get("zstandard")
    return (*UNREADABLE, *more) if zstandard is None else (*UNREADABLE, *more, zstandard.ZstdError)


def first_line(problem: Exception) -> str:
    """What an exception says first, or its name."""
    return str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
