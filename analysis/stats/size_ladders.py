"""Configurations that differ in size alone, and the scaling laws that each policy shows on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.data import parameters
from analysis.stats.curves import Curves, block_of
from analysis.stats.scaling import SIZES, Estimate, Law, bootstrap
from trainables.families import FAMILIES

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
CHANGED, UNCHANGED, UNCLEAR = "changes", "does not change", "undecided"
TOLERANCE = 0.1


def model_sizes(runs: pd.DataFrame) -> Array:
    """Parameters of each run's model, [runs]: the column `parameters`, else what the family says of the config."""
    if "parameters" in runs:
        return np.asarray(runs["parameters"], dtype=np.float64)
    if "cell_config" not in runs:
        return np.full(len(runs), np.nan)
    known: dict[str, float] = {}
    for config, text in runs.drop_duplicates("config")[["config", "cell_config"]].itertuples(index=False):
        known[config] = _parameters(str(text))
    return np.asarray(runs["config"].map(known), dtype=np.float64)


def ladders(runs: pd.DataFrame) -> list[tuple[dict[str, Any], npt.NDArray[np.int64]]]:
    """Groups of `SIZES` or more sizes whose runs share everything else (rows may vary).

    A hyperparameter that has one value per size belongs to the size.

    Args:
        runs: of one family, with a column `parameters`.

    Returns:
        What the group has in common, and the positions of its runs.
    """
    found = []
    for (architecture, policy), rows in runs.groupby(["architecture", "policy"], sort=True, dropna=False):
        free = [c for c in parameters(rows) if c not in ("rows", "replicates") and not _follows(rows, c)]
        parts = rows.groupby(free, dropna=False, sort=True) if free else [((), rows)]
        for values, part in parts:
            if part["parameters"].nunique() >= SIZES:
                common = {"architecture": architecture, "policy": policy}
                common |= dict(zip(free, np.atleast_1d(np.array(values, dtype=object)), strict=False))
                found.append((common, runs.index.get_indexer(part.index).astype(np.int64)))
    return found


def laws(curves: Curves, family: str, seed: int = 0, confidence: float = 0.95) -> pd.DataFrame:
    """One row per ladder and generation.

    Returns:
        Columns: ladder, family, architecture, policy, further hyperparameters in common, configs (ids, by spaces);
        generation, sizes, cells; alpha, floor (and beta where rows vary), alpha_change and floor_change against
        generation 1, each with _low and _high; factor; verdict on definition 5, which never says that a law does not
        change where a recursion diverged.
    """
    import pandas as pd

    sized = curves.runs.assign(parameters=model_sizes(curves.runs)).reset_index(drop=True)
    usable = np.isfinite(sized["parameters"].to_numpy()) & (sized["parameters"].to_numpy() > 0)
    held = curves.select(usable)
    tables = []
    for number, (common, places) in enumerate(ladders(sized[usable].reset_index(drop=True))):
        part = held.select(places)
        sizes = sized[usable]["parameters"].to_numpy()[places]
        configs = " ".join(sorted(part.runs["config"].unique()))
        named = {"ladder": number, "family": family} | common | {"configs": configs}
        tables += _ladder(part, sizes, named, seed, confidence)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _ladder(part: Curves, sizes: Array, common: dict[str, Any], seed: int, confidence: float) -> list[pd.DataFrame]:
    import pandas as pd

    complete, reached = block_of(part.values)
    rows = part.runs["rows"].to_numpy(dtype=float)[complete]
    varied = len(np.unique(rows)) >= 3
    law = bootstrap(sizes[complete], part.values[complete][:, reached], rows if varied else None, seed, confidence)
    if law is None:
        return []
    table = pd.DataFrame(_rows(law)).assign(**common, sizes=len(np.unique(sizes[complete])), cells=int(complete.sum()))
    table.insert(0, "generation", part.generations[reached])
    if part.runs["diverged"].any():  # the law is of the others
        table["verdict"] = table["verdict"].replace(UNCHANGED, UNCLEAR)
    names = [*common, "generation", "sizes", "cells"]
    return [table[[*names, *(c for c in table.columns if c not in names)]]]


def _rows(law: Law) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for name in ("alpha", "floor", "beta", "alpha_change", "floor_change"):
        estimates = getattr(law, name)
        if estimates:
            columns[name] = [e.value for e in estimates]
            columns[f"{name}_low"] = [e.low for e in estimates]
            columns[f"{name}_high"] = [e.high for e in estimates]
    columns["factor"] = law.factor
    pairs = list(zip(law.alpha_change, law.floor_change, strict=True))[1:]
    columns["verdict"] = ["", *(verdict(law.alpha[0], law.floor[0], *pair) for pair in pairs)]
    return columns


def verdict(alpha: Estimate, floor: Estimate, change: Estimate, lift: Estimate, tolerance: float = TOLERANCE) -> str:
    """Definition 5, of one generation against the first.

    The law changes if the interval of the exponent's or of the floor's change excludes 0. It does not change if both
    intervals lie within `tolerance` of the first generation's exponent and floor. Otherwise undecided.

    Args:
        alpha: exponent of the first generation.
        floor: its floor.
        change: of the exponent.
        lift: of the floor.
        tolerance: relative change that counts as none.
    """
    bounds = [change.low, change.high, lift.low, lift.high]
    if not np.isfinite(bounds).all():
        return UNCLEAR
    if change.low > 0 or change.high < 0 or lift.low > 0 or lift.high < 0:
        return CHANGED
    within = max(-change.low, change.high) <= tolerance * abs(alpha.value)
    flat = max(-lift.low, lift.high) <= tolerance * abs(floor.value)
    return UNCHANGED if within and flat else UNCLEAR


def _follows(rows: pd.DataFrame, column: str) -> bool:
    """Whether a hyperparameter is constant, or has one value per size."""
    return bool((rows.groupby("parameters")[column].nunique(dropna=False) <= 1).all())


def _parameters(config: str) -> float:
    """Parameters of a cell's model, NaN for a config that this version does not know."""
    import json

    cell = json.loads(config)
    family = cell["family"]
    if family["kind"] not in FAMILIES:
        return np.nan
    try:
        return float(FAMILIES.get(family["kind"]).model_validate(family).cost(cell.get("rows", 100)).parameters)
    except ValueError:
        return np.nan
