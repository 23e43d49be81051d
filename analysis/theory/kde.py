"""A kernel density estimate fitted to its own samples: each generation adds the kernel's variance.

A sample is a row of the corpus plus noise of variance h², so mean and covariance follow the averages' recursion
with h² added (section 4 of Shumailov et al. 2023 has the Gaussian case; Silverman 1986, section 6.4, the sampler).
"""

from __future__ import annotations

from typing import Any

from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History


def replace_trace(rows: int, bandwidth: float, generation: int) -> float:
    """E tr Σ_n / tr Σ under `replace`: s_n = (1 − 1/N)s_{n−1} + h², s_0 = 1, h in units of the data's spread."""
    keep = 1 - 1 / rows
    return float(keep**generation + bandwidth**2 * (1 - keep**generation) / (1 - keep))


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`mean_sq_error` and `trace_ratio` for a fixed bandwidth and an unbiased sampler.

    Both are in units of the data's mean variance of a coordinate, as the bandwidth is.
    """
    if past.kept or not isinstance(family.bandwidth, float) or any(lam != 1 for lam in past.bias.values()):
        return []
    found = averages(past, "biased", widen=family.bandwidth**2)
    source = "averages with the kernel's variance added; Silverman 1986"
    return [
        Curve("mean_sq_error", tuple(family.dim * error for error in found.error), source),
        Curve("trace_ratio", found.spread, source),
    ]
