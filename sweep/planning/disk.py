"""Room on a disk, as `du` counts it, of what a study leaves: artifacts with their manifests, records, folders.

What one artifact, and what a report, takes beside its own data was measured on studies of closed forms and of language
models; a record's figures are those that its family declares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sweep.scheduling import Work
from trainables.cell import Cell
from trainables.families import recorded
from trainables.store import INLINE

BLOCK = 4096
"""Bytes by which file systems count."""
MANIFEST, RECORD = 1000.0, 1700.0
"""Bytes that an artifact, and a record without its replicates, says of itself."""
STORE = 8 * BLOCK
"""Bytes of what a store has once: its format, leases, who computed it, and a folder of each."""
FOLDERS = 256
"""Folders over which a store spreads the artifacts of one kind."""
DOUBLE = 8
"""Bytes of a figure of one replicate."""
REPORT = 2.1e6
"""Bytes of a report's tables, pictures and page, which the tracker keeps once more."""
DATABASE, TRACKED = 1.0e6, 5e3
"""Bytes of an empty tracking database, and of what it holds of a generation."""


def of_work(work: Work) -> float:
    """A model's or a batch's."""
    return _artifact((work.size,), MANIFEST)


def of_record(cell: Cell, models: int = 1) -> float:
    """A record's, with the figures of each replicate, and files that show samples of so many models."""
    figures = sum(not metric.when for metric in recorded(cell.family.kind))
    return _artifact((DOUBLE * figures * cell.replicates, *models * tuple(cell.family.shown_bytes())), RECORD)


def of_folders(artifacts: int) -> float:
    """Of the folder of a kind, and those that so many artifacts of it are spread over in the mean."""
    return BLOCK * (1 + FOLDERS * (1 - (1 - 1 / FOLDERS) ** artifacts))


def beside(generations: int) -> float:
    """Of reports and the tracking database."""
    return 2 * REPORT + DATABASE + TRACKED * generations


def _artifact(parts: Sequence[float], manifest: float) -> float:
    """What is small lies in the manifest, four characters for three bytes."""
    small = sum(size for size in parts if size <= INLINE)
    return _blocks(manifest + small * 4 / 3) + sum(_blocks(size) for size in parts if size > INLINE)


def _blocks(size: float) -> float:
    return BLOCK * math.ceil(size / BLOCK)
