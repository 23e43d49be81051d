"""What each policy's corpora held, small enough to stand beside its answer: stacked rows by origin and generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.data import compositions
from analysis.report import tables
from analysis.report.context import ReportContext

if TYPE_CHECKING:
    import pandas as pd

GENERATIONS = 30
"""Bars of a strip at most; of more generations, evenly spaced ones."""


@dataclass(frozen=True)
class Bar:
    """One generation's corpus: rows from real data, and all others, as shares of the strip's highest bar."""

    generation: int
    real: float
    synthetic: float


@dataclass(frozen=True)
class Strip:
    """The corpora of one policy, in one family.

    Attributes:
        family: whose corpora these are.
        bars: by generation.
        most: rows of the largest corpus.
    """

    family: str
    bars: tuple[Bar, ...]
    most: int


def strips(study: ReportContext) -> dict[str, Strip]:
    """By policy, of the family with most configurations that has it."""
    found = compositions(study.frame, study.store)
    if found.empty:
        return {}
    ranked = study.names["family"].value_counts(sort=True).index
    rank = found["family"].map({family: i for i, family in enumerate(ranked)})
    chosen: dict[str, Strip] = {}
    for policy, own in found.assign(rank=rank).groupby("policy", sort=False):
        best = own[own["rank"] == own["rank"].min()]
        if (best["rows"] > 0).any():
            chosen[str(policy)] = _strip(best)
    return chosen


def kept(study: ReportContext, policy: str) -> str:
    """What is left of the real data in a policy's last corpora, in words; empty where the records do not say.

    A share is of the rows that generation 1 was fitted on, in those recursions that went as far as any of their family.
    """
    own = study.frame[study.frame["policy"] == policy].sort_values("generation", kind="stable")
    reached = own.groupby("cell")["generation"].transform("max")
    own = own[reached == reached.groupby(own["family"]).transform("max")]
    if own["corpus_rows"].isna().all() or own["real_fraction"].isna().all():
        return ""
    real = (own["corpus_rows"] * own["real_fraction"]).groupby(own["cell"])
    size = own.groupby("cell")["corpus_rows"]
    left = (real.last() / real.first()).replace([np.inf, -np.inf], np.nan).dropna()
    grown = (size.last() / size.first()).dropna()
    if left.empty or own["generation"].max() < 2:
        return ""
    return f"its last corpora held {_share(left.min(), left.max())} and were {_times(grown.min(), grown.max())}"


def _share(low: float, high: float) -> str:
    if high < 0.0005:
        return "no real row"
    if low > 0.9995:
        return "every real row" if high < 1.0005 else "every real row and fresh ones"
    return f"{tables.between(tables.percent(low), tables.percent(high))} as many real rows as the first"


def _times(low: float, high: float) -> str:
    if max(abs(low - 1), abs(high - 1)) < 0.005:
        return "no larger than the first"
    return f"{tables.between(f'{low:.3g}', f'{high:.3g}')} times as large as the first"


def _strip(own: pd.DataFrame) -> Strip:
    generations = sorted(own["generation"].unique())
    if len(generations) > GENERATIONS:
        generations = [generations[i] for i in np.linspace(0, len(generations) - 1, GENERATIONS).round().astype(int)]
    real = own[own["batch"] <= 0].groupby("generation")["rows"].sum()
    whole = own.groupby("generation")["rows"].sum()
    most = float(whole.max())
    bars = [Bar(int(n), float(real.get(n, 0.0)) / most, float(whole[n] - real.get(n, 0.0)) / most) for n in generations]
    return Strip(str(own["family"].iloc[0]), tuple(bars), round(most))
