"""Where tensors live and how many threads work on them: a matter of execution, never of identity."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DEVICE = "COLLAPSE_SWEEP_DEVICE"
"""Environment variable: a torch device ("cpu", "cuda:1", "mps"); unset takes the best there is."""

THREADS = "COLLAPSE_SWEEP_THREADS"
"""Environment variable: CPU threads of this process, 1 where unset. Trials that run side by side want one
each, and sums over other numbers of threads differ in their last digits."""


def pick_device() -> torch.device:
    """The device of this process; sets the number of CPU threads when first asked.

    Raises:
        ValueError: the environment names a device that torch does not know or this machine lacks.
    """
    return _device(os.environ.get(DEVICE, ""), os.environ.get(THREADS, "1"))


@lru_cache(maxsize=1)
def _device(name: str, threads: str) -> torch.device:
    import torch

    if not threads.isdecimal() or int(threads) < 1:
        raise ValueError(f"{THREADS}: a number of threads from 1 on is needed, not {threads!r}")
    torch.set_num_threads(int(threads))
    if not name:
        return torch.device(_best())
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        reason = str(problem).strip().splitlines()[0]
        raise ValueError(f"{DEVICE}: {name!r} can't be used here ({reason}); unset it or say 'cpu'") from problem
    return torch.device(name)


def _best() -> str:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
