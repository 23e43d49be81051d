"""What keeps Ray to itself: the address that it listens on, the token that it asks for, what it writes into its logs.

Ray executes whatever its clients send. By default its control service, scheduler and workers listen on every
interface, guarded by a token which Ray keeps in a file that everybody on the machine may read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from sweep.ray_backend.internals import loopback_only

SWITCH = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Ray's own name of the setting. Off, every process of a Ray takes the loopback address for its own."""

TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""Where a user may keep the token instead of Ray's default file."""


@contextlib.contextmanager
def confined() -> Iterator[None]:
    """A Ray that is started within the block listens on the loopback interface alone and asks for its token."""
    held = os.environ.get(SWITCH)
    guard_token()
    os.environ[SWITCH] = "0"
    try:
        with loopback_only():
            yield
    finally:
        if held is None:
            del os.environ[SWITCH]
        else:
            os.environ[SWITCH] = held


def send_token() -> None:
    """Let a client of this process send Ray's token where there is one, unless the user has said otherwise.

    Ray's own client of jobs sends it only where it is told to; a head that asks for none takes no notice of it. To be
    called before Ray is imported.
    """
    if any(os.environ.get(name) for name in TOKENS) or (Path.home() / ".ray" / "auth_token").is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def guard_token() -> None:
    """Make Ray's token file, or take other people's right to read it. A read-only home keeps the file it has."""
    if any(os.environ.get(name) for name in TOKENS):
        return
    path = Path.home() / ".ray" / "auth_token"
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            _make(path)
        path.chmod(0o600)


def _make(path: Path) -> None:
    """The first token of this user, whole from its first moment on: another process may read it in the next."""
    own = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(own, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(own, path)  # where another process was quicker, its token counts
    finally:
        os.unlink(own)
