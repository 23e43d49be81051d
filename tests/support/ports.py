"""Ports for servers of tests."""

from __future__ import annotations

import contextlib
import random
import socket

OURS = range(20_000, 32_000)
"""Above the ports that Ray gives its workers, below those that the system gives to whoever asks for any: a port found
here is still free when, seconds later, the server that it was found for takes it."""


def free_port() -> int:
    """A port that nobody listens on, another one each time."""
    for port in random.SystemRandom().sample(OURS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"a hundred ports of {OURS} are taken")
