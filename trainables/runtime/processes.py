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
    """Whether it is known that the process of this number on that `machine` has ended; another user's may be hidden
    (`hidepid` of /proc), and is there all the same."""
    import psutil

    if not on or on != machine():
        return False
    try:
        return bool(psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.AccessDenied:
        return False
    except psutil.NoSuchProcess:
        return not _answers(pid)


def _answers(pid: int) -> bool:
    """Whether the system knows a process of this number, seen or not."""
    try:
        os.kill(pid, 0)  # sends nothing
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
