"""Coins fitted by their share of ones: as `discrete`, of two categories whose error is one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.theory import drift
from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`test_loss` = (p̂ − p)², `variance_ratio`, and under `replace` on few rows `absorbed`; unbiased sampler."""
    if any(lam != 1 for lam in past.bias.values()):
        return []
    found, variance = averages(past, "biased", redrawn=True), family.mean * (1 - family.mean)
    source = "averages of one-hot rows; Wright 1931"
    known = [
        Curve("test_loss", tuple(variance * error for error in found.error), source),
        Curve("variance_ratio", found.spread, source),
    ]
    replaced = past.only_latest() and all(past.sizes[n] == rows for n in range(len(past.corpora)))
    if rows <= drift.LARGEST and replaced and not past.kept:
        chances = drift.one_left(np.array([family.mean, 1 - family.mean]), rows, len(past.corpora))
        known.append(Curve("absorbed", tuple(chances.tolist()), "a chain of binomial counts; Wright 1931"))
    return known
