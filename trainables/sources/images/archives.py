"""Folders, zips and tars of pictures, behind one door: names, bytes, and cells that decoding understands."""

from __future__ import annotations

import os
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from trainables.sources.damage import BROKEN_ARCHIVE
from trainables.sources.images.layout import is_leftover, is_picture

LARGEST = 256 * 2**20
"""Bytes of one packed picture at most, unpacked: a small zip may claim to hold any number."""


class Shelf(ABC):
    """Files by relative name, with `/` between folders; leftovers of desktops are not among them.

    Attributes:
        sizes: bytes of each, in the order in which they are read fastest.
    """

    sizes: dict[str, int]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A file's bytes; none where it is damaged, encrypted, a link, or larger than `LARGEST`."""

    def cell(self, name: str) -> dict[str, Any]:
        """A picture as a table holds one."""
        return {"bytes": self.read(name), "path": name}


class Files(Shelf):
    """Files of a folder, local or at a URL."""

    def __init__(self, path: str) -> None:
        self.places = files_of(path)
        self.sizes = dict.fromkeys(sorted(self.places), 0)

    def read(self, name: str) -> bytes:
        import fsspec

        with fsspec.open(self.places[name], "rb") as file:
            data: bytes = file.read(LARGEST)
        return data

    def cell(self, name: str) -> dict[str, Any]:
        return {"bytes": None, "path": self.places[name]}


class Zip(Shelf):
    """Members of a zip."""

    def __init__(self, file: Any) -> None:
        self.archive = zipfile.ZipFile(file)
        members = [m for m in self.archive.infolist() if not m.is_dir() and not is_leftover(m.filename)]
        self.sizes = {m.filename: m.file_size for m in sorted(members, key=lambda member: member.filename)}

    def read(self, name: str) -> bytes:
        try:
            return self.archive.read(name) if self.sizes[name] <= LARGEST else b""
        except BROKEN_ARCHIVE:
            return b""


class Tar(Shelf):
    """Members of a tar, packed or not, in its own order: a packed one can't be read from behind."""

    def __init__(self, file: Any) -> None:
        self.archive = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115 - its file is closed by who opened it
        members = [m for m in self.archive.getmembers() if not m.isdir() and not is_leftover(m.name)]
        self.members = {m.name: m for m in members}
        self.sizes = {name: member.size for name, member in self.members.items()}

    def read(self, name: str) -> bytes:
        try:
            regular = self.members[name].isreg() and self.sizes[name] <= LARGEST
            file = self.archive.extractfile(self.members[name]) if regular else None
            return file.read() if file is not None else b""
        except (*BROKEN_ARCHIVE, KeyError):
            return b""


class Shards(Shelf):
    """Members of several tars of a folder, one tar after the other, as WebDataset writes them.

    Attributes:
        shards: names of the tars, in order.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self.shards, self._places = sorted(places), places
        self._inner: dict[str, tuple[str, str]] = {}
        self._open: tuple[str, Tar, ExitStack] | None = None
        self.sizes = {}
        for shard in self.shards:
            for name, size in self._tar(shard).sizes.items():
                whole = f"{shard}/{name}"
                self.sizes[whole], self._inner[whole] = size, (shard, name)

    def read(self, name: str) -> bytes:
        shard, inner = self._inner[name]
        return self._tar(shard).read(inner)

    def inner(self, name: str) -> str:
        """A member's name in its tar."""
        return self._inner[name][1]

    def shard(self, name: str) -> str:
        """The tar that a member is in."""
        return self._inner[name][0]

    def close(self) -> None:
        """Close the tar that is open."""
        if self._open is not None:
            self._open[2].close()
            self._open = None

    def _tar(self, shard: str) -> Tar:
        """One tar at a time is open: there may be more than a process may open."""
        import fsspec

        if self._open is None or self._open[0] != shard:
            self.close()
            stack = ExitStack()
            self._open = shard, Tar(stack.enter_context(fsspec.open(self._places[shard], "rb"))), stack
        return self._open[1]


def is_zip(path: str) -> bool:
    """Whether a path ends as a zip's does."""
    return path.lower().endswith(".zip")


def is_tar(path: str) -> bool:
    """Whether a path ends as a tar's does."""
    return path.lower().endswith((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"))


@contextmanager
def opened(path: str) -> Iterator[Shelf]:
    """The shelf at a path.

    Raises:
        OSError, zipfile.BadZipFile, tarfile.TarError: it can't be read.
    """
    import fsspec

    if not is_zip(path) and not is_tar(path):
        places = files_of(path)
        tars = {name: place for name, place in places.items() if is_tar(name)}
        if not tars or any(map(is_picture, places)):
            yield Files(path)
            return
        with closing(Shards(tars)) as shelf:
            yield shelf
        return
    with fsspec.open(path, "rb") as file:
        yield Zip(file) if is_zip(path) else Tar(file)


def files_of(path: str) -> dict[str, str]:
    """Places of a folder's files by relative name, through links to folders too, each folder once; no leftovers."""
    import fsspec

    if "://" in path:
        system, root = fsspec.url_to_fs(path)
        found = {place.removeprefix(root).strip("/"): system.unstrip_protocol(place) for place in system.find(root)}
    else:
        found = {file.relative_to(path).as_posix(): str(file) for file in _walk(Path(path), set())}
    return {name: place for name, place in found.items() if not is_leftover(name)}


def _walk(folder: Path, above: set[str]) -> Iterator[Path]:
    """Files below a folder. A link to a folder that is above it ends there."""
    here = os.path.realpath(folder)
    if here in above:
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            yield from _walk(entry, above | {here})
        elif entry.is_file():
            yield entry
