"""Which hyperparameters growth depends on, per policy, and which ones the policy interacts with.

A random forest predicts relative growth from a configuration's hyperparameters; the importance of one is what
shuffling it costs in R² on held-out configurations (permutation importance, Breiman 2001; scikit-learn). Where the
forest predicts nothing, importances mean nothing: its cross-validated R² stands beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.data import parameters

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
CONFIGURATIONS = 12
"""Configurations below which nothing is said."""
_FOLDS = 4
_TREES = 60
_REPEATS = 5


def features(runs: pd.DataFrame) -> pd.DataFrame:
    """Hyperparameters that vary, as numbers: words become codes in alphabetical order (trees need no more)."""
    import pandas as pd

    columns = [*parameters(runs), *(c for c in ("architecture", "size") if c in runs)]
    varied = {c: runs[c] for c in columns if runs[c].nunique(dropna=False) > 1}
    coded = {c: v if pd.api.types.is_numeric_dtype(v) else pd.factorize(v, sort=True)[0] for c, v in varied.items()}
    table = pd.DataFrame(coded, index=runs.index).astype(float).fillna(-1.0)
    return table.loc[:, ~table.T.duplicated()]


def importances(effects: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Importance of each hyperparameter, per policy and, for their interaction with the policy, between policies.

    Args:
        effects: one row per configuration and policy: `config`, `policy`, `growth` (relative), hyperparameters.
        seed: of the forest, the folds and the shuffles.

    Returns:
        Columns: policy ("between policies" for the effect on how far policies lie apart), parameter, importance,
        low, high (over folds and shuffles: mean ± 1.96 standard errors), r2 (cross-validated), configurations.
    """
    import pandas as pd

    rows = []
    for policy, own in effects.groupby("policy", sort=True):
        rows += _of(own, own["growth"].to_numpy(), str(policy), seed)
    if effects["policy"].nunique() > 1:
        spread = effects.groupby("config")["growth"].agg(np.ptp)
        own = effects.drop_duplicates("config").set_index("config", drop=False)
        own = own[effects.groupby("config")["policy"].nunique().reindex(own.index) == effects["policy"].nunique()]
        rows += _of(own, spread.reindex(own.index).to_numpy(), "between policies", seed)
    return pd.DataFrame(rows)


def _of(own: pd.DataFrame, target: Array, policy: str, seed: int) -> list[dict[str, Any]]:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    usable = np.isfinite(target)
    table, target = features(own)[usable], target[usable]
    if len(table) < CONFIGURATIONS or table.shape[1] == 0 or target.std() == 0:
        return []
    costs, predicted = [], np.empty(len(target))
    for train, test in KFold(_FOLDS, shuffle=True, random_state=seed).split(table):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed)
        forest.fit(table.to_numpy()[train], target[train])
        predicted[test] = forest.predict(table.to_numpy()[test])
        found = permutation_importance(
            forest,
            table.to_numpy()[test],
            target[test],
            n_repeats=_REPEATS,
            random_state=seed,
            scoring="neg_mean_squared_error",
        )
        costs.append(found.importances / target.var())
    r2 = 1 - float(((target - predicted) ** 2).mean() / target.var())
    folds = np.stack([c.mean(axis=1) for c in costs])
    error = folds.std(axis=0, ddof=1) / np.sqrt(_FOLDS)
    return [
        {
            "policy": policy,
            "parameter": str(name).removeprefix("family."),
            "importance": float(mean),
            "low": float(mean - 1.96 * e),
            "high": float(mean + 1.96 * e),
            "r2": r2,
            "configurations": len(target),
        }
        for name, mean, e in zip(table.columns, folds.mean(axis=0), error, strict=True)
    ]
