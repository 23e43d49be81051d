"""Which hyperparameters growth depends on, per policy, and which ones the policy interacts with.

A random forest predicts relative growth from a configuration's hyperparameters; the importance of one is what
shuffling it costs in R² on held-out configurations (permutation importance, Breiman 2001; scikit-learn). Where the
forest predicts nothing, importances mean nothing: its cross-validated R² stands beside them.

Beside it PED-ANOVA, which fits no model (Watanabe, Bansal & Hutter, "PED-ANOVA: Efficiently quantifying
hyperparameter importance in arbitrary subspaces", IJCAI 2023): how far the best configurations' values of a
hyperparameter are spread otherwise than all configurations', by the Pearson divergence of their densities. It sees
single hyperparameters only, permutation sees interactions too.

A configuration that diverged grows without bound: for PED-ANOVA it is among the worst, where Optuna 5.0.0's evaluators
drop it (`findings/importance_of_divergence.sh`). The forest, which needs numbers, is fitted to the others, and says
nothing where these are too few; PED-ANOVA still does.
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
BEST = 0.25
"""Share of configurations, those that grow least, which PED-ANOVA compares with all."""
_GRID = 50


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
        effects: one row per configuration and policy: `config`, `policy`, `growth` (relative; inf where a recursion
            diverged), hyperparameters.
        seed: of the forest, the folds and the shuffles.

    Returns:
        Columns: policy ("between policies" for the effect on how far policies lie apart), parameter, importance,
        low, high (over folds and shuffles: mean ± 1.96 standard errors), ped_anova (shares that sum to 1), r2
        (cross-validated), configurations, diverged (of them). The forest's are NaN where fewer than `CONFIGURATIONS`
        are finite.
    """
    import pandas as pd

    rows = []
    for policy, own in effects.groupby("policy", sort=True):
        rows += _of(own, own["growth"].to_numpy(), str(policy), seed)
    if effects["policy"].nunique() > 1:
        with np.errstate(invalid="ignore"):
            spread = effects.groupby("config")["growth"].agg(np.ptp)
        own = effects.drop_duplicates("config").set_index("config", drop=False)
        own = own[effects.groupby("config")["policy"].nunique().reindex(own.index) == effects["policy"].nunique()]
        rows += _of(own, spread.reindex(own.index).to_numpy(), "between policies", seed)
    return pd.DataFrame(rows)


def _of(own: pd.DataFrame, target: Array, policy: str, seed: int) -> list[dict[str, Any]]:
    import pandas as pd

    known = ~np.isnan(target)
    every, grown = features(own)[known], target[known]
    usable = np.isfinite(grown)
    if len(every) < CONFIGURATIONS or every.shape[1] == 0 or usable.sum() < 2 or len(np.unique(grown)) == 1:
        return []
    forest = _forest(every[usable], grown[usable], seed)
    found = pd.DataFrame({"parameter": every.columns}).assign(**forest)
    found["parameter"] = found["parameter"].astype(str).str.removeprefix("family.")
    found["ped_anova"] = ped_anova(every.to_numpy(), grown)
    found["r2"] = found.pop("r2")
    found.insert(0, "policy", policy)
    found = found.assign(configurations=len(grown), diverged=int((~usable).sum()))
    return [{str(name): value for name, value in row.items()} for row in found.to_dict("records")]


def _forest(table: pd.DataFrame, target: Array, seed: int) -> dict[str, Array | float]:
    """Permutation importances with bounds, [parameters], and R²; NaN where configurations are too few or alike."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.model_selection import KFold

    if len(table) < CONFIGURATIONS or target.std() == 0:
        return dict.fromkeys(("importance", "low", "high", "r2"), np.nan)
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
    folds = np.stack([c.mean(axis=1) for c in costs])
    mean, error = folds.mean(axis=0), folds.std(axis=0, ddof=1) / np.sqrt(_FOLDS)
    r2 = 1 - float(((target - predicted) ** 2).mean() / target.var())
    return {"importance": mean, "low": mean - 1.96 * error, "high": mean + 1.96 * error, "r2": r2}


def ped_anova(values: Array, target: Array, best: float = BEST) -> Array:
    """Shares of importance for being among the configurations with the least target, [parameters], summing to 1.

    Args:
        values: [configurations, parameters], codes for words.
        target: [configurations], inf where one diverged.
        best: share of configurations that counts as such; where more diverged, those that did not.
    """
    finite = int(np.isfinite(target).sum()) or len(target)
    chosen = np.argsort(target, kind="stable")[: min(max(2, round(best * len(target))), finite)]
    found = np.array([divergence(column[chosen], column) for column in values.T])
    total = found.sum()
    return found / total if total > 0 else found


def divergence(some: Array, every: Array) -> float:
    """Pearson divergence Σ q·(p/q − 1)² of the density p of some values from that of all, q.

    On at most `_GRID` places: the values themselves where there are fewer, else evenly spaced ranks of all values, so
    that a logarithmic spread needs no other treatment. Densities are Gaussian kernels with Scott's width over ranks, or
    frequencies, with one count spread evenly over the places in either.
    """
    places = np.unique(every)
    if len(places) <= _GRID // 5:
        p, q = (np.array([(part == place).sum() for place in places]) + 1 / len(places) for part in (some, every))
    else:
        p, q = (_density(np.searchsorted(np.sort(every), part) / len(every)) for part in (some, every))
    p, q = p / p.sum(), q / q.sum()
    return float((q * (p / q - 1) ** 2).sum())


def _density(ranks: Array) -> Array:
    grid = (np.arange(_GRID) + 0.5) / _GRID
    width = max(ranks.std(ddof=1), 1 / _GRID) * len(ranks) ** -0.2
    kernels = np.exp(-0.5 * ((grid - ranks[:, None]) / width) ** 2)
    return np.asarray((kernels / kernels.sum(axis=1, keepdims=True)).sum(axis=0) + 1 / _GRID)
