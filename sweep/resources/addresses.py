"""Whether the head of a Ray cluster can be reached, asked without Ray, which tries for many minutes."""

from __future__ import annotations

import socket

from sweep.errors import UsageError

ANSWER = 5.0
"""Seconds that the head of a cluster has to take a connection."""


def check_address(address: str | None) -> None:
    """Reach a cluster's head once: Ray itself tries for many minutes, and can't be ended meanwhile.

    Raises:
        UsageError: nothing listens at the address, or it is none.
    """
    if address is None or address in ("auto", "local") or "://" in address:
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"--address {address}: is no HOST:PORT, as in 10.0.0.1:6379; `auto` takes the one that runs here"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(
            f"--address {address}: no Ray cluster answers there ({reason}); `ray start --head` prints a head's address"
        ) from None


def refuses(address: str) -> bool:
    """Whether nothing listens at an address any more; a network that is slow proves nothing."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
