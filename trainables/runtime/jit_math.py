"""Functions of one float32 that compiled loops inline and vectorise, where `math.exp` would be called number by number.

Imported by modules of compiled loops alone: numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np

from trainables.runtime.jit import in_order

_ZERO, _ONE = np.float32(0), np.float32(1)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_P5, _P4, _P3, _P2, _P1, _P0 = map(
    np.float32, (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_SIGNIFICAND, _BIAS = np.int32(23), np.int32(127 << 23)
_ROUNDING = np.float32(1.5 * 2**23)
"""A sum with it has no digits after the point, and the integer in its last bits."""

LEAST, MOST = np.float32(-87), np.float32(88)
"""Exponents of the last whole powers of e that single precision holds with all its digits."""


@in_order
def exp(x: np.float32) -> np.float32:
    """e^x to a relative error of 1e-7; 0 below `LEAST`, e^88 above `MOST`. What is no number stays none.

    2^n·e^r with |r| ≤ ln 2 / 2, ln 2 in two parts (Cody and Waite 1980), and the polynomial of the Cephes library's
    `expf` (Moshier 1992).
    """
    bounded = min(max(x, LEAST), MOST)
    rounded = bounded * _LOG2_E + _ROUNDING
    n = rounded - _ROUNDING
    r = bounded - n * _LN2_HIGH - n * _LN2_LOW
    high = ((((_P5 * r + _P4) * r + _P3) * r + _P2) * r + _P1) * r + _P0
    power: np.float32 = np.int32((np.float32(rounded).view(np.int32) << _SIGNIFICAND) + _BIAS).view(np.float32)
    found: np.float32 = (high * (r * r) + r + _ONE) * power
    return _ZERO if x < LEAST else found


@in_order
def silu(x: np.float32) -> np.float32:
    """x / (1 + e^-x) to a relative error of 2e-7 down to −88, at which the divisor stays."""
    return x / (_ONE + exp(-x))
