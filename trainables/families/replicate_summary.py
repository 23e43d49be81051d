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
    return summarise_each({name: np.asarray(value)[None] for name, value in values.items()}, extra, spread)[0]


def summarise_each(
    values: Mapping[str, np.ndarray], extra: Mapping[str, float] | None = None, spread: Collection[str] = ("test_loss",)
) -> list[Evaluation]:
    """The evaluations of several vectorised models, each as `summarise` has it: values are [models, replicates].

    Raises:
        Diverged: a replicate's `test_loss` is not finite, of whichever model.
    """
    for loss in values["test_loss"]:
        lost = int((~np.isfinite(loss)).sum())
        if lost:
            raise Diverged(f"the held-out loss is not finite in {lost} of {len(loss)} replicates")
    with np.errstate(over="ignore", invalid="ignore"):
        tables = _figures(values, spread)
    return [
        Evaluation(metrics.pop("test_loss"), metrics | dict(extra or {}), {name: v[n] for name, v in values.items()})
        for n, metrics in enumerate(tables)
    ]


def figures(values: Mapping[str, float | np.ndarray]) -> dict[str, float]:
    """Metrics of which some are every replicate's value, [replicates], as means and standard errors."""
    found: dict[str, float] = {}
    for name, value in values.items():
        found |= _figures({name: np.atleast_1d(value)[None]}, ())[0]
    return found


def _figures(values: Mapping[str, np.ndarray], spread: Collection[str]) -> list[dict[str, float]]:
    """Each model's means, standard errors and quantiles of metrics [models, replicates], worked out side by side."""
    table = np.array(list(values.values()), dtype=float)
    count, found = table.shape[2], [dict[str, float]() for _ in range(table.shape[1])]
    means = table.mean(axis=2).tolist()
    errors = (table.std(axis=2, ddof=1) / np.sqrt(count)).tolist() if count > 1 else []
    for place, (name, value) in enumerate(values.items()):
        wide = _quantiles(value).tolist() if count > 1 and name in spread else []
        for model, figures in enumerate(found):
            figures[name] = means[place][model]
            if count > 1:
                figures[f"{name}_se"] = errors[place][model]
            if wide:
                figures |= {f"{name}_{label}": q for label, q in zip(QUANTILES, wide[model], strict=True)}
    return found


def _quantiles(values: np.ndarray) -> np.ndarray:
    """The `QUANTILES` of rows by linear interpolation, [rows, 3], as `np.quantile` has them to the last digit, without
    what it spends on other methods."""
    ordered = np.sort(values, axis=1)
    place = np.array(list(QUANTILES.values())) * (values.shape[1] - 1)
    low = place.astype(int)
    share, below, above = place - low, ordered[:, low], ordered[:, low + 1]
    step = above - below
    found: np.ndarray = np.where(share < 0.5, below + step * share, above - step * (1 - share))
    found[np.isnan(ordered[:, -1])] = np.nan
    return found
