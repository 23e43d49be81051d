"""Loops that numba compiles to machine code on their first call; what was compiled is kept on disk for later processes.

Modules of such loops are imported where they are needed, inside functions: numba takes half a second to load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")

REORDERED = {"arcp", "contract", "nsz", "reassoc"}
"""What sums and products may be done to for vector instructions. NaN and infinity stay what they are."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function of arrays and numbers as machine code for this processor; it holds no interpreter lock."""
    kernel: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=REORDERED)(function)
    return kernel


def compiled_as_written(function: Callable[P, R]) -> Callable[P, R]:
    """The same with every operation rounded as it stands, where other processors must draw the same numbers."""
    kernel: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return kernel


def in_order(function: Callable[P, R]) -> Callable[P, R]:
    """A part of compiled functions whose sums and products stay as they are written, fused where they follow."""
    part: Callable[P, R] = numba.njit(error_model="numpy", fastmath={"contract"}, forceinline=True)(function)
    return part
