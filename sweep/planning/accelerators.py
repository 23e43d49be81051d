"""What a study's arithmetic comes to on a named accelerator, at a stated utilisation."""

from __future__ import annotations

from sweep.errors import UsageError
from trainables.config import did_you_mean

PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "T4": 65e12}
"""Dense 16-bit operations a second, from the vendor's data sheets (SXM where there are several; T4: float16)."""

UTILISATION = 0.3
"""Share of the peak that fitting and sampling reach together. An assumption, stated wherever it is used: small models
stay below it, large ones above."""


def gpu_hours(flops: float, gpu: str) -> float:
    """Hours of one accelerator.

    Raises:
        UsageError: the accelerator is not in the table.
    """
    if gpu not in PEAK:
        raise UsageError(f"--gpu: unknown accelerator {gpu!r}{did_you_mean(gpu, PEAK)}")
    return flops / (PEAK[gpu] * UTILISATION) / 3600
