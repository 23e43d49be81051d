"""Growth laws: which law a policy's loss follows over generations, and where it leads.

Fits are weighted least squares over seeds: each generation's mean weighs by the inverse of its variance between
seeds, smoothed over generations. Laws are compared by AICc and by predicting the last quarter of the generations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.stats.curves import Curves, by_policy
from analysis.stats.growth_forms import DIVERGING, FLAT, FORMS, Form, Misfits, misfits, scores
from analysis.stats.intervals import Interval, t_interval

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
MINIMUM = 5
"""Generations below which no law can be told from another."""
PARSIMONY = 4.0
"""AICc by which a law must beat those with fewer parameters: "considerably less support" (Burnham & Anderson 2002,
section 2.6). Flat curves are tried against five shapes, so that 2 would name a law for one in ten of them."""
DRAWS = 200

AGREED = 2 / 3
"""Share of bootstrap resamples that must choose the law of a form with a free exponent. A recursion's errors add up
over generations; AICc, which takes them for independent, bends three in ten straight lines."""


@dataclass(frozen=True)
class Fit:
    """What the curves of one configuration and policy follow.

    Attributes:
        form: the chosen form.
        a, b, c: its parameters; `c` is NaN where it has none.
        aicc: score by form, relative to the best; +inf where a form could not be fitted or its best `c` lies at an
            end of its grid.
        foresight: root mean square error of predicting the last quarter from the rest, by form.
        support: share of bootstrap resamples of the seeds that choose the same law.
        diverging: share of them that choose a diverging law, and rise.
        runs: recursions fitted.
        horizon: twice the generations there are.
        extrapolated: the curve there under the chosen form, with its interval over seeds.
    """

    form: Form
    a: float
    b: float
    c: float
    aicc: dict[str, float]
    foresight: dict[str, float]
    support: float
    diverging: float
    runs: int
    horizon: int
    extrapolated: Interval


def fit(values: Array, generations: npt.NDArray[np.int64], seed: int = 0, confidence: float = 0.95) -> Fit | None:
    """The growth law of several recursions; None with fewer than `MINIMUM` generations or no complete recursion.

    Args:
        values: [runs, generations]; recursions that miss a generation are left out.
        generations: their numbers.
        seed: of the bootstrap.
        confidence: of the extrapolation's interval.
    """
    held = values[np.isfinite(values).all(axis=1)]
    n = generations.astype(float)
    if len(n) < MINIMUM or not len(held):
        return None
    weights = _weights(held, n)
    mean = held.mean(axis=0, keepdims=True)
    found = misfits(mean, n, weights)
    aicc = _scores(found, len(n))[0]
    laws, rising = _resampled(held, n, weights, seed)
    chosen = int(_choose(aicc[None])[0])
    if FORMS[chosen].grid and np.mean([law == FORMS[chosen].law for law in laws]) < AGREED:
        chosen = int(np.where([bool(form.grid) for form in FORMS], np.inf, aicc).argmin())
    form, place = FORMS[chosen], int(found.position[0, chosen])
    c = form.grid[place] if form.grid else np.nan
    a, b = _line(mean[0], form.shape(n, c), weights)
    horizon = int(2 * generations.max())
    return Fit(
        form=form,
        a=a,
        b=b,
        c=c,
        aicc={f.name: float(s - aicc.min()) for f, s in zip(FORMS, aicc, strict=True)},
        foresight=_foresight(mean, n, weights),
        support=float(np.mean([law == form.law for law in laws])),
        diverging=float(np.mean([law in DIVERGING and up for law, up in zip(laws, rising, strict=True)])),
        runs=len(held),
        horizon=horizon,
        extrapolated=_extrapolate(held, n, weights, form, c, horizon, confidence),
    )


def table(curves: Curves, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """One row per configuration and policy whose curves are long enough.

    Returns:
        Columns: config, policy, law, form, a, b, c, support, diverging, foresight (best law by prediction), agree,
        horizon, extrapolated, extrapolated_low, extrapolated_high, and `aicc <form>` per form.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for (config, policy), group in by_policy(curves):
        whole = group.lengths == group.lengths.max()
        reached = np.isfinite(group.values[whole]).all(axis=0)
        found = fit(group.values[whole][:, reached], group.generations[reached], seed, confidence)
        if found is not None:
            rows.append({"config": config, "policy": policy} | _record(found))
    return pd.DataFrame(rows)


def _record(found: Fit) -> dict[str, Any]:
    best = min(found.foresight, key=lambda name: found.foresight[name])
    law = next(f.law for f in FORMS if f.name == best)
    return {
        "law": found.form.law,
        "form": found.form.text,
        "a": found.a,
        "b": found.b,
        "c": found.c,
        "support": found.support,
        "diverging": found.diverging,
        "foresight": law,
        "agree": law == found.form.law,
        "horizon": found.horizon,
        "extrapolated": found.extrapolated.estimate,
        "extrapolated_low": found.extrapolated.low,
        "extrapolated_high": found.extrapolated.high,
    } | {f"aicc {name}": score for name, score in found.aicc.items()}


def _weights(values: Array, n: Array) -> Array:
    """Inverse variance of each generation's mean, smoothed as a power of n; equal weights without spread."""
    if len(values) < 3:
        return np.ones(len(n))
    variance = values.var(axis=0, ddof=1)
    if not (variance > 0).all():
        return np.ones(len(n))
    slope, level = np.polyfit(np.log(n), np.log(variance), 1)
    return np.asarray(np.exp(-(level + slope * np.log(n))))


def _scores(found: Misfits, generations: int) -> Array:
    """AICc, [curves, forms], with edge solutions rejected."""
    return np.where(found.edge, np.inf, scores(found.squares, generations))


def _choose(aicc: Array) -> npt.NDArray[np.int64]:
    """The form of each curve: fewest parameters within `PARSIMONY` of the best score; of these the best score."""
    count = np.array([form.parameters for form in FORMS], dtype=float)
    near = aicc <= aicc.min(axis=1, keepdims=True) + PARSIMONY
    fewest = np.where(near, count, np.inf).min(axis=1, keepdims=True)
    return np.asarray(np.where(near & (count == fewest), aicc, np.inf).argmin(axis=1), dtype=np.int64)


def _resampled(values: Array, n: Array, weights: Array, seed: int) -> tuple[list[str], list[bool]]:
    """Laws chosen for `DRAWS` bootstrap means over recursions, and whether these rise."""
    rng = np.random.default_rng(seed)
    shares = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=DRAWS) / len(values)
    found = misfits(shares @ values, n, weights)
    chosen = _choose(_scores(found, len(n)))
    return [FORMS[i].law for i in chosen], found.rising[np.arange(DRAWS), chosen].tolist()


def _foresight(mean: Array, n: Array, weights: Array) -> dict[str, float]:
    """Error of predicting the last quarter of the generations from the others, by form."""
    kept = max(len(n) - max(1, len(n) // 4), 4)
    found = misfits(mean[:, :kept], n[:kept], weights[:kept])
    errors = {}
    for i, form in enumerate(FORMS):
        c = form.grid[int(found.position[0, i])] if form.grid else np.nan
        a, b = _line(mean[0, :kept], form.shape(n[:kept], c), weights[:kept])
        miss = a + b * form.shape(n, c)[kept:] - mean[0, kept:]
        errors[form.name] = float(np.sqrt((miss**2).mean()))
    return errors


def _line(y: Array, x: Array, weights: Array) -> tuple[float, float]:
    """Weighted least squares of a + b·x; b is 0 where x is constant."""
    w = weights / weights.sum()
    centred = x - w @ x
    spread = float(w @ centred**2)
    b = float(w @ (centred * y)) / spread if spread > 0 else 0.0
    return float(w @ y - b * (w @ x)), b


def _extrapolate(
    values: Array, n: Array, weights: Array, form: Form, c: float, horizon: int, confidence: float
) -> Interval:
    """The form's value at `horizon`, with Student's interval over recursions.

    The prediction is linear in a curve once the form is linearised in c around its estimate, so each recursion gives
    one prediction, and the interval holds what c's uncertainty adds.
    """
    ahead = np.append(n, float(horizon))
    shape = form.shape(ahead, c)
    basis = [np.ones_like(ahead)] if form.law == FLAT else [np.ones_like(ahead), shape]
    if form.grid:
        step = 1e-4 * c
        basis.append((form.shape(ahead, c + step) - form.shape(ahead, c - step)) / (2 * step))
    design = np.stack(basis, axis=1)
    root = np.sqrt(weights)
    functional = design[-1] @ np.linalg.pinv(design[:-1] * root[:, None]) * root
    return t_interval(np.asarray(values @ functional), confidence)
