"""Rows of a kernel estimate in pieces, each with a weight: their moments, and the density that they make."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.corpus import Batch, RealisedDraw
from trainables.families.closed_form.corpus_terms import gather
from trainables.families.closed_form.kernel_sums import log_sums
from trainables.store import Payload


@dataclass(frozen=True)
class Sums:
    """Power sums of weighted rows: Σw, Σw², Σwx [replicates, dim], Σwxxᵀ [replicates, dim, dim]."""

    weight: float
    squares: float
    first: np.ndarray
    second: np.ndarray

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.weight + other.weight,
            self.squares + other.squares,
            self.first + other.first,
            self.second + other.second,
        )


def batch_of(x: np.ndarray) -> Payload:
    """Rows, [replicates, rows, dim], as they are stored."""
    return Payload(meta={"rows": x.shape[1]}, tensors={"x": x.astype(np.float32)})


def piece_of(model: Payload, piece: dict[str, Any]) -> Batch:
    """A model's piece in the form of a batch."""
    rows = Payload(meta={"rows": piece["rows"]}, tensors={"x": model.tensors[f"rows_{piece['name']}"]})
    return Batch(0, piece["name"], piece["rows"], lambda: rows)


def load(model: Payload) -> float:
    """Sum of row weights."""
    return float(sum(piece["rows"] * piece["weight"] for piece in model.meta["pieces"]))


def log_mixture(model: Payload, queries: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Log-density of queries under a model, [replicates, queries]."""
    queries = queries if queries.ndim == 3 else queries[None]
    terms = [
        log_sums(queries, model.tensors[f"rows_{piece['name']}"], width) + math.log(piece["weight"])
        for piece in model.meta["pieces"]
    ]
    found: np.ndarray = np.logaddexp.reduce(terms) - math.log(load(model))
    return found


def drawn_rows(part: RealisedDraw) -> np.ndarray:
    """A part's rows, in the order drawn."""
    assert part.index is not None
    return gather(np.concatenate([batch.payload.tensors["x"] for batch in part.batches], axis=1), part.index)


def batch_sums(batch: Batch, weight: float) -> Sums:
    """Of a whole batch, each row with this weight."""
    return sums_of(batch.payload.tensors["x"], weight)


def sums_of(x: np.ndarray, weight: float) -> Sums:
    """Of rows, [replicates, rows, dim], each with this weight."""
    rows = x.astype(float)
    first, second = rows.sum(axis=1), rows.swapaxes(1, 2) @ rows
    return Sums(weight * x.shape[1], weight**2 * x.shape[1], weight * first, weight * second)
