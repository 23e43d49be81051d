"""Someone else's runs: a tidy csv or parquet, its columns mapped to ours, as a frame like any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import frame as frames
from analysis.data.frame import IDENTITY

if TYPE_CHECKING:
    import pandas as pd

READERS = (".csv", ".csv.gz", ".tsv", ".parquet")
RUN = "run"
"""A column that names runs, for a file whose seeds are not given; such runs are never paired across policies."""
_TEXT = ("study", "family", "policy", "architecture", "size")
_MAPPABLE = (*IDENTITY, RUN, "parameters")


def is_file(path: str | Path) -> bool:
    """Whether `load` should read this path as a table rather than as a workspace."""
    return str(path).lower().endswith(READERS)


def parse_columns(pairs: list[str]) -> dict[str, str]:
    """`["test_loss=Squared Error", "policy=Setting"]` as a mapping of our names to the file's.

    Raises:
        ValueError: a pair has no `=`.
    """
    mapping = {}
    for pair in pairs:
        ours, separator, theirs = pair.partition("=")
        if not separator or not ours or not theirs:
            raise ValueError(f"columns: {pair!r} is not OURS=THEIRS, as in test_loss=loss")
        mapping[ours.strip()] = theirs.strip()
    return mapping


def read(path: str | Path, columns: Mapping[str, str] | None = None, study: str | None = None) -> pd.DataFrame:
    """A tidy table of runs as a frame.

    Columns that are neither mapped nor named as ours become hyperparameters where they are constant within each run,
    metrics where they are numbers that change; words that change are left out. Generations are renumbered from 1.

    Args:
        path: one row per run and generation.
        columns: our name -> the file's. Needed: `generation`, `test_loss`, `policy`; `family.NAME` maps a
            hyperparameter. A run is what `run` names, or else every combination of seed, policy, architecture, size,
            rows and mapped hyperparameters.
        study: name to give the study; default the file's.

    Raises:
        ValueError: a column is missing, is no number where one is needed, or rows are ambiguous; one line each.
    """
    table = _renamed(_table(Path(path)), dict(columns or {}), Path(path).name)
    for name in ("generation", "test_loss"):
        table[name] = _numbers(table, name)
    table = table[table["test_loss"].notna() & table["generation"].notna()]
    if table.empty:
        raise ValueError(f"test_loss: {Path(path).name} has no row with a number")
    table["generation"] = table["generation"].astype(np.int64) - int(table["generation"].min()) + 1
    return frames.arrange(_complete(table.reset_index(drop=True), study or Path(path).stem))


def _table(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",")


def _renamed(table: pd.DataFrame, columns: dict[str, str], name: str) -> pd.DataFrame:
    """Our names for mapped columns."""
    from trainables.config import suggest

    for ours, theirs in columns.items():
        if theirs not in table:
            raise ValueError(
                f"columns.{ours}: {name} has no column {theirs!r}{suggest(theirs, map(str, table.columns))}"
            )
        if ours not in _MAPPABLE and not ours.removeprefix("family.").replace("_", "").isalnum():
            raise ValueError(f"columns.{ours}: not a name (known: {', '.join(_MAPPABLE)}, family.NAME, or a metric's)")
    table = table.drop(columns=[c for c in columns if c in table and columns[c] != c and c not in columns.values()])
    table = table.rename(columns={theirs: ours for ours, theirs in columns.items()})
    for needed in ("generation", "test_loss", "policy"):
        if needed not in table:
            raise ValueError(f"columns.{needed}: {name} has no such column; name it ({needed}=…)")
    return table


def _numbers(table: pd.DataFrame, name: str) -> pd.Series[float]:
    import pandas as pd

    try:
        return pd.to_numeric(table[name]).astype(float)
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{name}: the column holds something that is no number ({problem})") from problem


def _complete(table: pd.DataFrame, study: str) -> pd.DataFrame:
    """Fill in identity: cells, seeds, configurations."""
    import pandas as pd

    defaults: dict[str, Any] = {"study": study, "family": "imported", "architecture": "", "size": "", "status": "done"}
    for name, value in defaults.items():
        if name not in table:
            table[name] = value
    for name in _TEXT:
        table[name] = table[name].fillna("").astype(str)
    own = [c for c in table.columns if c.startswith("family.")]
    keys = [RUN] if RUN in table else [c for c in ("seed", *_TEXT, *_known(table), *own) if c in table]
    run = table.groupby(keys, sort=False, dropna=False).ngroup()
    constant = _constant(table, run, [c for c in table.columns if c not in (*_MAPPABLE, *own)])
    if "seed" not in table:
        table["seed"] = run
    table["seed"] = (
        pd.factorize(table["seed"])[0] if not pd.api.types.is_integer_dtype(table["seed"]) else table["seed"]
    )
    table = table.rename(columns={c: f"family.{c}" for c in constant})
    if "replicates" not in table:
        table["replicates"] = 1
    held = ["family", "architecture", "size", *_known(table), *own, *(f"family.{c}" for c in constant)]
    table["config"] = _named(table, held)
    table["cell"] = _named(table.assign(run=run), ["study", "run"])
    _refuse_repeats(table)
    words = [c for c in table.columns if c not in (*IDENTITY, *_MAPPABLE) and not c.startswith("family.")]
    words = [c for c in words if not pd.api.types.is_numeric_dtype(table[c])]
    return table.drop(columns=[*words, RUN], errors="ignore")


def _known(table: pd.DataFrame) -> list[str]:
    return [c for c in ("rows", "replicates", "parameters") if c in table]


def _constant(table: pd.DataFrame, run: pd.Series[int], others: list[str]) -> list[str]:
    """Of columns that nobody mapped, those that are constant within every run, and not another name for the run."""
    if not others:
        return []
    changes = table[others].groupby(run).nunique(dropna=False).gt(1).any()
    runs = int(run.nunique())
    return [c for c in others if not changes[c] and (runs == 1 or table[c].nunique(dropna=False) < runs)]


def _named(table: pd.DataFrame, columns: list[str]) -> pd.Series[str]:
    """A short name for each combination of values, stable over files."""
    import hashlib

    import pandas as pd

    number = table.groupby(columns, sort=False, dropna=False).ngroup().to_numpy()
    first = table[columns].iloc[np.unique(number, return_index=True)[1]]
    names = [
        hashlib.sha256(repr([frames.short(v) for v in row]).encode()).hexdigest()[:10]
        for row in first.itertuples(index=False, name=None)
    ]
    return pd.Series(np.array(names, dtype=object)[number], index=table.index)


def _refuse_repeats(table: pd.DataFrame) -> None:
    repeated = table.duplicated(["cell", "generation"])
    if repeated.any():
        row = table.loc[repeated].iloc[0]
        raise ValueError(
            f"generation: {int(repeated.sum())} rows repeat a generation of the same run (first: policy "
            f"{row['policy']!r}, generation {row['generation']}); map what tells runs apart (seed, run, family.NAME)"
        )
