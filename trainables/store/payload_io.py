"""What a payload holds, written to and read from the files that a manifest names."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from trainables.store import arrow_io as tables
from trainables.store import safetensors_io as tensors
from trainables.store.backend import Place, checksum
from trainables.store.base import Payload
from trainables.store.manifest import Damaged, Manifest, PayloadPart

INLINE = 32 * 1024
"""Contents up to this size (bytes) lie in the manifest: one file, one disk write, one request."""

_checked: dict[str, tuple[int, int]] = {}
"""Local files whose checksum this process has verified -> their size and time of change then."""


def write(payload: Payload, bare: Manifest, place: Place, durable: bool) -> Manifest:
    """Write what is too large for the manifest, and return the manifest that names it. Writes all or nothing."""
    held = bare
    try:
        for part, save in _parts(payload):
            held = replace(held, parts=(*held.parts, part))
            if part.inline is None:
                path = held.file(len(held.parts) - 1)
                size, digest = place.stage(path, save, durable)
                held = replace(held, parts=(*held.parts[:-1], replace(part, size=size, sha256=digest)))
                _mark(place.local(path, digest))
    except BaseException:
        remove(held, place)
        raise
    return held


def remove(held: Manifest, place: Place) -> None:
    """Remove the files a manifest names, as far as that is possible."""
    for path in held.files():
        with contextlib.suppress(*place.errors):
            place.remove(path)


def read(held: Manifest, place: Place) -> Payload:
    """The payload; what lies in files is mapped into memory.

    Raises:
        Damaged: a file is not what was written.
        FileNotFoundError: a file is not there.
    """
    found: dict[str, Any] = {"meta": held.meta}
    for number, part in enumerate(held.parts):
        if part.inline is not None:
            inline = base64.b64decode(part.inline)
            value: Any = inline if part.role == "file" else tensors.parse(bytearray(inline), part.order)
        else:
            value = _open(part, _verified(held.file(number), part, place))
        if part.role == "file":
            found.setdefault("files", {})[part.name] = value
        else:
            found[part.role] = value
    return Payload(**found)


def _open(part: PayloadPart, local: str) -> Any:
    if part.role == "tensors":
        return tensors.load(local, part.order)
    if part.role == "table":
        return tables.load(local)
    with open(local, "rb") as file:
        return file.read()


def _parts(payload: Payload) -> Iterator[tuple[PayloadPart, Callable[[str], None]]]:
    """Each content as a part, and what writes it to a local path (not called for an inline part)."""
    if payload.tensors:
        order = tuple(payload.tensors)
        size = sum(value.nbytes for value in payload.tensors.values())
        inline = tensors.dump(payload.tensors) if size <= INLINE else None
        yield _part(PayloadPart("tensors", size, order=order), inline), lambda path: tensors.save(payload.tensors, path)
    if payload.table is not None:
        table = payload.table
        yield PayloadPart("table", 0), lambda path: tables.save(table, path)
    for name, data in payload.files.items():
        small = data if len(data) <= INLINE else None
        yield _part(PayloadPart("file", len(data), name), small), _saver(data)


def _part(part: PayloadPart, inline: bytes | None) -> PayloadPart:
    return part if inline is None else replace(part, inline=base64.b64encode(inline).decode())


def _saver(data: bytes) -> Callable[[str], None]:
    def save(path: str) -> None:
        with open(path, "xb") as file:
            file.write(data)

    return save


def _verified(path: str, part: PayloadPart, place: Place) -> str:
    """Local path of a file whose checksum holds: verified once per process, and again when it changes."""
    local = place.local(path, part.sha256)
    if _checked.get(local) == _state(local):
        return local
    size, digest = checksum(local)
    if digest != part.sha256 and place.forget(part.sha256):
        local = place.local(path, part.sha256)
        size, digest = checksum(local)
    if (size, digest) != (part.size, part.sha256):
        place.forget(part.sha256)
        raise Damaged(f"{path} holds {size} of {part.size} bytes, or not those that were written")
    _mark(local)
    return local


def forget_checks() -> None:
    """Verify every file again when it is next read, as a new process does."""
    _checked.clear()


def _mark(local: str) -> None:
    _checked[local] = _state(local)


def _state(local: str) -> tuple[int, int]:
    stat = os.stat(local)
    return stat.st_size, stat.st_mtime_ns
