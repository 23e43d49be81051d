"""A manifest: the one file whose presence makes an artifact exist, and the names of the files it vouches for.

`{"sha256": <digest of the body's bytes>, "body": {…}}`. Small contents lie in the manifest itself, so that a
small artifact is one file. Names of other files are derived from key, attempt and number, never read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from trainables.config import canonical_json
from trainables.errors import CollapseSweepError
from trainables.store.base import Artifact

FORMAT = 1
"""Version of the store's layout."""

HEAD = b'{"sha256":"'
MIDDLE = b'","body":'
ATTEMPT = re.compile(r"[0-9a-f]{8}")
PARENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]+/[A-Za-z0-9][A-Za-z0-9_-]+")
Role = Literal["tensors", "table", "file"]
SUFFIX: dict[str, str] = {"tensors": "safetensors", "table": "arrow", "file": "bin"}


class Damaged(CollapseSweepError):
    """An artifact is not what was committed; the message says how."""


@dataclass(frozen=True)
class PayloadPart:
    """One content of an artifact.

    Attributes:
        role: what it is.
        name: of a file in its payload; empty otherwise.
        size: in bytes.
        sha256: of its bytes; empty where it lies in the manifest, whose digest covers it.
        inline: its bytes in base64, or None where it is a file of its own.
        order: names of the tensors, as they were put.
    """

    role: Role
    size: int
    name: str = ""
    sha256: str = ""
    inline: str | None = None
    order: tuple[str, ...] = ()


DEFAULTS = {"name": "", "sha256": "", "inline": None, "order": ()}
"""Fields of a part that are left out where they say nothing."""


@dataclass(frozen=True)
class Manifest:
    """All there is to know of an artifact but its larger contents."""

    kind: str
    key: str
    attempt: str
    meta: Mapping[str, Any]
    parents: Mapping[str, str]
    made: Mapping[str, Any]
    parts: tuple[PayloadPart, ...] = ()
    format: int = field(default=FORMAT)

    def encode(self) -> bytes:
        """The manifest's bytes.

        Raises:
            ValueError: `meta` is not finite, plain JSON.
        """
        fields = {name: value for name, value in vars(self).items() if name != "parts"}
        parts = [
            {name: value for name, value in vars(part).items() if value != DEFAULTS.get(name)} for part in self.parts
        ]
        try:
            body = canonical_json(fields | {"parts": parts}).encode()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"meta: an artifact's meta must be plain JSON with finite numbers: {self.kind}: {error}"
            ) from error
        return HEAD + hashlib.sha256(body).hexdigest().encode() + MIDDLE + body + b"}\n"

    def file(self, number: int) -> str:
        """Path of the part's own file."""
        return f"{folder(self.kind, self.key)}/{self.key}.{self.attempt}.{number}.{SUFFIX[self.parts[number].role]}"

    def files(self) -> list[str]:
        """Paths of all files but the manifest's own."""
        return [self.file(number) for number, part in enumerate(self.parts) if part.inline is None]

    def artifact(self, own: int) -> Artifact:
        """For those who ask without reading the data; `own` is the manifest's size in bytes."""
        size = own + sum(part.size for part in self.parts if part.inline is None)
        return Artifact(self.kind, self.key, self.meta, self.parents, self.made, size)


def folder(kind: str, key: str) -> str:
    """Where the files of an artifact lie."""
    return f"{kind}/{key[:2]}"


def path(kind: str, key: str) -> str:
    """Path of a manifest."""
    return f"{folder(kind, key)}/{key}.json"


def decode(data: bytes, kind: str, key: str) -> Manifest:
    """The manifest of kind/key.

    Raises:
        Damaged: it is not what `encode` wrote for this key.
    """
    start = len(HEAD) + 64 + len(MIDDLE)
    digest, body = data[len(HEAD) : len(HEAD) + 64], data[start:-2]
    if hashlib.sha256(body).hexdigest().encode() != digest or data != HEAD + digest + MIDDLE + body + b"}\n":
        raise Damaged(f"its manifest of {len(data)} bytes does not have the checksum it states")
    try:
        return _parse(json.loads(body), kind, key)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Damaged("its manifest has a valid checksum and is none of ours") from problem


def _parse(fields: dict[str, Any], kind: str, key: str) -> Manifest:
    """The manifest of checked fields. Whoever can write to a store can make a checksum, so nothing is taken on trust.

    Raises:
        Damaged: it is another artifact's, or would name files or artifacts outside the store.
    """
    if (fields["format"], fields["kind"], fields["key"]) != (FORMAT, kind, key):
        raise Damaged(f"its manifest is that of {fields['kind']}/{fields['key']}, format {fields['format']}")
    if not ATTEMPT.fullmatch(fields["attempt"]):
        raise Damaged("its manifest names an attempt that is none")
    if not all(PARENT.fullmatch(name) for name in fields["parents"].values()):
        raise Damaged("its manifest names a parent that is no kind and key")
    parts = tuple(PayloadPart(**(part | {"order": tuple(part.get("order", ()))})) for part in fields.pop("parts"))
    if not all(part.role in SUFFIX for part in parts):
        raise Damaged("its manifest names a content of no known role")
    return Manifest(**fields, parts=parts)
