"""`FsspecStore`: artifacts as files in a local folder or at any fsspec URL.

<root>/format.json                          version of this layout
<root>/<kind>/<key[:2]>/<key>.json          manifest, written last; holds meta and small contents
<root>/<kind>/<key[:2]>/<key>.<attempt>.*   larger contents, named by the manifest
<root>/leases/                              who computes what now
<root>/quarantine/<kind>/<key>.<token>/     what was found damaged
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from trainables.lineage import make_key
from trainables.runtime import current_provenance
from trainables.store import manifest, payload_io
from trainables.store.backend import TEMPORARY, open_place
from trainables.store.base import Artifact, Holder, Payload, Store, StoreError
from trainables.store.leases import FOLDER as LEASES
from trainables.store.leases import Leases
from trainables.store.manifest import FORMAT, Damaged, Manifest
from trainables.store.memory import settled

QUARANTINE = "quarantine"
PROVENANCE = "provenance"
FORMAT_FILE = "format.json"

CHEAP = 0.25
"""Seconds: what took no longer is not forced onto the disk, for computing it again after a loss of power costs less
than waiting for the disk each time. What such a loss leaves unfinished fails its checksum."""

_MARKED = json.dumps({"format": FORMAT, "what": "collapse-sweep store"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]+")
_log = logging.getLogger(__name__)


class FsspecStore(Store):
    """A store on a disk, a file server or an object store. Safe to use from many processes at once.

    Args:
        url: a path or an fsspec URL. Nothing is written before the first artifact.
        wait: whether `once` sleeps while another process computes the key, or raises `Busy`.

    Raises:
        StoreError: the place can't be read, is no store, or is of another format version.
    """

    def __init__(self, url: str, wait: bool = True) -> None:
        self.place = open_place(url)
        self.url = self.place.url
        self._wait = wait
        self._leases = Leases(self.place, wait)
        self._run = ""
        with self.reachable():
            self._marked = self._check_format()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url, self._wait)

    @property
    def begun(self) -> bool:
        """Whether somebody has begun to write here."""
        return self._marked

    def begin(self) -> None:
        """Say of which format this store is, as the first artifact would; nothing where that was said."""
        with self.reachable():
            self._mark()

    def get(self, kind: str, key: str) -> Payload | None:
        with self.reachable():
            data = self._read(kind, key)
            while data is not None:
                try:
                    return payload_io.read(manifest.decode(data, kind, key), self.place)
                except (Damaged, FileNotFoundError) as problem:
                    # Between two reads another process may have replaced or removed the artifact: look again.
                    earlier, data = data, self._read(kind, key)
                    if data == earlier:
                        self._quarantine(kind, key, data, str(problem))
                        return None
        return None

    def put(
        self,
        kind: str,
        key: str,
        payload: Payload,
        parents: Mapping[str, str] | None = None,
        *,
        durable: bool = True,
    ) -> None:
        """As every store's; what is not `durable` may be found damaged after a loss of power."""
        _path(kind, key)
        with self.reachable():
            self._mark()
            self._commit(kind, key, settled(payload), parents or {}, self._provenance(), durable)

    def has(self, kind: str, key: str) -> bool:
        with self.reachable():
            return self.place.exists(_path(kind, key))

    def delete(self, kind: str, key: str) -> None:
        with self.reachable():
            data = self._read(kind, key)
            if data is None:
                return
            self.place.remove(_path(kind, key))
            with contextlib.suppress(Damaged):
                payload_io.remove(manifest.decode(data, kind, key), self.place)

    def describe(self, kind: str, key: str) -> Artifact | None:
        with self.reachable():
            data = self._read(kind, key)
        return None if data is None else _describe(data, kind, key)

    def kinds(self) -> list[str]:
        with self.reachable():
            return [name for name in self.place.names("") if "." not in name and name not in (LEASES, QUARANTINE)]

    def keys(self, kind: str, prefix: str = "") -> Iterator[str]:
        with self.reachable():
            for shard in self.place.names(kind):
                if shard.startswith(prefix[:2]):
                    names = self.place.names(f"{kind}/{shard}")
                    keys = [name.removesuffix(".json") for name in names if name.endswith(".json")]
                    yield from (key for key in keys if key.startswith(prefix))

    def walk(self, kind: str, keys: Iterable[str] | None = None) -> Iterator[Artifact]:
        wanted = sorted(self.keys(kind) if keys is None else keys)
        with self.reachable():
            for key, data in zip(wanted, self.place.read_many([_path(kind, key) for key in wanted]), strict=True):
                found = None if data is None else _describe(data, kind, key)
                if found is not None:
                    yield found

    def claimed(self, kind: str) -> set[str]:
        with self.reachable():
            return self._leases.claimed(kind)

    def busy(self, kind: str, key: str) -> Holder | None:
        with self.reachable():
            return self._leases.holder(kind, key)

    def free(self, kind: str, key: str) -> bool:
        with self.reachable():
            return self._leases.free(kind, key)

    def once(
        self, kind: str, key: str, compute: Callable[[], Payload], parents: Mapping[str, str] | None = None
    ) -> Payload:
        while (found := self.get(kind, key)) is None:
            with contextlib.ExitStack() as stack:
                with self.reachable():  # but not around `compute`, whose errors are its own
                    self._mark()
                    mine = stack.enter_context(self._leases.claim(kind, key, lambda: self.has(kind, key)))
                if mine and (found := self.get(kind, key)) is None:
                    started = time.monotonic()
                    made = compute()
                    self.put(kind, key, made, parents, durable=time.monotonic() - started > CHEAP)
                    return self.get(kind, key) or settled(made)
        return found

    def _read(self, kind: str, key: str) -> bytes | None:
        try:
            return self.place.read(_path(kind, key))
        except FileNotFoundError:
            return None

    def _commit(
        self, kind: str, key: str, payload: Payload, parents: Mapping[str, str], run: str, durable: bool = True
    ) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        made = {"run": run, "host": socket.gethostname(), "pid": os.getpid(), "at": at}
        bare = Manifest(kind, key, secrets.token_hex(4), payload.meta, dict(parents), made)
        held = payload_io.write(payload, bare, self.place, durable)
        try:
            self.place.write(_path(kind, key), held.encode(), durable)
        except BaseException:
            payload_io.remove(held, self.place)
            raise

    def _provenance(self) -> str:
        """Key of the artifact that says with what this process computes; written once."""
        if not self._run:
            found = current_provenance()
            key = make_key(PROVENANCE, **found)
            if not self.place.exists(_path(PROVENANCE, key)):
                self._commit(PROVENANCE, key, Payload(found), {}, key)
            self._run = key
        return self._run

    def _quarantine(self, kind: str, key: str, data: bytes, problem: str) -> None:
        """Set a damaged artifact aside: its manifest first, so that nobody else meets it."""
        paths = [_path(kind, key)]
        with contextlib.suppress(Damaged):
            paths += manifest.decode(data, kind, key).files()
        target = f"{QUARANTINE}/{kind}/{key}.{secrets.token_hex(4)}"
        try:
            for path in paths:
                self.place.move(path, f"{target}/{path.rsplit('/', 1)[-1]}")
        except self.place.errors as error:
            target = f"nowhere, {error}"
        _log.warning("%s/%s is damaged and counts as absent: %s (moved to %s)", kind, key, problem, target)

    def _mark(self) -> None:
        """Say of which format this store is, before anything else is written to it."""
        if not self._marked:
            self._marked = self._check_format()
            if not self._marked:
                self.place.write(FORMAT_FILE, _MARKED.encode())
                self._marked = True

    def _check_format(self) -> bool:
        """Whether the place is a store of this format; False where there is nothing yet."""
        try:
            # Another process may be making the store just now: what lies in it is listed before the format is read.
            foreign = [name for name in self.place.names("") if not TEMPORARY.search(name)]
            found = json.loads(self.place.read(FORMAT_FILE))["format"]
        except FileNotFoundError:
            if foreign:
                raise StoreError(f"store {self.url}: {_unmarked(self.url, foreign)}") from None
            return False
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"store {self.url}: {FORMAT_FILE} is damaged ({error}); restore it: {_restoring(self.url)}"
            ) from error
        if found != FORMAT:
            newer = isinstance(found, int) and found > FORMAT
            advice = "upgrade collapse-sweep" if newer else "use the version that wrote it, or a new workspace"
            raise StoreError(f"store {self.url}: is of format {found}, this version reads format {FORMAT}; {advice}")
        return True

    @contextlib.contextmanager
    def reachable(self) -> Iterator[None]:
        """Turn what the place raises within the block into a `StoreError` of one line."""
        try:
            yield
        except self.place.errors as error:
            raise StoreError(f"store {self.url}: {_reason(error, self.url)}") from error


def _unmarked(url: str, names: list[str]) -> str:
    """What to do about a place that holds something and is not marked as a store."""
    if "record" in names:
        return f"{FORMAT_FILE} is lost; if nothing else wrote there, restore it: {_restoring(url)}"
    return f"holds {names[0]!r} but no {FORMAT_FILE}, so it is no store; name an empty or a new folder"


def _restoring(url: str) -> str:
    """The line that writes the mark."""
    place = f"{url}/{FORMAT_FILE}"
    if "://" in url:
        return f"write {_MARKED} to {place}"
    return f"echo {shlex.quote(_MARKED)} > {shlex.quote(place)}"


def _path(kind: str, key: str) -> str:
    """Path of a manifest.

    Raises:
        ValueError: kind or key can't be part of a path.
    """
    if not (_NAME.fullmatch(kind) and _NAME.fullmatch(key)) or kind in (LEASES, QUARANTINE):
        raise ValueError(f"{kind}/{key}: a kind and a key are letters, digits, '-' and '_'")
    return manifest.path(kind, key)


def _describe(data: bytes, kind: str, key: str) -> Artifact | None:
    try:
        return manifest.decode(data, kind, key).artifact(len(data))
    except Damaged:
        return None


def _reason(error: Exception, root: str) -> str:
    """What went wrong and what would help, in one line."""
    number = getattr(error, "errno", None)
    said = " ".join(str(error).split()) or type(error).__name__
    if number in (errno.ENOSPC, errno.EDQUOT):
        free = f" ({shutil.disk_usage(root).free / 1e6:.0f} MB free)" if os.path.isdir(root) else ""
        return f"the disk is full{free}; make room, for instance with `collapse-sweep gc`, and run again: {said}"
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"no permission to write or read there: {said}"
    return f"can't be used: {said}"
