"""Exact multinomial counts of many replicates at once, each from a generator of its own, as compiled loops.

Independent Poisson counts, given their sum, are multinomial. So counts are drawn as Poisson numbers, whose sum is
aimed somewhat below the rows wanted and drawn again where it exceeds them, and the few rows that are then missing
are drawn one by one. Importing this module loads numba.
"""

from __future__ import annotations

import math

import numpy as np

from trainables.families.closed_form.poisson_tables import CHOICE, LARGEST, poisson_tables
from trainables.runtime.jit import compiled_as_written as compiled

SINGLE = 64
"""So few rows, or four times as many as there are categories, are drawn one by one."""


def multinomial(rng: np.random.Generator, rows: int, frequencies: np.ndarray) -> np.ndarray:
    """How many of `rows` independent rows fall into each category, [replicates, categories].

    Exact but for the rounding of double precision. A replicate's counts depend on `rng`, its own number and its own
    frequencies, not on how many others come after it. More rows than the tables hold are numpy's to draw, by
    rejection, which is faster there.

    Args:
        rng: seeds each replicate's own generator (xoshiro256++), 256 bits apiece.
        rows: of every replicate, 0 or more.
        frequencies: [replicates, categories], none negative; they need not be normalised to the last digit.

    Raises:
        ValueError: a replicate's frequencies have no positive, finite sum.
    """
    totals = frequencies.sum(axis=1)
    if not (np.isfinite(totals) & (totals > 0)).all():
        raise ValueError("frequencies: every replicate needs a positive, finite sum")
    largest = max(rows, frequencies.shape[1])
    if largest > LARGEST:
        return rng.multinomial(rows, frequencies / totals[:, None])
    state = rng.integers(0, 1 << 64, (len(frequencies), 4), dtype=np.uint64)
    counts = np.zeros(frequencies.shape, dtype=np.int64)
    tables = poisson_tables(largest)
    _fill(counts, rows, np.ascontiguousarray(frequencies), totals, state, *tables)
    return counts


@compiled
def _fill(
    counts: np.ndarray,
    rows: int,
    frequencies: np.ndarray,
    totals: np.ndarray,
    state: np.ndarray,
    entries: np.ndarray,
    about: np.ndarray,
) -> None:
    """Draw into `counts`, which are 0."""
    replicates, categories = counts.shape
    single = max(SINGLE, 4 * categories)
    bits = 4
    while 1 << bits < 4 * categories:
        bits += 1
    part, found = np.empty(categories), np.empty(categories, dtype=np.int64)
    owner = np.empty(1 << bits, dtype=np.int32)
    for i in range(replicates):
        left = rows
        while left > single:
            scale = (left - math.sqrt(left)) / totals[i]
            total = _poissons(found, part, frequencies, scale, state, i, entries, about)
            if total <= left:
                left -= total
                for k in range(categories):
                    counts[i, k] += found[k]
        if left > 0:
            _add(counts, left, frequencies, (1 << bits) / totals[i], 64 - bits, owner, part, state, i)


@compiled
def _poissons(
    found: np.ndarray,
    part: np.ndarray,
    frequencies: np.ndarray,
    scale: float,
    state: np.ndarray,
    i: int,
    entries: np.ndarray,
    about: np.ndarray,
) -> int:
    """Poisson numbers of means frequencies·scale into `found`; returns their sum.

    Whole means are drawn from tables. For what is left of each, below 1, points fall on all categories alike, one a
    category in the mean, and each stays with the probability that its category's share is.
    """
    total, categories = 0, len(found)
    for k in range(categories):
        mean = frequencies[i, k] * scale
        whole = int(mean)
        part[k] = mean - whole
        found[k] = _poisson(whole, state, i, entries, about)
        total += found[k]
    for _ in range(_poisson(categories, state, i, entries, about)):
        k = int(_uniform(state, i) * categories)
        stays = int(_uniform(state, i) < part[k])
        found[k] += stays
        total += stays
    return total


@compiled
def _poisson(mean: int, state: np.ndarray, i: int, entries: np.ndarray, about: np.ndarray) -> int:
    """A Poisson number of a whole mean, the sum of one for each digit."""
    total, table = 0, 0
    while mean > 0:
        digit = mean & 7
        if digit > 0:
            total += _looked_up(_word(state, i), table + digit - 1, entries, about)
        mean >>= 3
        table += 7
    return total


@compiled
def _looked_up(word: np.uint64, table: int, entries: np.ndarray, about: np.ndarray) -> int:
    """A number by a table: the upper bits of a random word are its place, the others decide on the alternative."""
    place = word >> np.uint64(about[table, 1])
    entry = entries[about[table, 0] + np.int64(place)]
    rest = (word << np.uint64(about[table, 2])) >> np.uint64(CHOICE)
    chosen = place if rest < entry >> np.uint64(CHOICE) else entry & np.uint64((1 << CHOICE) - 1)
    found: int = np.int64(chosen) + about[table, 3]
    return found


@compiled
def _add(
    counts: np.ndarray,
    rows: int,
    frequencies: np.ndarray,
    scale: float,
    shift: int,
    owner: np.ndarray,
    part: np.ndarray,
    state: np.ndarray,
    i: int,
) -> None:
    """Add single rows. Categories own whole slots (Marsaglia 1963); a row beyond them falls on all categories alike
    until it finds one that it stays in, with the probability that this one's share of a slot is."""
    owned, categories = 0, counts.shape[1]
    for k in range(categories):
        mean = frequencies[i, k] * scale
        whole = int(mean)
        part[k] = mean - whole
        for _ in range(whole):
            owner[owned] = k
            owned += 1
    for _ in range(rows):
        slot = np.int64(_word(state, i) >> np.uint64(shift))
        if slot < owned:
            counts[i, owner[slot]] += 1
            continue
        k = int(_uniform(state, i) * categories)
        while _uniform(state, i) >= part[k]:
            k = int(_uniform(state, i) * categories)
        counts[i, k] += 1


@compiled
def _uniform(state: np.ndarray, i: int) -> float:
    """A number in [0, 1), of 53 bits."""
    found: float = (_word(state, i) >> np.uint64(11)) * 2.0**-53
    return found


@compiled
def _word(state: np.ndarray, i: int) -> np.uint64:
    """64 random bits of xoshiro256++ (Blackman & Vigna 2021, "Scrambled linear pseudorandom number generators")."""
    s0, s1, s2, s3 = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
    found: np.uint64 = _turned(s0 + s3, 23) + s0
    state[i, 0], state[i, 1] = s0 ^ s3 ^ s1, s1 ^ s2 ^ s0
    state[i, 2], state[i, 3] = s2 ^ s0 ^ (s1 << np.uint64(17)), _turned(s3 ^ s1, 45)
    return found


@compiled
def _turned(word: np.uint64, by: int) -> np.uint64:
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))
