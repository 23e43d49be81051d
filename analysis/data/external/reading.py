"""Someone else's runs: a tidy csv or parquet, its columns mapped to ours, as a frame like any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data import frame as frames
from analysis.data.external.table_files import table_of
from analysis.data.external.table_notes import ASIDE, DOUBT, FIRST, TURNED, suspicion
from analysis.data.frame import IDENTITY
from trainables.config import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

READERS = (".csv", ".csv.gz", ".tsv", ".parquet")
RUN = "run"
"""A column that names runs, for a file whose seeds are not given; such runs are never paired across policies."""
_NAN = ("nan", "-nan", "+nan")
"""How programs write a result that is no number; an empty place, or NA, is one that was not written down."""
_NO_NUMBER = "no_number"
_TEXT = ("study", "family", "policy", "architecture", "size")
_CONFIGURES, _OF_POLICY = ("family.", "population."), ("policy.", "fork.")
"""Beginnings of columns that tables of our own have: of a configuration, and of what becomes the policy's name."""
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


_DATE = re.compile(r"(\d{4}([-/.])\d{1,2}\2\d{1,2}|\d{1,2}([-/.])\d{1,2}\3\d{4})([T ,].*)?")


def read(
    path: str | Path, columns: Mapping[str, str] | None = None, study: str | None = None, worse: str | None = None
) -> pd.DataFrame:
    """A tidy table of runs as a frame.

    Columns that are neither mapped nor named as ours become hyperparameters where they are constant within each run,
    metrics where they are numbers that change; words that change are left out. Generations are renumbered
    from 1; `attrs["first_generation"]` is what the file calls the first, `attrs["turned"]` a loss whose sign was
    turned. A column that follows from the policy, and one of dates, is no hyperparameter, which would keep runs from
    being compared, unless it is mapped; `attrs["set_aside"]` names them.

    Args:
        path: one row per run and generation.
        columns: our name -> the file's. Needed: `generation`, `test_loss`, `policy`; `family.NAME` maps a
            hyperparameter. A run is what `run` names, or else every combination of seed, policy, architecture, size,
            rows and mapped hyperparameters.
        study: name to give the study; default the file's.
        worse: `lower` where `test_loss` is mapped to a figure that is better when it is larger, as an accuracy or a
            log-likelihood; its sign is turned, so that growth is for the worse everywhere. None is `higher`, but
            verdicts are withheld where `suspicion` says that it may be such a figure (`attrs["doubt"]`).

    Raises:
        ValueError: a column is missing, is no number where one is needed, or rows are ambiguous; one line each.
    """
    table = _renamed(table_of(Path(path)), dict(columns or {}), Path(path).name)
    table = table.assign(**{_NO_NUMBER: _no_number(table["test_loss"])}).apply(_without_nan)
    for name in ("generation", "test_loss"):
        table[name] = _numbers(table, name)
    if worse not in (None, "higher", "lower"):
        raise ValueError(f"worse: {worse!r} is neither higher nor lower")
    if worse == "lower":
        table["test_loss"] = -table["test_loss"]
    table.loc[table.pop(_NO_NUMBER), "test_loss"] = np.inf  # an event, and the worst value; an empty place is neither
    table = table[table["test_loss"].notna() & table["generation"].notna()]
    if table.empty:
        raise ValueError(f"test_loss: {Path(path).name} has no row with a number")
    broken = table.loc[table["generation"] % 1 != 0, "generation"]
    if len(broken):
        raise ValueError(
            f"generation: {broken.iloc[0]:g} is no whole number; map what counts fits of one model after another"
        )
    first = int(table["generation"].min())
    table["generation"] = table["generation"].astype(np.int64) - first + 1
    whole = _complete(table.reset_index(drop=True), study or Path(path).stem)
    found = frames.arrange(whole)
    name = (columns or {}).get("test_loss", "test_loss") if worse == "lower" else ""
    doubt = "" if worse else suspicion(columns or {}, found)
    found.attrs |= {FIRST: first, ASIDE: whole.attrs.get(ASIDE, {}), TURNED: name, DOUBT: doubt}
    return found


def _no_number(column: pd.Series[Any]) -> pd.Series[bool]:
    """Where a result is written that is no number."""
    return column.map(lambda value: isinstance(value, str) and value.strip().lower() in _NAN).astype(bool)


def _without_nan(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column as pandas would have read it, had it taken what is no number for what is missing."""
    import pandas as pd

    found = _no_number(column)
    if not found.any():
        return column
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column.mask(found)


def _renamed(table: pd.DataFrame, columns: dict[str, str], name: str) -> pd.DataFrame:
    """Our names for mapped columns."""
    for ours, theirs in columns.items():
        if theirs not in table:
            raise ValueError(
                f"columns.{ours}: {name} has no column {theirs!r}{did_you_mean(theirs, map(str, table.columns))}"
            )
        if ours not in _MAPPABLE and not ours.removeprefix("family.").replace("_", "").isalnum():
            raise ValueError(f"columns.{ours}: not a name (known: {', '.join(_MAPPABLE)}, family.NAME, or a metric's)")
    table = table.drop(columns=[c for c in columns if c in table and columns[c] != c and c not in columns.values()])
    table = table.rename(columns={theirs: ours for ours, theirs in columns.items()})
    for needed in ("generation", "test_loss", "policy"):
        if needed not in table:
            held = ", ".join(map(str, table.columns))
            raise ValueError(f"columns.{needed}: {name} has no such column; name it ({needed}=…); it has: {held}")
    nested = [name for name in table.columns if _is_nested(table[name])]
    for name in nested:
        if name in _MAPPABLE or name.startswith("family."):
            raise ValueError(f"{name}: the column holds lists or structures, not single values")
    return table.drop(columns=nested)


def _is_nested(column: pd.Series[Any]) -> bool:
    return column.dtype == object and bool(column.map(lambda value: isinstance(value, (list, dict, np.ndarray))).any())


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
    own = [c for c in table.columns if c.startswith(_CONFIGURES)]
    policies = [c for c in table.columns if c.startswith(_OF_POLICY)]
    keys = [RUN] if RUN in table else [c for c in ("seed", *_TEXT, *_known(table), *own, *policies) if c in table]
    run = table.groupby(keys, sort=False, dropna=False).ngroup()
    _refuse_changes(table, run)
    constant = _constant(table, run, [c for c in table.columns if c not in (*_MAPPABLE, *own, *policies)])
    aside = {name: why for name in constant if (why := _no_hyperparameter(table, name))}
    constant, table = [c for c in constant if c not in aside], table.drop(columns=list(aside))
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
    named = (*IDENTITY, *_MAPPABLE, *own, *policies, *(f"family.{c}" for c in constant))
    words = [c for c in table.columns if c not in named]
    words = [c for c in words if not pd.api.types.is_numeric_dtype(table[c])]
    found = table.drop(columns=[*words, RUN], errors="ignore")
    found.attrs[ASIDE] = aside
    return found


def _refuse_changes(table: pd.DataFrame, run: pd.Series[int]) -> None:
    """A run is one recursion: under one policy, of one size, with as many rows in every generation."""
    held = [c for c in ("policy", "family", "architecture", "size", "seed", *_known(table)) if c in table]
    changes = table[held].groupby(run).nunique(dropna=False).gt(1)
    for name in held:
        if changes[name].any():
            first = table.loc[run == changes.index[changes[name]][0]]
            values = ", ".join(map(str, first[name].unique()[:4]))
            which = f"{RUN} {first[RUN].iloc[0]!r}" if RUN in table else "one run"
            raise ValueError(f"{name}: changes within {which} ({values}); map what tells runs apart, or leave it out")


def _known(table: pd.DataFrame) -> list[str]:
    return [c for c in ("rows", "replicates", "parameters") if c in table]


def _constant(table: pd.DataFrame, run: pd.Series[int], others: list[str]) -> list[str]:
    """Of columns that nobody mapped, those that are constant within every run, and not another name for the run."""
    if not others:
        return []
    changes = table[others].groupby(run).nunique(dropna=False).gt(1).any()
    runs = int(run.nunique())
    return [c for c in others if not changes[c] and (runs == 1 or table[c].nunique(dropna=False) < runs)]


def _no_hyperparameter(table: pd.DataFrame, name: str) -> str:
    """Why a column that is constant within every run tells no configurations apart; empty where it does."""
    import pandas as pd

    column = table[name]
    if column.nunique(dropna=False) > 1 and table.groupby("policy")[name].nunique(dropna=False).max() == 1:
        return "follows from the policy"
    dates = (
        pd.api.types.is_datetime64_any_dtype(column)
        or column.map(
            lambda value: bool(_DATE.fullmatch(value)) if isinstance(value, str) else value is None or value != value
        ).all()
    )
    return "holds dates" if dates and column.notna().any() else ""


def _named(table: pd.DataFrame, columns: list[str]) -> pd.Series[str]:
    """A short name for each combination of values, stable over files."""
    import hashlib

    import pandas as pd

    number = table.groupby(columns, sort=False, dropna=False).ngroup().to_numpy()
    first = table[columns].iloc[np.unique(number, return_index=True)[1]]
    names = [
        hashlib.sha256(repr([_exact(v) for v in row]).encode()).hexdigest()[:10]
        for row in first.itertuples(index=False, name=None)
    ]
    return pd.Series(np.array(names, dtype=object)[number], index=table.index)


def _exact(value: Any) -> str:
    """A value in few characters, or in as many as name this one alone."""
    text = frames.short(value)
    return text if not text or not isinstance(value, float) or float(text) == value else repr(value)


def _refuse_repeats(table: pd.DataFrame) -> None:
    repeated = table.duplicated(["cell", "generation"])
    if repeated.any():
        row = table.loc[repeated].iloc[0]
        raise ValueError(
            f"generation: {int(repeated.sum())} rows repeat a generation of the same run (first: policy "
            f"{row['policy']!r}, generation {row['generation']}); map what tells runs apart (seed, run, family.NAME)"
        )
