"""Which rows an update is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Whole = Callable[[float], int]
"""How a number of updates is made a whole one."""


def updates(epochs: float, rows: int, batch: int, whole: Whole = math.ceil) -> int:
    """Updates of so many passes, one at least; deaf to the last bits of the product, so that 1.1 · 100 / 2 is 55."""
    return max(1, whole(float(f"{epochs * rows / batch:.12g}")))


def recounted(epochs: float, rows: int, batch: int, whole: Whole = math.ceil) -> dict[str, Any]:
    """A part of keys of models whose updates were counted by these last bits before 2; of others nothing."""
    before = max(1, whole(epochs * rows / batch))
    return {} if before == updates(epochs, rows, batch, whole) else {"updates": 2}


def shuffled(rows: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of one update after another, endlessly: each pass is a new permutation."""
    waiting = rng.permutation(rows)
    while True:
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, rng.permutation(rows)])
        yield waiting[:batch]
        waiting = waiting[batch:]
