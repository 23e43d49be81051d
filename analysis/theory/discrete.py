"""Frequencies of K categories fitted to their own samples: genetic drift.

A one-hot row has second moment 1, so 1 − Σp̂² is the covariance's trace and follows the averages' recursion.
Under `replace` this is the decay of heterozygosity (Wright 1931; Fisher 1930; model collapse as drift in
Shumailov et al. 2023 and Seddik et al. 2024, arXiv 2404.05090).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.theory import drift
from analysis.theory.averages import averages
from analysis.theory.curve import Curve
from analysis.theory.history import History


def replace_diversity(rows: int, generation: int) -> float:
    """E[1 − Σp̂_n²]/(1 − Σp²) = (1 − 1/N)ⁿ."""
    return float((1 - 1 / rows) ** generation)


def first_survivors(probabilities: np.ndarray, rows: int) -> float:
    """Expected number of categories that N real rows hold: Σ 1 − (1 − p)^N."""
    return float((1 - (1 - probabilities) ** rows).sum())


def probabilities(family: Any) -> np.ndarray:
    """The real frequencies, [categories]."""
    ranks = np.arange(1, family.categories + 1, dtype=float)
    weights = ranks**-family.exponent if family.start == "zipf" else np.ones_like(ranks)
    normalised: np.ndarray = weights / weights.sum()
    return normalised


def curves(family: Any, rows: int, past: History) -> list[Curve]:
    """`test_loss` = ‖p̂ − p‖² and `gini_simpson` = 1 − Σp̂², for unsmoothed frequencies and an unbiased sampler; under
    `replace` on few rows, `surviving_categories` and `forgotten` too."""
    if family.smoothing or any(lam != 1 for lam in past.bias.values()):
        return []
    diversity = 1 - float((probabilities(family) ** 2).sum())
    found = averages(past, "biased", redrawn=True)
    source = "averages of one-hot rows; Wright 1931"
    return [
        Curve("test_loss", tuple(diversity * error for error in found.error), source),
        Curve("gini_simpson", tuple(diversity * spread for spread in found.spread), source),
        Curve("disagreement", tuple(diversity * value for value in found.apart), source),
        *_survivors(family, rows, past),
    ]


def _survivors(family: Any, rows: int, past: History) -> list[Curve]:
    replaced = past.only_latest() and all(past.sizes[n] == rows for n in range(len(past.corpora)))
    if past.kept or rows > drift.LARGEST or not replaced:
        return []
    chances, generations, source = probabilities(family), len(past.corpora), "each category's own chain; Wright 1931"
    return [
        Curve("surviving_categories", tuple(drift.survivors(chances, rows, generations).tolist()), source),
        Curve("forgotten", tuple(drift.one_left(chances, rows, generations).tolist()), source),
    ]
