"""Functions of one float32 that compiled loops inline and vectorise, where `math.exp` would be called number by number.

Imported by modules of compiled loops alone: numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np

from trainables.compiled import in_order

_ONE = np.float32(1)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3, _P2, _P1, _P0 = map(
    np.float32, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_SIGNIFICAND, _BIAS = np.int32(23), np.int32(127)

LIMIT = np.float32(87)
"""Exponents beyond it, of either sign, count as it: e^87 and e^-87 are the last whole powers in the normal range."""


@in_order
def exp(x: np.float32) -> np.float32:
    """e^x within 1e-7 of itself for |x| up to `LIMIT`; NaN stays NaN.

    2^n·e^r with |r| ≤ ln 2 / 2, ln 2 in two parts (Cody and Waite 1980), and the polynomial of Cephes' `expf`.
    """
    x = min(max(x, -LIMIT), LIMIT)
    n = np.rint(x * _LOG2_E)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    high = ((((_P5 * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
    power: np.float32 = np.int32((np.int32(n) + _BIAS) << _SIGNIFICAND).view(np.float32)
    found: np.float32 = (high * (r * r) + r + _ONE) * power
    return found


@in_order
def sigmoid(x: np.float32) -> np.float32:
    """1 / (1 + e^-x), within 2e-7 of itself for |x| up to `LIMIT`."""
    return _ONE / (_ONE + exp(-x))


@in_order
def silu(x: np.float32) -> np.float32:
    """x · sigmoid(x), as near."""
    return x / (_ONE + exp(-x))
