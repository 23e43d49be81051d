"""What lies between the matrix products of a step of decoding, and the draw after it, as machine code for a CPU.

Arrays that go into a product, and those that come from one, are stored in its precision (see `lanes.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainables.families.language.cpu.simd import ONE, ZERO, exponents, narrow, wide
from trainables.runtime.jit import compiled
from trainables.runtime.jit_math import exp

BLOCK = 64
"""Tokens whose chances are summed before one among them is looked for."""

TANH_SCALE, TANH_CUBE = np.float32(2 * 0.7978845608028654), np.float32(0.044715)


@compiled
def embedded(
    tokens: np.ndarray,
    table: np.ndarray,
    position: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: Any,
    centred: bool,
    x: np.ndarray,
    out: np.ndarray,
) -> None:
    """The residual stream of tokens, [rows, width], and its norm for the first product."""
    for row in range(len(tokens)):
        for i in range(len(position)):
            x[row, i] = table[tokens[row], i] + position[i]
        _norm(x[row], gain, shift, eps, centred, out[row])


@compiled
def added(
    x: np.ndarray,
    change: np.ndarray,
    bias: np.ndarray,
    gain: np.ndarray,
    shift: np.ndarray,
    eps: Any,
    centred: bool,
    out: np.ndarray,
) -> None:
    """The residual stream after `change` + `bias`, in place, and its norm for the next product."""
    for row in range(len(x)):
        for i in range(len(bias)):
            x[row, i] += wide(change[row, i]) + bias[i]
        _norm(x[row], gain, shift, eps, centred, out[row])


@compiled
def _norm(x: np.ndarray, gain: np.ndarray, shift: np.ndarray, eps: Any, centred: bool, out: np.ndarray) -> None:
    """LayerNorm where `centred`, else RMSNorm."""
    width, mean, squares = np.float32(len(x)), ZERO, ZERO
    if centred:
        for i in range(len(x)):
            mean += x[i]
        mean /= width
    for i in range(len(x)):
        squares += (x[i] - mean) * (x[i] - mean)
    inverse = ONE / np.sqrt(squares / width + eps)
    for i in range(len(x)):
        out[i] = narrow((x[i] - mean) * inverse * gain[i] + shift[i], out[0])


@compiled
def gated(both: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
    """silu(gate) · up (Shazeer 2020, arXiv 2002.05202) of [rows, gate and up]."""
    width = out.shape[1]
    for row in range(len(out)):
        for i in range(width):
            gate = wide(both[row, i]) + bias[i]
            up = wide(both[row, width + i]) + bias[width + i]
            out[row, i] = narrow(gate * up / (ONE + exp(-gate)), out[0, 0])


@compiled
def gelu(inner: np.ndarray, bias: np.ndarray, out: np.ndarray) -> None:
    """x Φ(x) by its tanh form (Hendrycks and Gimpel 2016, arXiv 1606.08415), tanh by `exp`."""
    for row in range(len(out)):
        for i in range(out.shape[1]):
            x = wide(inner[row, i]) + bias[i]
            twice = TANH_SCALE * (x + TANH_CUBE * x * x * x)
            out[row, i] = narrow(x / (ONE + exp(-twice)), out[0, 0])


@compiled
def drawn(logits: np.ndarray, points: np.ndarray, scale: Any, tokens: np.ndarray) -> float:
    """Tokens where the cumulative softmax of scale · logits passes `points` (uniform in [0, 1)).

    Overwrites the logits, [rows, V]. Returns a sum that is finite if they were.
    """
    vocabulary = logits.shape[1]
    blocks = np.empty((vocabulary + BLOCK - 1) // BLOCK, np.float32)
    check = np.float64(0)
    for row in range(len(logits)):
        chances = logits[row]
        check += exponents(chances, vocabulary, scale)
        total = np.float64(0)
        for block in range(len(blocks)):
            share = ZERO
            for i in range(block * BLOCK, min((block + 1) * BLOCK, vocabulary)):
                share += chances[i]
            blocks[block] = share
            total += share
        tokens[row] = _first_above(chances, blocks, points[row] * total)
    return check


@compiled
def _first_above(chances: np.ndarray, blocks: np.ndarray, target: float) -> int:
    """The first token whose cumulative chance exceeds the target; none without a chance, whatever rounding does."""
    before, block = np.float64(0), 0
    while block < len(blocks) - 1 and before + blocks[block] <= target:
        before += blocks[block]
        block += 1
    found = 0
    for i in range(block * BLOCK, min((block + 1) * BLOCK, len(chances))):
        if chances[i] > ZERO:
            found = i
            before += chances[i]
            if before > target:
                break
    return found
