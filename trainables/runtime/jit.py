"""Loops that numba compiles to machine code on their first call; what was compiled is kept on disk for later processes.

Modules of such loops are imported where they are needed, inside functions: numba takes half a second to load.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba
from numba.core.caching import FunctionCache
from platformdirs import user_cache_dir

P = ParamSpec("P")
R = TypeVar("R")

REORDERED = {"arcp", "contract", "nsz", "reassoc"}
"""What sums and products may be done to for vector instructions. NaN and infinity stay what they are."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function of arrays and numbers as machine code for this processor, kept on disk where a folder for it can be
    written; it holds no interpreter lock.

    Calls of one such function by others are written out in place. Else each of them keeps a copy, whose sums the
    compiler orders anew, and which copy runs depends on whether this process compiled them or read them from disk
    (numba 0.68.1). A loop whose sum is a result writes to no array: where arrays seem to overlap, which depends on
    where they lie, such a loop runs number by number, and its sum has other last digits.
    """
    make = numba.njit(nogil=True, error_model="numpy", fastmath=REORDERED, forceinline=True)
    kernel: Callable[P, R] = make(function)
    with _folder(), suppress(RuntimeError, OSError):  # no such folder: every process compiles its own
        kernel._cache = _Cache(function)  # type: ignore[attr-defined]  # numba is untyped
    return kernel


def in_order(function: Callable[P, R]) -> Callable[P, R]:
    """A part of compiled functions whose sums and products stay as they are written, fused where they follow."""
    part: Callable[P, R] = numba.njit(error_model="numpy", fastmath={"contract"}, forceinline=True)(function)
    return part


class _Cache(FunctionCache):  # type: ignore[misc]  # numba is untyped
    """numba's, which a full disk, a folder that has become read only, or a damaged file in it ends no recursion."""

    @contextmanager
    def _guard_against_spurious_io_errors(self) -> Iterator[None]:
        """Around reading and writing: what fails is compiled, and compiled again by the next process."""
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            yield


def kept_at() -> str | None:
    """The folder in which machine code is kept; None where there is none to write to."""
    with _folder(), suppress(RuntimeError, OSError):
        return str(_Cache(kept_at).cache_path)
    return None


@contextmanager
def _folder() -> Iterator[None]:
    """Where machine code is kept, apart for each version of the code: below NUMBA_CACHE_DIR, or the user's caches.

    numba notices a change of a kernel's own file only, not of a constant or a function that it takes from another.
    """
    given = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = os.path.join(given or user_cache_dir("collapse-sweep", appauthor=False), _version())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = given


@cache
def _version() -> str:
    """A digest of all code that a kernel may be made of."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
