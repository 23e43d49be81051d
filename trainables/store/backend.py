"""Where a store's files lie: a local folder (fast, durable, mapped into memory) or any fsspec URL.

A place knows nothing of artifacts. Paths are relative, with forward slashes. Failures are OSErrors, or
what the URL's own library raises (`Place.errors`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path

TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp$")
"""How the name of a file ends that is being written."""


class Place(ABC):
    """Files by relative path. A missing file raises FileNotFoundError unless said otherwise."""

    errors: tuple[type[Exception], ...] = (OSError,)
    poll_seconds: float
    """How often a waiting process may look."""

    def __init__(self, url: str) -> None:
        self.url = url

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The whole file."""

    @abstractmethod
    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        """Put the file there in one step, in place of what was there; `durable`: it survives a loss of power."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Put the file there if none is there, in one step; whether this call did. No two calls have equal content."""

    @abstractmethod
    def touch(self, path: str, beat: bytes) -> None:
        """Change the file's stamp."""

    @abstractmethod
    def stamp(self, path: str) -> Hashable:
        """Something that differs after every `touch`."""

    @abstractmethod
    def age(self, path: str, now: float) -> float:
        """Seconds since the file was written, by the place's own clock (`now`)."""

    @abstractmethod
    def now(self) -> float:
        """The time by the place's own clock."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is such a file."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Names of what lies in a folder, sorted; none where there is no such folder."""

    @abstractmethod
    def size(self, path: str) -> int:
        """Bytes of the file."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove the file; nothing happens where there is none."""

    @abstractmethod
    def move(self, path: str, to: str) -> None:
        """Move a file; nothing happens where there is none."""

    @abstractmethod
    def stage(self, path: str, write: Callable[[str], None], durable: bool = True) -> tuple[int, str]:
        """Put there the file that `write` writes to the local path it is handed.

        Not atomic: nobody may look at `path` before a manifest names it.

        Returns:
            Its size and SHA-256.
        """

    @abstractmethod
    def local(self, path: str, digest: str) -> str:
        """A local path from which the file, whose SHA-256 is known, can be mapped into memory."""

    def forget(self, digest: str) -> bool:
        """Drop a local copy that turned out to be damaged; whether there was one, so that a new one can be had."""
        return False

    def read_many(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        """The files' contents in order, None for those that are not there."""
        for path in paths:
            try:
                yield self.read(path)
            except FileNotFoundError:
                yield None


def open_place(url: str) -> Place:
    """The place that a path or URL names.

    Raises:
        StoreError: fsspec does not know the URL's protocol, or its library is not installed.
    """
    if "://" not in url:
        return LocalPlace(Path(url))
    if url.startswith(("file://", "local://")):
        return LocalPlace(Path(url.partition("://")[2]))
    from trainables.store.remote_backend import RemotePlace

    return RemotePlace(url)


class LocalPlace(Place):
    """A folder of this machine, or of a file server mounted on it."""

    poll_seconds = 0.05

    def __init__(self, root: Path) -> None:
        super().__init__(os.path.abspath(root.expanduser()))

    def _at(self, path: str) -> str:
        return f"{self.url}/{path}"

    def read(self, path: str) -> bytes:
        with open(self._at(path), "rb") as file:
            return file.read()

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        target = self._at(path)
        temporary = f"{target}.{secrets.token_hex(8)}.tmp"
        try:
            with open(self._descriptor(temporary), "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if durable:
            _sync(os.path.dirname(target))

    def create(self, path: str, data: bytes) -> bool:
        try:
            descriptor = self._descriptor(self._at(path))
        except FileExistsError:
            return False
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
        except BaseException:  # a full disk must not leave an empty one, which would be nobody's
            with contextlib.suppress(OSError):
                os.unlink(self._at(path))
            raise
        return True

    def _descriptor(self, path: str) -> int:
        """A new file, and its folder where that is missing."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            return os.open(path, flags, 0o666)

    def touch(self, path: str, beat: bytes) -> None:
        os.utime(self._at(path))

    def stamp(self, path: str) -> Hashable:
        # Opening makes a file server's client ask the server; a mere stat may be answered from its cache.
        with open(self._at(path), "rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns

    def age(self, path: str, now: float) -> float:
        return now - os.stat(self._at(path)).st_mtime

    def now(self) -> float:
        probe = self._at(f"clock.{secrets.token_hex(8)}.tmp")
        os.close(self._descriptor(probe))
        try:
            return os.stat(probe).st_mtime
        finally:
            os.unlink(probe)

    def exists(self, path: str) -> bool:
        return os.path.exists(self._at(path))

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self._at(folder)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def size(self, path: str) -> int:
        return os.stat(self._at(path)).st_size

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._at(path))

    def move(self, path: str, to: str) -> None:
        target = self._at(to)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._at(path), target)

    def stage(self, path: str, write: Callable[[str], None], durable: bool = True) -> tuple[int, str]:
        target = self._at(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        try:
            write(target)
            _share(target)
            return checksum(target, sync=durable)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise

    def local(self, path: str, digest: str) -> str:
        return self._at(path)


def _share(path: str) -> None:
    """Let those read a file whom the umask lets; some libraries write for the owner alone."""
    if os.stat(path).st_mode & 0o077:
        return
    probe = f"{path}.{secrets.token_hex(8)}.tmp"
    descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        os.chmod(path, os.fstat(descriptor).st_mode & 0o777)
    finally:
        os.close(descriptor)
        os.unlink(probe)


def checksum(path: str, sync: bool = False) -> tuple[int, str]:
    """Size and SHA-256 of a local file; with `sync`, what was written of it survives a loss of power."""
    with open(path, "rb") as file:
        if sync:
            os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def _sync(folder: str) -> None:
    """Make a rename in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
