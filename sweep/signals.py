"""How a run is ended from outside: the first signal between two events, a second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sweep.errors import Interrupted


@contextmanager
def heeded(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM sets `stop`, a second one raises `Interrupted`.

    To be entered after Ray has started, which sets handlers of its own.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise Interrupted
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
