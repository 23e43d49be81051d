"""Growth laws: which laws a policy's loss may follow over generations, which are excluded, and where they lead.

The class (bounded or diverging) is what `analysis.stats.exclusion` leaves, the extrapolation is over every law that is
not excluded (`analysis.stats.outlook`). The law that is named is only the one that describes the curve best for its
number of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.stats import exclusion
from analysis.stats.curves import Curves, block_of, by_policy, slope
from analysis.stats.intervals import Interval, t_interval
from analysis.stats.law_set import BOUNDED, DIVERGING, Law
from analysis.stats.outlook import Outlook, grid, outlook

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
MINIMUM = 5
"""Generations below which no law can be told from another."""
PARSIMONY = 4.0
"""Squared misfit, in noise variances, that a further parameter must gain: "considerably less support" (Burnham &
Anderson 2002, section 2.6)."""
OPEN = "open"
"""The class of a curve that neither test decides."""
FLAT = "flat"
NAMES = {
    "constant": FLAT,
    "geometric approach": "bounded",
    "power approach": "bounded",
    "Σ1/i²": "bounded",
    "late plateau": "bounded",
    "oscillation": "oscillating",
    "logarithm": "logarithmic",
    "Σ1/i": "logarithmic",
    "line": "linear",
    "power": "power",
    "exponential": "exponential",
    "late start": "late start",
}
"""The law of each family, for tables."""
LAWS = tuple(dict.fromkeys(NAMES.values()))
_FIXED = frozenset({"Σ1/i²", "logarithm", "Σ1/i", "line"})


@dataclass(frozen=True)
class Fit:
    """What the curves of one configuration and policy follow.

    Attributes:
        law: the law that describes the curve best for its number of parameters.
        form: its formula.
        support: weight, by likelihood, of all laws of that name.
        kind: what is left when laws are excluded: bounded, diverging, or open.
        p_bounded, p_diverging: of "some law of this class holds".
        excluded: families of laws of which every member is excluded.
        runs: recursions fitted.
        horizon: twice the generations there are.
        extrapolated: the curve there, over every law that is not excluded.
    """

    law: str
    form: str
    support: float
    kind: str
    p_bounded: float
    p_diverging: float
    excluded: tuple[str, ...]
    runs: int
    horizon: int
    extrapolated: Interval


def fit(values: Array, generations: npt.NDArray[np.int64], confidence: float = 0.95) -> Fit | None:
    """The growth law of several recursions; None with fewer than `MINIMUM` generations or two complete recursions.

    Args:
        values: [runs, generations]; recursions that miss a generation are left out.
        generations: their numbers, 1, 2, ….
        confidence: of exclusions and of the extrapolation's interval.
    """
    held = values[np.isfinite(values).all(axis=1)]
    count = len(generations)
    if count < MINIMUM or len(held) < 2:
        return None
    found = exclusion.exclude(held[None])
    ahead = outlook(held[None], found.noise, confidence)
    named, support = _named(ahead, count)
    level = 1 - confidence
    grows = t_interval(slope(held, np.arange(count)), confidence).low > 0
    p_bounded = float(found.p_bounded[0]) if found.described[0] else 1.0
    p_diverging = float(found.p_diverging[0]) if found.bounded_described[0] else 1.0
    kind = DIVERGING if grows and p_bounded < level else BOUNDED if p_diverging < level else OPEN
    low, high = float(ahead.low[0]), float(ahead.high[0])
    return Fit(
        law=NAMES[named.family],
        form=named.text,
        support=support,
        kind=kind,
        p_bounded=p_bounded,
        p_diverging=p_diverging,
        excluded=exclusion.excluded(found, 0, count, level),
        runs=len(held),
        horizon=ahead.horizon,
        extrapolated=Interval(float(ahead.estimate[0]), low, high, np.nan, len(held), np.nan),
    )


def table(curves: Curves, confidence: float = 0.95) -> pd.DataFrame:
    """One row per configuration and policy whose curves are long enough, and none of whose recursions diverged: what is
    seen of these before follows no law of theirs.

    Returns:
        Columns: config, policy, kind, law, form, support, p_bounded, p_diverging, excluded, horizon, extrapolated,
        extrapolated_low, extrapolated_high.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (config, policy), group in by_policy(curves):
        if group.runs["diverged"].any():
            continue
        runs, reached = block_of(group.values)
        found = fit(group.values[runs][:, reached], group.generations[reached], confidence)
        if found is not None:
            rows.append({"config": config, "policy": policy} | _record(found))
    return pd.DataFrame(rows)


def _record(found: Fit) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "law": found.law,
        "form": found.form,
        "support": found.support,
        "p_bounded": found.p_bounded,
        "p_diverging": found.p_diverging,
        "excluded": ", ".join(found.excluded),
        "horizon": found.horizon,
        "extrapolated": found.extrapolated.estimate,
        "extrapolated_low": found.extrapolated.low,
        "extrapolated_high": found.extrapolated.high,
    }


def _named(ahead: Outlook, generations: int) -> tuple[Law, float]:
    """The law that is named, and the weight of its name."""
    laws = [columns[0] for columns in grid(generations)]
    scores = [miss + PARSIMONY * _parameters(law) for miss, law in zip(ahead.excess[0], laws, strict=True)]
    named = laws[int(np.argmin(scores))]
    own = [NAMES[law.family] == NAMES[named.family] for law in laws]
    return named, float(ahead.weights[0, own].sum())


def _parameters(law: Law) -> int:
    """Fitted numbers beside the level."""
    if law.family == "constant":
        return 0
    return 1 if law.family in _FIXED else 3 if law.family == "oscillation" else 2
