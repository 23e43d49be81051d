"""Room on a disk, as `du` counts it, of what a study leaves: artifacts with their manifests, records, folders.

What one artifact, and what a report, takes beside its own data was measured on studies of closed forms and of language
models; a record's figures are those that its family declares.
"""

from __future__ import annotations

import math

from sweep.scheduling import Work
from trainables.cell import Cell
from trainables.families import recorded
from trainables.store import INLINE

BLOCK = 4096
"""Bytes by which file systems count."""
MANIFEST, RECORD = 1000.0, 1700.0
"""Bytes that an artifact, and a record without its replicates, says of itself."""
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
    return _artifact(work.size, MANIFEST)


def of_record(cell: Cell) -> float:
    """A record's, with the figures of each replicate."""
    figures = sum(not metric.when for metric in recorded(cell.family.kind))
    return _artifact(DOUBLE * figures * cell.replicates, RECORD)


def of_folders(artifacts: int) -> float:
    """Of the folders that so many artifacts of one kind are spread over, in the mean."""
    return BLOCK * FOLDERS * (1 - (1 - 1 / FOLDERS) ** artifacts)


def beside(generations: int) -> float:
    """Of reports and the tracking database."""
    return 2 * REPORT + DATABASE + TRACKED * generations


def _artifact(size: float, manifest: float) -> float:
    """What is small lies in the manifest, four characters for three bytes."""
    if size <= INLINE:
        return _blocks(manifest + size * 4 / 3)
    return _blocks(manifest) + _blocks(size)


def _blocks(size: float) -> float:
    return BLOCK * math.ceil(size / BLOCK)
