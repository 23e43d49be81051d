"""Side-by-side measurement: product and peer alternate in one process, on one pinned core, and ratios are reported.

Absolute times mean little on shared machines, so every result carries the machine's own ceiling, measured in the
same run.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """One comparison.

    Attributes:
        work: what was done, by both, to the same end.
        peer: what the product was measured against.
        target: the ratio aimed at (peer's time / product's time).
        ours: seconds of each round, product.
        theirs: seconds of each round, peer.
        note: what makes the comparison fair, or where it is not.
        unit: of `ours` and `theirs`, less is better.
    """

    work: str
    peer: str
    target: float
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    note: str = ""
    unit: str = "s"

    @property
    def ratios(self) -> list[float]:
        """Peer's time over the product's, round by round."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def median(self) -> float:
        """Median ratio over rounds."""
        return statistics.median(self.ratios)

    def row(self) -> str:
        """A line of a markdown table."""
        spread = f"{min(self.ratios):.3g} to {max(self.ratios):.3g}"
        verdict = "met" if self.median >= self.target else "missed"
        ours, theirs = (f"{statistics.median(times):.3g} {self.unit}" for times in (self.ours, self.theirs))
        return (
            f"| {self.work} | {self.peer} | {self.median:.3g}× | {spread} | {self.target:g}× {verdict} "
            f"| {ours} | {theirs} | {self.note} |"
        )


COLUMNS = ("work", "peer", "median ratio", "rounds from, to", "target", "product", "peer's", "note")
HEADER = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


def pin(core: int | None = None) -> None:
    """Run this process on one core with one thread in every numeric library."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[-1] if core is None else core})
    import torch

    torch.set_num_threads(1)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(
    work: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    peer: str,
    target: float,
    rounds: int = 3,
    warm: bool = True,
    note: str = "",
) -> Ratio:
    """Time `ours` and `theirs` alternately, `rounds` times, after one unmeasured round of each where `warm`."""
    if warm:
        ours()
        theirs()
    mine, other = [], []
    for _ in range(rounds):
        mine.append(seconds(ours))
        other.append(seconds(theirs))
    return Ratio(work, peer, target, tuple(mine), tuple(other), note)


def peak() -> float:
    """GiB that this process held at most; `getrusage` would count what its parent held too."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


def matrix_rate(dtype: str = "float32", size: int = 1024, rounds: int = 5) -> float:
    """Floating-point operations a second of a square matrix product: the machine's ceiling, best of `rounds`."""
    import torch

    a = torch.randn(size, size).to(getattr(torch, dtype))
    best = min(seconds(lambda: a @ a) for _ in range(rounds + 1))
    return 2.0 * size**3 / best


def memory_bandwidth(megabytes: int = 256, rounds: int = 5) -> float:
    """Bytes a second of a copy (read and written), best of `rounds`."""
    import torch

    source = torch.zeros(megabytes * 2**20, dtype=torch.uint8)
    target = torch.empty_like(source)
    best = min(seconds(lambda: target.copy_(source)) for _ in range(rounds + 1))
    return 2.0 * megabytes * 2**20 / best


def native_bfloat16() -> str:
    """What this CPU has for bfloat16 products."""
    import torch

    if torch.cpu._is_amx_tile_supported():
        return "AMX"
    return "AVX-512 bfloat16, no AMX" if torch.cpu._is_avx512_bf16_supported() else "no native bfloat16"


def ceiling() -> str:
    """One line about the machine this run was measured on."""
    return (
        f"one core: {matrix_rate() / 1e9:.0f} GFLOP/s float32, {matrix_rate('bfloat16') / 1e9:.0f} GFLOP/s bfloat16 "
        f"(1024×1024 product; {native_bfloat16()}), {memory_bandwidth() / 1e9:.1f} GB/s copy"
    )
