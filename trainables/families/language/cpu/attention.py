"""One place of causal attention over keys and values that are held in pieces, as machine code for a CPU.

A piece is `LANES` places of one row and head: keys [K, LANES], then values [K / LANES, LANES, LANES], in which the
second axis is of places and the last of the head's width K, padded with zeros to a multiple of `LANES`. Both are read
as rows of `LANES` numbers that a weight goes with: of the query for keys, of a place's chance for values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainables.families.language.cpu.simd import LANES, ONE, ZERO, exponents, narrow, weigh, wide
from trainables.runtime.jit import compiled


@compiled
def attend(
    qkv: np.ndarray,
    bias: np.ndarray,
    cos: np.ndarray,
    sin: np.ndarray,
    gains: np.ndarray,
    eps: Any,
    held: np.ndarray,
    place: int,
    scale: Any,
    found: np.ndarray,
) -> None:
    """Store the keys and values of `place`, and write what its queries find.

    Args:
        qkv: queries, keys and values before `bias`, [rows, (heads + 2 heads of keys) K].
        cos, sin: of the place's rotation, [K]; the sign of rotate-half is in `sin`.
        gains: of the norms of queries and keys, [heads + heads of keys, K], or nothing.
        held: [rows, heads of keys, pieces, 2, padded K, LANES].
        scale: of scores.
        found: [rows, heads K].
    """
    rows, kv_heads, pieces, _, padded, _ = held.shape
    width = len(cos)
    heads = qkv.shape[1] // width - 2 * kv_heads
    flat = held.reshape(-1)
    line, turned = np.empty(qkv.shape[1], np.float32), np.empty(width, np.float32)
    query, answer = np.zeros(padded, np.float32), np.empty(padded, np.float32)
    scores = np.empty(pieces * LANES, np.float32)
    for row in range(rows):
        for i in range(len(line)):
            line[i] = wide(qkv[row, i]) + bias[i]
        for head in range(heads + kv_heads):
            if gains.size:
                _norm(line, head * width, gains[head], eps)
            _turn(line, head * width, cos, sin, turned)
        for kv in range(kv_heads):
            start = (row * kv_heads + kv) * pieces * 2 * padded * LANES
            _store(line, (heads + kv) * width, (heads + kv_heads + kv) * width, width, flat, start, padded, place)
            for head in range(kv * heads // kv_heads, (kv + 1) * heads // kv_heads):
                for i in range(width):
                    query[i] = line[head * width + i] * scale
                share = _answer(query, flat, start, pieces, place, scores, answer)
                for i in range(width):
                    found[row, head * width + i] = narrow(answer[i] * share, found[0, 0])


@compiled
def _norm(line: np.ndarray, at: int, gains: np.ndarray, eps: Any) -> None:
    """One head over its root mean square, times its gains."""
    squares = ZERO
    for i in range(len(gains)):
        squares += line[at + i] * line[at + i]
    inverse = ONE / np.sqrt(squares / np.float32(len(gains)) + eps)
    for i in range(len(gains)):
        line[at + i] *= inverse * gains[i]


@compiled
def _turn(line: np.ndarray, at: int, cos: np.ndarray, sin: np.ndarray, turned: np.ndarray) -> None:
    """Rotary position embedding of one head (Su et al. 2021, arXiv 2104.09864), halves side by side."""
    half = len(cos) // 2
    for i in range(half):
        turned[i] = line[at + i] * cos[i] + line[at + half + i] * sin[i]
        turned[half + i] = line[at + half + i] * cos[half + i] + line[at + i] * sin[half + i]
    for i in range(2 * half):
        line[at + i] = turned[i]


@compiled
def _store(
    line: np.ndarray, key: int, value: int, width: int, flat: np.ndarray, start: int, padded: int, place: int
) -> None:
    """Key and value of a place into its piece."""
    piece = start + place // LANES * 2 * padded * LANES
    within = place % LANES
    for i in range(width):
        flat[piece + i * LANES + within] = narrow(line[key + i], flat[0])
    values = piece + padded * LANES + within * LANES
    for i in range(width):
        flat[values + i // LANES * LANES * LANES + i % LANES] = narrow(line[value + i], flat[0])


@compiled
def _answer(
    query: np.ndarray, flat: np.ndarray, start: int, pieces: int, place: int, scores: np.ndarray, answer: np.ndarray
) -> Any:
    """The sum of values by exponents of scores; returns what it must be multiplied by."""
    padded, used = len(query), place // LANES + 1
    side = padded * LANES
    ahead = 2 * pieces * 2 * side  # the head after the next: memory takes longer than one head
    scores[: used * LANES] = ZERO
    for piece in range(used):
        weigh(query, 0, flat, start + piece * 2 * side, padded, ahead, scores, piece * LANES)
    total = exponents(scores, place + 1, ONE)
    scores[place + 1 : used * LANES] = ZERO
    answer[:] = ZERO
    for piece in range(used):
        values = start + (2 * piece + 1) * side
        for block in range(padded // LANES):
            row = values + block * LANES * LANES
            weigh(scores, piece * LANES, flat, row, LANES, ahead, answer, block * LANES)
    return ONE / total
