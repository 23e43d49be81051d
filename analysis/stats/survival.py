"""Time to collapse: in which generation each recursion first collapses, with what has not yet collapsed censored.

Estimates are lifelines' Kaplan–Meier. A recursion whose loss went to infinity or to no number, or whose cell failed for
good, has collapsed by then, by either definition; of recursions side by side in one cell, which fails with the first of
them, one has, and the others are censored. One that ends early without collapsing enters as censored at its last
generation, never dropped. One that a scheduler stopped because it looked bad is censored too, which makes the curve
optimistic: the median is given with its bound, as if each of these had collapsed in its next generation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.data import STOPPED
from analysis.stats.curves import Curves, first, known_to_diverge

if TYPE_CHECKING:
    import pandas as pd
    from lifelines import KaplanMeierFitter

Array = npt.NDArray[np.float64]
FACTOR = 2.0
"""Definition 1: loss above this multiple of the first."""
RISE = 0.05
"""Definition 2, as an event of one recursion: loss above the first by this share of it, and staying there."""
ROUNDING = 1e-9
"""Share of a half within which a survival counts as a half."""
EVENTS = {
    "catastrophic_increase": f"first generation with loss above {FACTOR:g} × the first",
    "any_increase": f"first generation from which on the loss stays {RISE:.0%} above the first",
}


def times(curves: Curves, event: str) -> pd.DataFrame:
    """One row per recursion: what it is, `generation` (of the event, or the last one seen), `collapsed`, `ended` (the
    last one seen; of a recursion that diverged without a value there, the one after it).

    Args:
        curves: of held-out loss.
        event: a key of `EVENTS`.

    Raises:
        ValueError: no such event.
    """
    if event not in EVENTS:
        raise ValueError(f"event: no {event!r} (known: {', '.join(EVENTS)})")
    values, generations = _with_divergence(curves)
    start = first(curves.values)[:, None]
    known = ~np.isnan(values)
    if event == "catastrophic_increase":
        beyond = np.where(start > 0, values > FACTOR * start, np.isinf(values))
    else:
        above = np.where(known, values > start + RISE * np.abs(start), True)
        beyond = np.logical_and.accumulate(above[:, ::-1], axis=1)[:, ::-1] & known
    collapsed = np.asarray(beyond.any(axis=1))
    end = known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    place = np.where(collapsed, beyond.argmax(axis=1), end)
    table = curves.runs[["config", "policy", "seed", "replicate", "status"]].copy()
    return table.assign(generation=generations[place], collapsed=collapsed, ended=generations[end])


def _with_divergence(curves: Curves) -> tuple[Array, npt.NDArray[np.int64]]:
    """Values with infinity at the generation in which a recursion diverged, and their generations, one more than were
    seen. Where that generation is not known, as of a cell that failed, it is the one behind its last.
    """
    step = int(np.diff(curves.generations).min()) if len(curves.generations) > 1 else 1
    generations = np.append(curves.generations, curves.generations[-1] + step)
    values = np.column_stack([curves.values, np.full(len(curves.values), np.nan)])
    at = curves.runs["diverged_at"].to_numpy(dtype=float)
    place = np.where(np.isfinite(at), np.searchsorted(generations, at), curves.reaches)
    gone = np.flatnonzero(known_to_diverge(curves.runs))
    values[gone, place[gone]] = np.inf
    return values, generations


def kaplan_meier(times: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Share of recursions that have not collapsed, per policy and generation.

    Returns:
        Columns: policy, generation, surviving, low, high (lifelines' log–log interval), at_risk, collapsed, censored.
    """
    import pandas as pd
    from lifelines import KaplanMeierFitter

    parts = []
    for policy, own in times.groupby("policy", sort=True):
        fitter = KaplanMeierFitter(alpha=1 - confidence)
        fitter.fit(own["generation"], own["collapsed"])
        events = fitter.event_table
        bounds = fitter.confidence_interval_survival_function_.to_numpy()
        parts.append(
            pd.DataFrame(
                {
                    "policy": policy,
                    "generation": fitter.survival_function_.index.to_numpy(dtype=float),
                    "surviving": fitter.survival_function_.iloc[:, 0].to_numpy(),
                    "low": bounds[:, 0],
                    "high": bounds[:, 1],
                    "at_risk": events["at_risk"].to_numpy(),
                    "collapsed": events["observed"].to_numpy(),
                    "censored": events["censored"].to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def restricted_mean(times: pd.DataFrame) -> float:
    """Mean generations until the event, those without it counted up to the last generation that any reached.

    The area under the Kaplan–Meier curve (restricted mean survival time, Irwin 1949).
    """
    from lifelines import KaplanMeierFitter
    from lifelines.utils import restricted_mean_survival_time

    fitter = KaplanMeierFitter().fit(times["generation"], times["collapsed"])
    return float(restricted_mean_survival_time(fitter, t=float(times["ended"].max())))


def medians(times: pd.DataFrame) -> pd.DataFrame:
    """Per policy: recursions, collapsed, censored, of these ended early, median time (inf where it is not reached).

    `stopped` are those of the censored that a scheduler stopped. What it stops is likely to collapse, so that `median`
    is too late, never too early; `median_low` is the median if each had collapsed in the generation after its stop.
    """
    import pandas as pd
    from lifelines import KaplanMeierFitter

    rows = []
    longest = times["ended"].max()
    for policy, own in times.groupby("policy", sort=True):
        fitter = KaplanMeierFitter().fit(own["generation"], own["collapsed"])
        open_ = own[~own["collapsed"]]
        rows.append(
            {
                "policy": policy,
                "recursions": len(own),
                "collapsed": int(own["collapsed"].sum()),
                "censored": len(open_),
                "ended_early": int((open_["ended"] < longest).sum()),
                "stopped": int((open_["status"] == STOPPED).sum()),
                "median": _median(fitter),
                "median_low": _pessimistic(own),
            }
        )
    return pd.DataFrame(rows)


def _pessimistic(times: pd.DataFrame) -> float:
    """The median time if every stopped recursion had collapsed in its next generation."""
    from lifelines import KaplanMeierFitter

    stopped = (times["status"] == STOPPED) & ~times["collapsed"]
    fitter = KaplanMeierFitter().fit(times["generation"] + stopped, times["collapsed"] | stopped)
    return _median(fitter)


def _median(fitter: KaplanMeierFitter) -> float:
    """The first generation that no more than half survive; inf if there is none.

    lifelines 0.30.0 multiplies by adding logarithms, so that a half can be 0.5000000000000001 (of 6, 8 or 20 recursions
    for instance); its `median_survival_time_` is then that of the next collapse, or inf.
    """
    from lifelines.utils import qth_survival_time

    return float(qth_survival_time(0.5 * (1 + ROUNDING), fitter.survival_function_))


def compare(times: pd.DataFrame) -> float:
    """p-value of the log-rank test that all policies collapse alike; NaN with one policy or no event."""
    import warnings

    from lifelines.statistics import multivariate_logrank_test

    if times["policy"].nunique() < 2 or not times["collapsed"].any():
        return float("nan")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Starting with pandas version 4.0")  # lifelines' own calls
        found = multivariate_logrank_test(times["generation"], times["policy"], times["collapsed"])
    return float(found.p_value)
