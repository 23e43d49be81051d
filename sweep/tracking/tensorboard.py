"""Runs for TensorBoard: an event file per cell, steps are generations. Values keep all their digits (DT_DOUBLE)."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from search_spaces import Study
from sweep.scheduling import Job
from sweep.tracking.ledger import Ledger, Shown, local_folder, reported
from sweep.tracking.schema import Figures
from sweep.tracking.summaries import Summary
from sweep.workspace import Workspace

STATE = "cell.json"
"""Beside a cell's events: where the cell stands."""
_HEAD, _TAIL = 12, 4  # bytes around a record: its length with a checksum, a checksum


class TensorBoardTracker(Ledger):
    """A folder for each study, in it one for each cell, `POLICY/TITLE-KEY`, and `summary/POLICY/CONFIGURATION` for what
    configurations came to: `tensorboard --logdir FOLDER` shows them as runs.

    Args:
        uri: `tensorboard://FOLDER`.
        study: whose runs these are.

    Raises:
        TrackingError: by every method, when the folder can't be used.
    """

    def __init__(self, uri: str, study: Study, workspace: Workspace, beside: bool = False) -> None:
        super().__init__(uri)
        self._folder = local_folder(uri) / study.name
        with reported(uri):
            self._folder.mkdir(parents=True, exist_ok=True)

    def find(self, job: Job) -> Shown:
        """What the cell's event files have."""
        folder = self._run(job)
        steps = {step for name, step, _ in events(folder) if name == "test_loss"}
        path = folder / STATE
        return Shown(steps, json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {})

    def write_generation(self, job: Job, generation: int, metrics: Mapping[str, float]) -> None:
        """A point of every metric; `test_loss`, by which a generation is found again, is the last."""
        points = [(name, generation, value) for name, value in metrics.items()]
        _append(self._run(job), sorted(points, key=lambda point: point[0] == "test_loss"))

    def write_state(self, job: Job, state: Mapping[str, str], statistics: Mapping[str, float]) -> None:
        """A file beside the events; statistics as points at the last generation."""
        folder = self._run(job)
        _append(folder, [(name, job.done, value) for name, value in statistics.items()])
        _replace(folder / STATE, json.dumps(dict(state)))

    def write_study(self, tags: Mapping[str, str]) -> None:
        """A file beside the runs."""
        path = self._folder / "study.json"
        held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        _replace(path, json.dumps(held | dict(tags), indent=1) + "\n")

    def figures(self, job: Job) -> Figures:
        """What the cell's event files say; of a point that is there twice the latest."""
        return {(name, step): value for name, step, value in events(self._run(job))}

    def remove(self, job: Job) -> None:
        """The cell's folder."""
        shutil.rmtree(self._run(job))

    def conclude(self, summaries: Sequence[Summary]) -> None:
        """Curves with their intervals, in place of those that were there."""
        with reported(self.uri):
            for one in summaries:
                folder = self._folder / "summary" / _safe(one.tags["policy"]) / _safe(one.title, one.key)
                text = json.dumps({"tags": dict(one.tags), "curves": _digest(one)})
                mark = folder / "summary.json"
                if mark.is_file() and mark.read_text(encoding="utf-8") == text:
                    continue
                for old in folder.glob("events.out.tfevents.*"):
                    old.unlink()
                _append(folder, [(name, n, value) for name, curve in one.curves.items() for n, value in curve.items()])
                _replace(mark, text)

    def _run(self, job: Job) -> Path:
        return self._folder / _safe(job.cell.policy.kind) / _safe(job.title, job.key)


def events(folder: Path) -> Iterator[tuple[str, int, float]]:
    """Name, step and value of every point in a folder's event files; what was cut short at an end is passed over."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place + _HEAD <= len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            end = place + _HEAD + length + _TAIL
            if end > len(data):
                break
            event = Event.FromString(data[place + _HEAD : end - _TAIL])
            for value in event.summary.value:
                yield value.tag, event.step, value.tensor.double_val[0]
            place = end


def _append(folder: Path, points: Sequence[tuple[str, int, float]]) -> None:
    """Add points to the folder's newest event file of this process."""
    if not points:
        return
    from tensorboardX.record_writer import masked_crc32c

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{_STARTED:010d}.{socket.gethostname()}.{os.getpid()}"
    records = [] if path.exists() else [_event(file_version="brain.Event:2")]
    records += [_point(*point) for point in points]
    with path.open("ab") as file:
        for record in records:
            head = struct.pack("<Q", len(record))
            file.write(head + struct.pack("<I", masked_crc32c(head)))
            file.write(record + struct.pack("<I", masked_crc32c(record)))


_STARTED = int(time.time())


def _event(**fields: Any) -> bytes:
    from tensorboardX.proto.event_pb2 import Event

    made: bytes = Event(wall_time=time.time(), **fields).SerializeToString()
    return made


def _point(name: str, step: int, value: float) -> bytes:
    from tensorboardX.proto.summary_pb2 import Summary as Values
    from tensorboardX.proto.summary_pb2 import SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto

    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
    tensor = TensorProto(dtype="DT_DOUBLE", double_val=[value])
    return _event(step=step, summary=Values(value=[Values.Value(tag=name, metadata=about, tensor=tensor)]))


def _safe(text: str, key: str = "") -> str:
    """A folder's name."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "run"
    return f"{name[:100]}-{key[:8]}" if key else name[:100]


def _digest(one: Summary) -> str:
    return hashlib.sha256(json.dumps([[n, list(c.items())] for n, c in one.curves.items()]).encode()).hexdigest()[:16]


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)
