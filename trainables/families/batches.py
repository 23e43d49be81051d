"""Which rows an update is made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def shuffled(rows: int, batch: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row numbers of one update after another, endlessly: each pass is a new permutation."""
    waiting = rng.permutation(rows)
    while True:
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, rng.permutation(rows)])
        yield waiting[:batch]
        waiting = waiting[batch:]
