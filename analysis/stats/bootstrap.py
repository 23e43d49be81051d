"""Hierarchical bootstrap: the mean over configurations, resampling configurations and then seeds within them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analysis.stats.intervals import Interval

Array = npt.NDArray[np.float64]
DRAWS = 2000
GROUPS = 4
"""Configurations below which there is no interval: so few can't speak for others."""
_MANY = 64
_CHUNK = 2_000_000


def hierarchical(
    groups: Sequence[Array], rng: np.random.Generator, confidence: float = 0.95, draws: int = DRAWS
) -> Interval:
    """Mean over groups of each group's mean, with a studentised bootstrap interval.

    Each draw takes as many groups with replacement as there are, and of each of these as many values with
    replacement as it has; its mean is divided by its own standard error between groups (bootstrap-t; Davison &
    Hinkley 1997, section 5.2), since plain percentiles cover too little with few groups. The mean of a group of more
    than 64 values is drawn from its normal limit.

    Args:
        groups: values of each configuration, one per recursion; NaNs are left out.
        rng: source of the draws.
        confidence: of the interval.
        draws: bootstrap samples.

    Returns:
        `runs` counts groups. No interval with fewer than `GROUPS`, nor without spread between groups.
    """
    held = [np.asarray(g)[np.isfinite(g)] for g in groups]
    held = [g for g in held if len(g)]
    means = np.array([g.mean() for g in held])
    if not len(means):
        return Interval(np.nan, np.nan, np.nan, np.nan, 0, np.nan)
    mean, count = float(means.mean()), len(means)
    error = float(means.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan
    if count < GROUPS or not error > 0:
        return Interval(mean, np.nan, np.nan, error, count, np.nan)
    drawn = _draw(held, rng, draws)
    spread = drawn.std(axis=1, ddof=1) / np.sqrt(count)
    pivot = (drawn.mean(axis=1) - mean)[spread > 0] / spread[spread > 0]
    low, high = np.quantile(pivot, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean, mean - float(high) * error, mean - float(low) * error, error, count, np.nan)


def _draw(groups: Sequence[Array], rng: np.random.Generator, draws: int) -> Array:
    """Means of the resampled groups, [draws, groups]."""
    sizes = np.array([len(g) for g in groups])
    small = sizes <= _MANY
    width = int(sizes[small].max(initial=1))
    table = np.full((len(groups), width), np.nan)
    for row, group, fits in zip(table, groups, small, strict=True):
        if fits:
            row[: len(group)] = group
    means = np.array([g.mean() for g in groups])
    errors = np.array([g.std() / np.sqrt(len(g)) for g in groups])
    parts = []
    step = max(1, _CHUNK // (len(groups) * width))
    for start in range(0, draws, step):
        picked = rng.integers(0, len(groups), (min(step, draws - start), len(groups)))
        who = (rng.random((*picked.shape, width)) * np.minimum(sizes, width)[picked][..., None]).astype(np.int64)
        values = table[picked[..., None], who]
        own = np.arange(width) < sizes[picked][..., None]
        few = np.where(own, values, 0.0).sum(axis=2) / np.minimum(sizes, width)[picked]
        many = means[picked] + errors[picked] * rng.standard_normal(picked.shape)
        parts.append(np.where(small[picked], few, many))
    return np.concatenate(parts)
