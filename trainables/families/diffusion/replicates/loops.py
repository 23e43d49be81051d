"""What lies between the batched products of messages, forwards and backwards, as machine code for a CPU.

Arrays are contiguous and in single precision. Shapes: S molecules of R replicates, N atoms, M message.
"""

from __future__ import annotations

import numpy as np

from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

_ZERO, _ONE = np.float32(0), np.float32(1)


@compiled
def join_ends(target: np.ndarray, source: np.ndarray, first: np.ndarray, a: np.ndarray) -> None:
    """first_ij += target_i + source_j, [S, N, N, M], and a = silu of it; target and source are [S, N, M]."""
    molecules, atoms, _, messages = first.shape
    for s in range(molecules):
        for i in range(atoms):
            for j in range(atoms):
                line, out = first[s, i, j], a[s, i, j]
                for m in range(messages):
                    here = line[m] + target[s, i, m] + source[s, j, m]
                    line[m] = here
                    out[m] = here / (_ONE + exp(-here))


@compiled
def read(second: np.ndarray, move: np.ndarray, pairs: np.ndarray, pull: np.ndarray, heard: np.ndarray) -> None:
    """Of messages silu(second), [S, N, N, M]: move · m_ij into pull [S, N, N], and, unless heard [S, N, M] is empty,
    their sum over real pairs, added to zeros there. move is [R, M].
    """
    molecules, atoms, _, messages = second.shape
    each = molecules // len(move)
    for s in range(molecules):
        for i in range(atoms):
            for j in range(atoms):
                line, by, total, real = second[s, i, j], move[s // each], _ZERO, pairs[s, i, j]
                if heard.size:
                    found = heard[s, i]
                    for m in range(messages):
                        message = line[m] / (_ONE + exp(-line[m]))
                        total += message * by[m]
                        found[m] += message * real
                else:
                    for m in range(messages):
                        total += line[m] / (_ONE + exp(-line[m])) * by[m]
                pull[s, i, j] = total


@compiled
def read_slopes(
    second: np.ndarray,
    move: np.ndarray,
    pairs: np.ndarray,
    by_pull: np.ndarray,
    by_heard: np.ndarray,
    by_second: np.ndarray,
    by_move: np.ndarray,
    by_bias: np.ndarray,
) -> None:
    """Writes the gradient by second, and adds those by move and by the bias of second, [R, M], to zeros."""
    molecules, atoms, _, messages = second.shape
    each = molecules // len(move)
    nothing = np.zeros(messages, np.float32)
    for s in range(molecules):
        r = s // each
        by, to_move, to_bias = move[r], by_move[r], by_bias[r]
        for i in range(atoms):
            told = by_heard[s, i] if by_heard.size else nothing
            for j in range(atoms):
                line, out, pulled, real = second[s, i, j], by_second[s, i, j], by_pull[s, i, j], pairs[s, i, j]
                for m in range(messages):
                    share = _ONE / (_ONE + exp(-line[m]))
                    message = line[m] * share
                    slope = (pulled * by[m] + real * told[m]) * (share + message * (_ONE - share))
                    out[m] = slope
                    to_move[m] += pulled * message
                    to_bias[m] += slope


@compiled
def join_slopes(
    first: np.ndarray,
    slopes: np.ndarray,
    distance: np.ndarray,
    by_target: np.ndarray,
    by_source: np.ndarray,
    by_d2: np.ndarray,
) -> None:
    """Slopes by a become those by first, in place; adds those by both ends to zeros, and writes those by squared
    distances, [S, N, N], unless that is empty. distance is [R, M].
    """
    molecules, atoms, _, messages = first.shape
    each = molecules // len(distance)
    for s in range(molecules):
        along = distance[s // each]
        for i in range(atoms):
            to_target = by_target[s, i]
            for j in range(atoms):
                line, out, to_source, total = first[s, i, j], slopes[s, i, j], by_source[s, j], _ZERO
                for m in range(messages):
                    share = _ONE / (_ONE + exp(-line[m]))
                    slope = out[m] * (share + line[m] * share * (_ONE - share))
                    out[m] = slope
                    to_target[m] += slope
                    to_source[m] += slope
                    total += slope * along[m]
                if by_d2.size:
                    by_d2[s, i, j] = total
