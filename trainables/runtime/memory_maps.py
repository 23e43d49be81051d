"""Files mapped into memory to be read, and how much of them stays there.

Rows drawn at random from a pool touch all of it before long. The pages are the kernel's and can be had again from
its cache, or from the disk, so a process that reads many gives them back now and then.
"""

from __future__ import annotations

import mmap
import weakref

RESIDENT = 2**26
"""Bytes that may be touched of mapped files before their pages are given back."""

AROUND = 2**21
"""Bytes that a kernel may map around one that is touched: 64 kB (`fault_around_bytes`), or the large folio it is in."""

_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_touched = 0


def open_map(path: str) -> mmap.mmap:
    """A file of at least one byte, mapped to be read."""
    with open(path, "rb") as file:
        held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    _maps.add(held)
    return held


def touched(rows: int, size: int) -> None:
    """Say that `rows` scattered rows of `size` bytes were read from mapped files."""
    global _touched
    _touched += rows * (size + AROUND)
    if _touched > RESIDENT:
        _touched = 0
        if sum(map(len, list(_maps))) > RESIDENT:
            give_back()


def give_back() -> None:
    """Give back every page of the files mapped here. What is read again is the same."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for held in list(_maps):
            held.madvise(mmap.MADV_DONTNEED)
