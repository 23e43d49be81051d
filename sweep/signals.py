"""How a command is ended from outside: at once, but a run by its first signal between two events."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sweep.errors import Interrupted

Handler = Callable[[int, FrameType | None], Any] | int | None


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM is Ctrl-C: a `KeyboardInterrupt`, so that what is open is closed and the user is told."""
    with _handling((signal.SIGTERM,), signal.default_int_handler):
        yield


@contextmanager
def unchanged() -> Iterator[None]:
    """SIGTERM's handler stays what it is, whatever the block sets."""
    with _handling((signal.SIGTERM,), signal.getsignal(signal.SIGTERM) or signal.SIG_DFL):
        yield


@contextmanager
def heeded(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM sets `stop`, a second one raises `Interrupted`.

    While Ray and MLflow are loaded side by side an exception would leave import locks behind, and a process that waits
    for them for ever.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise Interrupted
        stop.set()

    with _handling((signal.SIGINT, signal.SIGTERM), handle):
        yield


@contextmanager
def _handling(numbers: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in held.items():
            signal.signal(number, former)
