"""What lies between the batched products of an update, forwards and backwards, as machine code for a CPU.

Each is one pass where torch makes several. Arrays are contiguous and in single precision; letters as in `layers.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainables.families.language.cpu import exponents, ordered, unordered
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

ONE, ZERO, THREE = map(np.float32, (1, 0, 3))
TANH_SCALE, TANH_CUBE = np.float32(2 * 0.7978845608028654), np.float32(0.044715)


@compiled
def embed(tokens: np.ndarray, table: np.ndarray, places: np.ndarray, x: np.ndarray) -> None:
    """x [R, N, D] of tokens [R, N]: their rows of table [R, V, D] and, where there are any, of places [R, T, D]."""
    length = max(places.shape[1], 1)
    for r in range(len(tokens)):
        for n in range(tokens.shape[1]):
            row, out = table[r, tokens[r, n]], x[r, n]
            for i in range(len(out)):
                out[i] = row[i]
            if places.shape[1]:
                place = places[r, n % length]
                for i in range(len(out)):
                    out[i] += place[i]


@compiled
def embed_slopes(tokens: np.ndarray, by_x: np.ndarray, by_table: np.ndarray, by_places: np.ndarray) -> None:
    """Adds the gradients of `embed` to zeros."""
    length = max(by_places.shape[1], 1)
    for r in range(len(tokens)):
        for n in range(tokens.shape[1]):
            row, given = by_table[r, tokens[r, n]], by_x[r, n]
            for i in range(len(given)):
                row[i] += given[i]
            if by_places.shape[1]:
                place = by_places[r, n % length]
                for i in range(len(given)):
                    place[i] += given[i]


@compiled
def norm(
    x: np.ndarray,
    change: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: Any,
    kept: np.ndarray,
    out: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
) -> None:
    """kept = x + change, and its LayerNorm or, where there is no shift, RMSNorm; means and scales are [R, N]."""
    width = np.float32(x.shape[2])
    for r in range(len(x)):
        for n in range(x.shape[1]):
            here, line = kept[r, n], out[r, n]
            mean, squares = ZERO, ZERO
            if change.size:
                for i in range(len(here)):
                    here[i] = x[r, n, i] + change[r, n, i]
            else:
                for i in range(len(here)):
                    here[i] = x[r, n, i]
            if shift.size:
                for i in range(len(here)):
                    mean += here[i]
                mean /= width
            for i in range(len(here)):
                squares += (here[i] - mean) * (here[i] - mean)
            scale = ONE / np.sqrt(squares / width + eps)
            means[r, n], scales[r, n] = mean, scale
            for i in range(len(here)):
                line[i] = (here[i] - mean) * scale * gain[r, i]
            if shift.size:
                for i in range(len(here)):
                    line[i] += shift[r, i]


@compiled
def norm_slopes(
    by_kept: np.ndarray,
    by_out: np.ndarray,
    kept: np.ndarray,
    gain: np.ndarray,
    means: np.ndarray,
    scales: np.ndarray,
    by_x: np.ndarray,
    by_gain: np.ndarray,
    by_shift: np.ndarray,
) -> None:
    """Writes the gradient by x (that by change is the same), and adds those by gain and shift to zeros."""
    width = np.float32(kept.shape[2])
    for r in range(len(kept)):
        for n in range(kept.shape[1]):
            here, given, found = kept[r, n], by_out[r, n], by_x[r, n]
            mean, scale, plain, along = means[r, n], scales[r, n], ZERO, ZERO
            for i in range(len(here)):
                unit, slope = (here[i] - mean) * scale, given[i] * gain[r, i]
                plain += slope
                along += slope * unit
                by_gain[r, i] += given[i] * unit
            plain = plain / width if by_shift.size else ZERO
            along /= width
            for i in range(len(here)):
                unit = (here[i] - mean) * scale
                found[i] = by_kept[r, n, i] + scale * (given[i] * gain[r, i] - plain - unit * along)
            if by_shift.size:
                for i in range(len(here)):
                    by_shift[r, i] += given[i]


@compiled
def split(qkv: np.ndarray, cos: np.ndarray, sin: np.ndarray, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> None:
    """Queries, keys and values, [rows, H, T, K] each, of qkv [rows, T, 3, H, K]; the first two turned where there are
    cosines and sines, [T, K], the sign of rotate-half in the sines (Su et al. 2021, arXiv 2104.09864).
    """
    rows, length, _, heads, width = qkv.shape
    half = width // 2
    for row in range(rows):
        for t in range(length):
            for h in range(heads):
                for part, out in ((0, q), (1, k)):
                    given, found = qkv[row, t, part, h], out[row, h, t]
                    if cos.size:
                        for i in range(half):
                            found[i] = given[i] * cos[t, i] + given[half + i] * sin[t, i]
                            found[half + i] = given[half + i] * cos[t, half + i] + given[i] * sin[t, half + i]
                    else:
                        for i in range(width):
                            found[i] = given[i]
                for i in range(width):
                    v[row, h, t, i] = qkv[row, t, 2, h, i]


@compiled
def split_slopes(
    by_q: np.ndarray, by_k: np.ndarray, by_v: np.ndarray, cos: np.ndarray, sin: np.ndarray, by_qkv: np.ndarray
) -> None:
    """The adjoint of `split`."""
    rows, length, _, heads, width = by_qkv.shape
    half = width // 2
    for row in range(rows):
        for t in range(length):
            for h in range(heads):
                for part, out in ((0, by_q), (1, by_k)):
                    found, given = by_qkv[row, t, part, h], out[row, h, t]
                    if cos.size:
                        for i in range(half):
                            found[i] = given[i] * cos[t, i] + given[half + i] * sin[t, half + i]
                            found[half + i] = given[half + i] * cos[t, half + i] + given[i] * sin[t, i]
                    else:
                        for i in range(width):
                            found[i] = given[i]
                for i in range(width):
                    by_qkv[row, t, 2, h, i] = by_v[row, h, t, i]


@compiled
def chances(scores: np.ndarray, scale: Any) -> None:
    """Softmax in place of scale · scores, [G, T, T], over the places up to each one's own; 0 behind it."""
    for g in range(len(scores)):
        for t in range(scores.shape[1]):
            row = scores[g, t]
            share = ONE / exponents(row, t + 1, scale)
            for i in range(t + 1):
                row[i] *= share
            for i in range(t + 1, len(row)):
                row[i] = ZERO


@compiled
def score_slopes(chance: np.ndarray, by_chance: np.ndarray, scale: Any) -> None:
    """Gradients by scores, in place of those by chances, [G, T, T]."""
    for g in range(len(chance)):
        for t in range(chance.shape[1]):
            row, given, along = chance[g, t], by_chance[g, t], ZERO
            for i in range(t + 1):
                along += row[i] * given[i]
            for i in range(len(row)):
                given[i] = (given[i] - along) * row[i] * scale


@compiled
def gelu(x: np.ndarray, out: np.ndarray) -> None:
    """x Φ(x) by its tanh form (Hendrycks and Gimpel 2016, arXiv 1606.08415), tanh by `exp`, of [numbers]."""
    for i in range(len(x)):
        out[i] = x[i] / (ONE + exp(-TANH_SCALE * (x[i] + TANH_CUBE * x[i] * x[i] * x[i])))


@compiled
def gelu_slopes(x: np.ndarray, by_out: np.ndarray, by_x: np.ndarray) -> None:
    """The gradient by x."""
    for i in range(len(x)):
        square = x[i] * x[i]
        share = ONE / (ONE + exp(-TANH_SCALE * (x[i] + TANH_CUBE * x[i] * square)))
        slope = TANH_SCALE * (ONE + THREE * TANH_CUBE * square)
        by_x[i] = by_out[i] * (share + x[i] * share * (ONE - share) * slope)


@compiled
def gated(both: np.ndarray, out: np.ndarray) -> None:
    """silu(gate) · up (Shazeer 2020, arXiv 2002.05202) of [rows, gate and up]."""
    width = out.shape[1]
    for row in range(len(out)):
        for i in range(width):
            gate = both[row, i]
            out[row, i] = gate * both[row, width + i] / (ONE + exp(-gate))


@compiled
def gated_slopes(both: np.ndarray, by_out: np.ndarray, by_both: np.ndarray) -> None:
    """The gradient by gate and up."""
    width = by_out.shape[1]
    for row in range(len(by_out)):
        for i in range(width):
            gate, up, given = both[row, i], both[row, width + i], by_out[row, i]
            share = ONE / (ONE + exp(-gate))
            by_both[row, width + i] = given * gate * share
            by_both[row, i] = given * up * share * (ONE + gate * (ONE - share))


@compiled
def token_slopes(logits: np.ndarray, tokens: np.ndarray, share: np.ndarray, least: Any, losses: np.ndarray) -> None:
    """Gradients of Σ share · −log p(token) by logits [R, C, V], in their place; tokens, shares and losses are [R, C].

    A token whose loss is below `least` counts nothing.
    """
    for r in range(len(logits)):
        for n in range(logits.shape[1]):
            row, token = logits[r, n], tokens[r, n]
            top = ordered(row[0])
            for i in range(len(row)):
                top = max(top, ordered(row[i]))
            over = unordered(top) - row[token]
            total = exponents(row, len(row), ONE)
            losses[r, n] = np.log(total) + over
            counts = ZERO if losses[r, n] < least else share[r, n]  # a loss that is no number counts
            shared = counts / total
            for i in range(len(row)):
                row[i] *= shared
            row[token] -= counts


@compiled
def token_losses(logits: np.ndarray, tokens: np.ndarray, losses: np.ndarray) -> None:
    """−log p(token), of logits [R, C, V], which are overwritten; tokens and losses are [R, C]."""
    for r in range(len(logits)):
        for n in range(logits.shape[1]):
            row, aim = logits[r, n], logits[r, n, tokens[r, n]]
            top = ordered(row[0])
            for i in range(len(row)):
                top = max(top, ordered(row[i]))
            losses[r, n] = np.log(exponents(row, len(row), ONE)) + unordered(top) - aim
