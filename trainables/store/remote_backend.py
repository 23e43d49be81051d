"""A place at an fsspec URL (s3://, gs://, memory://, …), and the local folder that holds what was read from it.

An object store shows a file in one step, when its single PUT is complete, so no renames are needed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trainables.store.backend import Place, checksum
from trainables.store.base import StoreError

CACHE_VARIABLE = "COLLAPSE_SWEEP_CACHE"
CACHE_BYTES_VARIABLE = "COLLAPSE_SWEEP_CACHE_BYTES"
CACHE_BYTES = 20 * 10**9
CHUNK = 500
"""Files asked for at once."""


class RemotePlace(Place):
    """A folder of an object store.

    Raises:
        StoreError: fsspec does not know the protocol, or the library that speaks it is not installed.
    """

    poll_seconds = 0.5

    def __init__(self, url: str) -> None:
        super().__init__(url.rstrip("/"))
        import fsspec

        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except (ValueError, ImportError, OSError) as error:  # some protocols connect at once
            raise StoreError(f"store {url}: {error}") from error
        self.errors = (OSError, *_library_errors())
        self._cache = Cache()

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def read(self, path: str) -> bytes:
        data: bytes = self._fs.cat_file(self._at(path))
        return data

    def read_many(self, paths: Sequence[str]) -> Iterator[bytes | None]:
        for start in range(0, len(paths), CHUNK):
            some = [self._at(path) for path in paths[start : start + CHUNK]]
            found: dict[str, Any] = self._fs.cat(some, on_error="return") if some else {}
            for path in some:
                data = found.get(path, found.get(path.lstrip("/")))
                if data is not None and not isinstance(data, (bytes, FileNotFoundError)):
                    raise data
                yield data if isinstance(data, bytes) else None

    def write(self, path: str, data: bytes, durable: bool = True) -> None:
        self._fs.pipe_file(self._at(path), data)

    def create(self, path: str, data: bytes) -> bool:
        try:
            self._fs.pipe_file(self._at(path), data, mode="create")
        except self.errors as error:
            # It exists; or two were created at the very same moment, which some stores refuse as a "conflict"; or the
            # answer to our own creation was lost, and asking once more found it there.
            try:
                return self.read(path) == data
            except FileNotFoundError:
                if isinstance(error, FileExistsError):
                    return False  # and has gone again
                raise error from None
        return True

    def touch(self, path: str, beat: bytes) -> None:
        self.write(path, beat)

    def stamp(self, path: str) -> Hashable:
        return self.read(path)

    def age(self, path: str, now: float) -> float:
        modified: float = self._fs.modified(self._at(path)).timestamp()
        return now - modified

    def now(self) -> float:
        probe = f"clock.{secrets.token_hex(8)}.tmp"
        self.write(probe, b"")
        try:
            return -self.age(probe, 0.0)
        finally:
            self.remove(probe)

    def exists(self, path: str) -> bool:
        found: bool = self._fs.exists(self._at(path))
        return found

    def names(self, folder: str) -> list[str]:
        base = self._at(folder).rstrip("/")
        try:
            found = self._fs.ls(base, detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted({path.rstrip("/").rsplit("/", 1)[-1] for path in found} - {""})

    def size(self, path: str) -> int:
        return int(self._fs.size(self._at(path)))

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._at(path))

    def move(self, path: str, to: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.mv(self._at(path), self._at(to))

    def stage(self, path: str, write: Callable[[str], None], durable: bool = True) -> tuple[int, str]:
        with self._cache.entering() as local:
            write(local)
            size, digest = checksum(local)
            self._fs.put_file(local, self._at(path))
            self._cache.keep(local, digest)
        return size, digest

    def local(self, path: str, digest: str) -> str:
        held = self._cache.path(digest)
        if not held.exists():
            with self._cache.entering() as local:
                self._fs.get_file(self._at(path), local)
                self._cache.keep(local, digest)
        return str(held)

    def forget(self, digest: str) -> bool:
        try:
            self._cache.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True


class Cache:
    """Files by their content's digest, in a folder of this machine; the oldest go when it grows too large.

    A file that is removed while it is mapped into some process's memory stays readable there.
    """

    def __init__(self) -> None:
        self.folder = Path(os.environ.get(CACHE_VARIABLE) or _home() / "collapse-sweep")
        self.limit = int(os.environ.get(CACHE_BYTES_VARIABLE) or CACHE_BYTES)

    def path(self, digest: str) -> Path:
        """Where the file of this digest is, if it is here."""
        return self.folder / digest[:2] / digest

    @contextlib.contextmanager
    def entering(self) -> Iterator[str]:
        """A path for a file on its way in; removed at the end if it was not kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{secrets.token_hex(8)}.tmp"
        try:
            yield str(path)
        finally:
            path.unlink(missing_ok=True)

    def keep(self, local: str, digest: str) -> None:
        """Move a file in under its digest."""
        target = self.path(digest)
        target.parent.mkdir(exist_ok=True)
        os.replace(local, target)
        self._shrink(target)

    def _shrink(self, newest: Path) -> None:
        held = [(stat.st_mtime, stat.st_size, path) for path, stat in self._files() if path != newest]
        spare = self.limit - newest.stat().st_size - sum(size for _, size, _ in held)
        for _, size, path in sorted(held):
            if spare >= 0:
                return
            path.unlink(missing_ok=True)
            spare += size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                yield path, path.stat()


def _library_errors() -> list[type[Exception]]:
    """What the libraries behind a URL raise besides OSError, of those that are loaded."""
    names = {"botocore.exceptions": "BotoCoreError", "aiohttp": "ClientError", "gcsfs.retry": "HttpError"}
    found = [getattr(sys.modules.get(module), name, None) for module, name in names.items()]
    return [error for error in found if error is not None]


def _home() -> Path:
    """The user's caches; where there is no home that can be written, as in many containers, the temporary folder."""
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        home.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return Path(tempfile.gettempdir())
    return home if os.access(home, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
