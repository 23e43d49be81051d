"""How columns become numbers: gaps, categories, and a target of two values or of counts."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np

from trainables.sources.tables.base import Table, TableSource

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 50
"""Different texts in a column, above which it is no category."""

MISSING = "(missing)"
"""Category of a text that is not there, where gaps are filled."""


def encode(source: TableSource, table: Table, *, counts: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Features [rows, columns] with NaN where a number is missing, labels [rows], and the features' names.

    Raises:
        ValueError: a column or the target can't be used; one line names it.
    """
    columns, target = _without_gaps(source, table)
    labels = _counts(table.name, target) if counts else _binary(source, table.name, target)
    parts = [_encoded(str(name), column) for name, column in columns.items()]
    if not parts:
        raise ValueError(f"source: no column beside the target {table.name!r}")
    names = [name for found, _ in parts for name in found]
    return np.concatenate([values for _, values in parts], axis=1), labels, names


def _without_gaps(source: TableSource, table: Table) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows without a target are left out; other gaps as `missing` says."""
    known = table.target.notna()
    columns, target = table.columns[known], table.target[known]
    if not len(columns):
        raise ValueError(f"source: no row has a value of the target {table.name!r}")
    gaps = columns.isna().sum()
    empty = [str(name) for name, count in gaps.items() if count == len(columns)]
    if empty:
        raise ValueError(f"source: column {empty[0]!r} has no value in any row; leave it out of the table")
    if not gaps.sum() or source.missing == "mean":
        return columns, target
    holed = columns.isna().any(axis=1)
    if source.missing == "refuse":
        raise ValueError(
            f"source.missing: {int(holed.sum())} of {len(columns)} rows have gaps, most in {str(gaps.idxmax())!r} "
            f"({int(gaps.max())}); say `drop` to leave these rows out, or `mean` to fill them"
        )
    if holed.all():
        raise ValueError("source.missing: every row has a gap, so that `drop` leaves none; say `mean` to fill them")
    return columns[~holed], target[~holed]


def _encoded(name: str, column: pd.Series[Any]) -> tuple[list[str], np.ndarray]:
    """A column's features: itself, or one a category but the first."""
    import pandas as pd

    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return [name], _numbers(name, column)
    if not all(isinstance(value, (str, bool)) for value in column.dropna()):
        found = next(type(value).__name__ for value in column.dropna() if not isinstance(value, (str, bool)))
        raise ValueError(f"source: column {name!r} holds values of type {found}, neither numbers nor text")
    _refuse_spoiled_numbers(name, column)
    texts = column.astype(object).where(column.notna(), MISSING).astype(str)
    kinds = sorted(set(texts))
    if len(kinds) > MOST_CATEGORIES:
        raise ValueError(
            f"source: column {name!r} holds {len(kinds)} different texts where numbers or at most {MOST_CATEGORIES} "
            "categories are needed; leave it out"
        )
    if len(kinds) == 1:
        raise ValueError(f"source: column {name!r} is {kinds[0]!r} in every row; leave it out")
    return [f"{name}={kind}" for kind in kinds[1:]], np.stack([(texts == kind) * 1.0 for kind in kinds[1:]], axis=1)


def _numbers(name: str, column: pd.Series[Any]) -> np.ndarray:
    values: np.ndarray = column.to_numpy(dtype=float, na_value=np.nan)[:, None]
    known = values[~np.isnan(values)]
    if np.isinf(known).any():
        raise ValueError(f"source: column {name!r} holds infinite values")
    if known.min() == known.max():
        raise ValueError(f"source: column {name!r} is {known[0]:g} in every row; leave it out")
    return values


def _refuse_spoiled_numbers(name: str, column: pd.Series[Any]) -> None:
    """A column most of whose values are numbers is meant to be one."""
    import pandas as pd

    known = column.dropna()
    numbers = pd.to_numeric(known.astype(str), errors="coerce")
    if numbers.notna().mean() > 0.5:
        at = numbers.index[numbers.isna()]
        held = f"{known[at[0]]!r}" if len(at) else "numbers written as text"
        raise ValueError(f"source: column {name!r} holds {held} among numbers")


def _binary(source: TableSource, name: str, target: pd.Series[Any]) -> np.ndarray:
    """1 for the positive class."""
    if source.threshold is not None:
        above: np.ndarray = (target.to_numpy(float) > source.threshold).astype(np.int8)
        return above
    _refuse_no_class(name, target)
    words = np.array([_word(value) for value in target])
    kinds = sorted(set(target), key=lambda value: (isinstance(value, str), value))
    if len(kinds) < 2:
        raise ValueError(f"source: the target {name!r} is {_word(kinds[0])!r} in every row; two classes are needed")
    shown = ", ".join(map(_word, kinds[:6])) + (", …" if len(kinds) > 6 else "")
    if source.positive is None and len(kinds) > 2:
        raise ValueError(
            f"source.positive: the target {name!r} has {len(kinds)} values ({shown}); name the one that counts as 1"
        )
    positive = _word(kinds[1]) if source.positive is None else source.positive
    if positive not in words:
        raise ValueError(f"source.positive: the target {name!r} is never {positive!r}, but {shown}")
    chosen: np.ndarray = (words == positive).astype(np.int8)
    return chosen


def _refuse_no_class(name: str, target: pd.Series[Any]) -> None:
    odd = next((value for value in target if not isinstance(value, Hashable)), None)
    if odd is not None:
        raise ValueError(f"source.target: {name!r} holds values of type {type(odd).__name__}, which name no class")
    if any(isinstance(value, (float, np.floating)) and np.isinf(value) for value in target):
        raise ValueError(f"source.target: {name!r} holds infinite values")


def _word(value: Any) -> str:
    """A class as a study writes it: 1 and 1.0 are one."""
    return str(int(value)) if isinstance(value, (float, np.floating)) and value == int(value) else str(value)


def _counts(name: str, target: pd.Series[Any]) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(target, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = ~(numbers >= 0) | (numbers != np.floor(numbers)) | (numbers > 2**53) | ~_countable(target)
    if wrong.any():
        value = target.iloc[int(wrong.argmax())]
        shown = value.item() if isinstance(value, np.generic) else value
        raise ValueError(f"source.target: {name!r} holds {shown!r}, which is no count")
    if numbers.min() == numbers.max():
        raise ValueError(f"source.target: {name!r} is {numbers[0]:g} in every row")
    return numbers.astype(np.int64)


def _countable(target: pd.Series[Any]) -> np.ndarray:
    """Which values are numbers, or may be read as such: a truth value or a date is none, whatever it converts to."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(target) and not pd.api.types.is_bool_dtype(target):
        return np.ones(len(target), dtype=bool)
    return np.array([isinstance(value, (Number, str)) and not isinstance(value, bool) for value in target])
