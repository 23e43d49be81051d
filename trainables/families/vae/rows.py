"""Images on their way into and out of batches, corpora and the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainables.corpus import Corpus
from trainables.runtime import pick_device
from trainables.sources.images import LABEL, Pixels
from trainables.store import Payload

RESIDENT = {"cpu": 2**26, "cuda": 2**32}
"""Bytes of pixels kept on a device as one tensor; larger corpora are gathered batch by batch from their maps, so that
what a process holds does not grow with the pool."""


def payload(pixels: Pixels, labels: np.ndarray | None = None, **meta: Any) -> Payload:
    """A batch."""
    return Payload(meta={"rows": pixels.rows, "shape": list(pixels.shape), **meta}, table=pixels.table(labels))


def pixels_of(batch: Payload) -> Pixels:
    """A batch's images."""
    assert batch.table is not None  # every batch of this family is a table
    return Pixels.from_table(batch.table, batch.meta["shape"])


def labels_of(batch: Payload) -> np.ndarray | None:
    """A batch's classes, where it has any."""
    assert batch.table is not None
    if LABEL not in batch.table.column_names:
        return None
    labels: np.ndarray = np.asarray(batch.table.with_format("numpy")[LABEL])
    return labels


def gather(corpus: Corpus) -> tuple[Pixels, np.ndarray | None]:
    """A corpus's images, and the weight of each in the loss, mean 1, or None where all are equal."""
    parts, weights = [], []
    for part in corpus.parts:
        whole = Pixels.join([pixels_of(batch.payload) for batch in part.batches])
        parts.append(whole if part.index is None else whole.take(part.index))
        weights.append(np.full(part.rows, part.weight, np.float32))
    if not corpus.weighted:
        return Pixels.join(parts), None
    weight = np.concatenate(weights)
    return Pixels.join(parts), weight / weight.mean()


@dataclass(frozen=True)
class Feed:
    """Images as the network reads them, by row number.

    Attributes:
        pixels: the images.
        resident: all of them on the device, [rows, height, width, channels]; None where they are too many.
    """

    pixels: Pixels
    resident: Tensor | None

    @classmethod
    def of(cls, pixels: Pixels, limit: int | None = None) -> Feed:
        """Images kept on the device where they take up at most `limit` bytes, by default as `RESIDENT` says."""
        here = pick_device()
        if pixels.nbytes > (RESIDENT.get(here.type, RESIDENT["cpu"]) if limit is None else limit):
            return cls(pixels, None)
        held = torch.empty((pixels.rows, *pixels.shape), dtype=torch.uint8, device=here)
        done = 0
        for some in pixels.each():
            held[done : done + len(some)] = torch.from_numpy(some)
            done += len(some)
        return cls(pixels, held)

    @property
    def rows(self) -> int:
        """How many images."""
        return self.pixels.rows

    def batch(self, index: Tensor) -> Tensor:
        """Images at `index` (on the CPU) in [0, 1], [k, channels, height, width], channels last in memory."""
        if self.resident is None:
            found = torch.from_numpy(self.pixels.gather(index.numpy())).to(pick_device())
        else:
            found = self.resident.index_select(0, index.to(self.resident.device))
        return scaled(found)


def spread(count: int, rows: int) -> np.ndarray:
    """`count` of `rows` row numbers, evenly spread: sources hold images in the order of folders, class by class."""
    found: np.ndarray = np.linspace(0, rows - 1, min(count, rows)).astype(np.int64)
    return found


def scaled(bytes_: Tensor) -> Tensor:
    """Bytes [k, height, width, channels] as numbers in [0, 1], [k, channels, height, width]."""
    return bytes_.permute(0, 3, 1, 2).float().div_(255)


def to_bytes(x: Tensor) -> np.ndarray:
    """Images in [0, 1], [k, channels, height, width], as the nearest bytes, [k, height, width, channels]."""
    found: np.ndarray = x.mul(255).round_().byte().permute(0, 2, 3, 1).cpu().numpy()
    return found
