"""Tables from which compiled loops draw Poisson numbers of whole means, one word and one entry a digit of the mean.

Sums of independent Poisson numbers are Poisson, so a mean is drawn digit by digit in base 8, each from the alias
table of digit·8^level (Walker 1977, "An efficient method for generating discrete random variables").
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

LARGEST = 8**6 - 1
"""The largest mean that has tables, of 1 MB in all; larger ones would wait for memory."""

CHOICE = 16
"""Bits of an entry that name the alternative; the upper 48 are the probability of keeping one's own number."""


@cache
def poisson_tables(mean: int) -> tuple[np.ndarray, np.ndarray]:
    """Tables for whole means up to `mean`, at most `LARGEST`.

    Probabilities are right to 1e-15; numbers more than ten standard deviations off, 1e-22 of the whole, are left out.

    Returns:
        Entries of all tables one after the other (uint64), and for table 7·level + digit − 1: where it starts,
        64 − bits of its index, bits of its index, its first number (int64, [tables, 4]).
    """
    levels = max(math.ceil(mean.bit_length() / 3), 1)
    entries, about, start = [], [], 0
    for level in range(levels):
        for digit in range(1, 8):
            first, table = _table(digit * 8**level)
            bits = len(table).bit_length() - 1
            entries.append(table)
            about.append((start, 64 - bits, bits, first))
            start += len(table)
    return np.concatenate(entries), np.array(about, dtype=np.int64)


def _table(mean: int) -> tuple[int, np.ndarray]:
    """The first number of a Poisson distribution's table, and its entries."""
    reach = 10 * math.sqrt(mean)
    first, last = max(math.floor(mean - reach), 0), math.ceil(mean + reach) + 20
    size = 1 << (last - first).bit_length()
    above = np.cumprod(mean / np.arange(mean + 1.0, first + size))
    below = np.cumprod(np.arange(mean, first, -1.0) / mean)[::-1]
    weights = np.concatenate([below, [1.0], above])
    return first, _aliased(weights / weights.sum())


def _aliased(probabilities: np.ndarray) -> np.ndarray:
    """Entries of an alias table: numbers that are too rare for their place share it with one that is too frequent."""
    share = (probabilities * len(probabilities)).tolist()
    own, other = [1.0] * len(share), list(range(len(share)))
    rare = [i for i, s in enumerate(share) if s < 1]
    frequent = [i for i, s in enumerate(share) if s >= 1]
    while rare and frequent:
        low, high = rare.pop(), frequent[-1]
        own[low], other[low] = share[low], high
        share[high] -= 1 - share[low]
        if share[high] < 1:
            rare.append(frequent.pop())
    kept = np.minimum(np.array(own) * 2.0**48, 2.0**48 - 1).astype(np.uint64)
    return (kept << np.uint64(CHOICE)) | np.array(other, dtype=np.uint64)
