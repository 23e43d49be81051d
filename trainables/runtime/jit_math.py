"""Functions of one number that compiled loops inline and vectorise, where `math.exp` would be called number by number.

Imported by modules of compiled loops alone: numba takes half a second to load.
"""

from __future__ import annotations

import math

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


_ROUNDING64, _SIGNIFICAND64, _BIAS64 = 1.5 * 2.0**52, np.int64(52), np.int64(1023 << 52)
_LN2_HIGH64, _LN2_LOW64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10, _T11, _T12, _T13 = (1 / math.factorial(k) for k in range(2, 14))


@in_order
def exp64(x: float) -> float:
    """e^x in double precision to a relative error of 1e-15, x kept within ±700. What is no number stays none.

    As `exp`, with fdlibm's two parts of ln 2 and the Taylor series up to r¹³, whose rest is below 1e-17.
    """
    bounded = min(max(x, -700.0), 700.0)
    rounded = bounded * 1.4426950408889634 + _ROUNDING64
    n = rounded - _ROUNDING64
    r = bounded - n * _LN2_HIGH64 - n * _LN2_LOW64
    high = ((((_T13 * r + _T12) * r + _T11) * r + _T10) * r + _T9) * r + _T8
    high = (((((high * r + _T7) * r + _T6) * r + _T5) * r + _T4) * r + _T3) * r + _T2
    power: float = np.int64((np.float64(rounded).view(np.int64) << _SIGNIFICAND64) + _BIAS64).view(np.float64)
    return (high * (r * r) + r + 1.0) * power


@in_order
def silu(x: np.float32) -> np.float32:
    """x / (1 + e^-x) to a relative error of 2e-7 down to −88, at which the divisor stays."""
    return x / (_ONE + exp(-x))
