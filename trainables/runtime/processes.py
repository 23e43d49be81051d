"""Whether a process that left its number somewhere is still there."""

from __future__ import annotations

import os
from functools import cache


@cache
def machine() -> str:
    """What two processes share exactly when a process number means the same to both; empty if unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def gone(on: str, pid: int) -> bool:
    """Whether it is known that the process of this number on that `machine` has ended."""
    import psutil

    if not on or on != machine():
        return False
    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return True
