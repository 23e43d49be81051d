"""What an offline run of Weights & Biases left: its records, by wandb's own messages.

The file is a log of LevelDB's format (blocks of 32 KiB; each piece has a head of checksum, length and kind) behind a
head of seven bytes. wandb 0.31 reads it in its compiled core only, from which nothing can be asked.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD, BLOCK = b":W&B", 32768
WHOLE, LAST = 1, 4


@dataclass
class Run:
    """One run's settings, points by step, last summary and exit code."""

    about: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    points: dict[int, dict[str, float]] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    code: int | None = None


def runs(folder: Path) -> Iterator[Run]:
    """Every offline run below a folder."""
    for path in sorted(folder.rglob("*.wandb")):
        yield _run(path)


def _run(path: Path) -> Run:
    from wandb.proto.wandb_internal_pb2 import Record

    made = Run()
    for piece in _pieces(path.read_bytes()):
        record = Record()
        record.ParseFromString(piece)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            made.about = {"kind": record.run.job_type, "group": record.run.run_group, "project": record.run.project}
            made.config |= _values(record.run.config.update)
        elif kind == "history":
            values = _values(record.history.item)
            assert record.history.step.num not in made.points, "a step once"
            made.points[record.history.step.num] = {n: v for n, v in values.items() if not n.startswith("_")}
        elif kind == "summary":
            made.summary |= _values(record.summary.update)
        elif kind == "exit":
            made.code = record.exit.exit_code
    return made


def _values(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _pieces(data: bytes) -> Iterator[bytes]:
    assert data.startswith(HEAD), data[:8]
    place, held = 7, b""
    while place + 7 <= len(data):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        held += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (WHOLE, LAST):
            yield held
            held = b""
