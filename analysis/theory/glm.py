"""Generalised linear models on their own labels: squared error in the metric of the Fisher information.

With J the information of N inputs at the truth, maximum likelihood errs by J⁻¹ times a score of covariance J: in the
metric J/N that is columns/N to leading order in 1/N, whatever link and design. A corpus of whole batches on the same
inputs averages such errors as it averages means, so that the error over the first one's is R_n of means: n under
`replace`, Σ1/i² ≤ π²/6 under `accumulate` (Dey & Donoho 2024, arXiv 2410.22812, for exponential families).
"""

from __future__ import annotations

from typing import Any

from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History
from analysis.theory.linear import full_rank


def unit_error(columns: int, rows: int) -> float:
    """columns/N, the expected error of one fit on N rows, to leading order."""
    return columns / rows


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`fisher_error` of maximum likelihood on simulated rows, samplers unbiased, where corpora are whole batches."""
    exact = not family.penalty and all(lam == 1 for lam in past.bias.values())
    if family.source.kind != "simulated" or not exact or not past.whole():
        return []
    if family.design == "fixed" and not full_rank(family.columns, rows, past):
        return []
    unit = unit_error(family.columns, rows)
    values = tuple(unit * rows * error for error in averages(past, "known").error)
    return [Curve("fisher_error", values, "leading order in 1/rows: Fisher information; Dey & Donoho 2024")]
