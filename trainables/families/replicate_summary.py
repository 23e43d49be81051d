"""Many replicates' figures as one evaluation: means, standard errors, quantiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from trainables.families.base import Diverged, Evaluation

QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


def summarise(
    values: Mapping[str, np.ndarray], extra: Mapping[str, float] | None = None, spread: Collection[str] = ("test_loss",)
) -> Evaluation:
    """The evaluation of a vectorised model.

    Args:
        values: every replicate's value by metric name, [replicates]; `test_loss` among them.
        extra: metrics that are one number for all replicates.
        spread: metrics whose 5 %, 50 % and 95 % quantiles are reported too.

    Raises:
        Diverged: a replicate's `test_loss` is not finite.
    """
    loss = values["test_loss"]
    lost = int((~np.isfinite(loss)).sum())
    if lost:
        raise Diverged(f"the held-out loss is not finite in {lost} of {len(loss)} replicates")
    with np.errstate(over="ignore", invalid="ignore"):
        metrics = _figures(values, spread)
    mean = metrics.pop("test_loss")
    return Evaluation(mean, metrics | dict(extra or {}), dict(values))


def figures(values: Mapping[str, float | np.ndarray]) -> dict[str, float]:
    """Metrics of which some are every replicate's value, [replicates], as means and standard errors."""
    found: dict[str, float] = {}
    for name, value in values.items():
        found |= _figures({name: np.atleast_1d(value)}, ())
    return found


def _figures(values: Mapping[str, np.ndarray], spread: Collection[str]) -> dict[str, float]:
    """Means, standard errors and quantiles of all metrics, which are worked out side by side."""
    table = np.stack([np.asarray(value, dtype=float) for value in values.values()])
    count, figures = table.shape[1], dict[str, float]()
    means = table.mean(axis=1).tolist()
    errors = (table.std(axis=1, ddof=1) / np.sqrt(count)).tolist() if count > 1 else []
    for place, (name, value) in enumerate(values.items()):
        figures[name] = means[place]
        if count > 1:
            figures[f"{name}_se"] = errors[place]
            if name in spread:
                figures |= {
                    f"{name}_{label}": q for label, q in zip(QUANTILES, _quantiles(value).tolist(), strict=True)
                }
    return figures


def _quantiles(values: np.ndarray) -> np.ndarray:
    """The `QUANTILES` by linear interpolation, as `np.quantile` has them to the last digit, without what it spends on
    other methods."""
    ordered = np.sort(values)
    if np.isnan(ordered[-1]):
        return np.full(len(QUANTILES), np.nan)
    place = np.array(list(QUANTILES.values())) * (len(values) - 1)
    low = place.astype(int)
    share, below, above = place - low, ordered[low], ordered[low + 1]
    step = above - below
    found: np.ndarray = np.where(share < 0.5, below + step * share, above - step * (1 - share))
    return found
