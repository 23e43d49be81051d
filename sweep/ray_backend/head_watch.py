"""`watched`: notices that Ray's head (its GCS) is gone. Whoever asks a dead head for anything waits for a minute, and
then Ray ends the whole process without a word.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import ray

from sweep.resources import refuses

LOOK = 1.0
"""Seconds between two looks; two in a row that are refused count."""

LOST = "Ray's head was killed, nothing can run; what was finished is kept: run the same command again to go on"


@contextlib.contextmanager
def watched(abandon: Callable[[], None], warn: Callable[[str], None]) -> Iterator[None]:
    """For the block, this process ends with exit code 1 soon after Ray's head does, whatever waits for it.

    Args:
        abandon: called first; shows that what was running is not any more.
        warn: told in one line.
    """
    address, over = str(ray.get_runtime_context().gcs_address), threading.Event()

    def watch() -> None:
        refused = 0
        while not over.wait(LOOK):
            refused = refused + 1 if refuses(address) else 0
            if refused == 2 and not over.is_set():
                warn(LOST)
                with contextlib.suppress(Exception):  # whatever fails now, this process has to end
                    abandon()
                _end()

    threading.Thread(target=watch, daemon=True, name="collapse-sweep head watch").start()
    try:
        yield
    finally:
        over.set()


def _end() -> None:
    """End this process and what it has started of Ray, without the farewells that wait for the head."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
