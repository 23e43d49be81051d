"""How tables name a configuration: family, architecture, size, and the hyperparameters that tell it from others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.data.frame import parameters, short, told_apart

if TYPE_CHECKING:
    import pandas as pd

_SCALE = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}
NAMES = ("family", "architecture", "size", "hyperparameters")


def configurations(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration, indexed by `config`, columns `NAMES`.

    Of the hyperparameters only those are named that tell two configurations of a family apart which architecture,
    size and the ones named before do not.
    """
    import pandas as pd

    columns = sorted(parameters(frame), key=lambda column: not column.endswith(".kind"))  # more than its settings say
    unique = frame.drop_duplicates("config").set_index("config")
    parts = []
    for _, group in unique.groupby("family", sort=True):
        named = group[["architecture", "size"]].fillna("").astype(str)
        shown: list[str] = []
        for column in columns:
            if len(named.drop_duplicates()) == len(named):
                break
            refined = named.assign(**{column: told_apart(group[column])})
            if len(refined.drop_duplicates()) > len(named.drop_duplicates()):
                named, shown = refined, [*shown, column]
        text = [
            ", ".join(f"{c.removeprefix('family.')}={v}" for c, v in zip(shown, row, strict=True) if v != "")
            for row in named[shown].itertuples(index=False, name=None)
        ]
        parts.append(group[["family", "architecture", "size"]].assign(hyperparameters=text))
    table = pd.concat(parts) if parts else pd.DataFrame(columns=list(NAMES))
    return table.fillna("").sort_values(list(NAMES), kind="stable", key=lambda column: column.map(natural))


def titles(names: pd.DataFrame) -> dict[str, str]:
    """One line per configuration, by `config`, from a table that has `NAMES`."""
    rows = names[list(NAMES)].itertuples(index=True, name=None)
    return {str(config): " · ".join(str(v) for v in values if v) for config, *values in rows}


def natural(text: str) -> tuple[tuple[float, str], ...]:
    """Sorts "dim 5" before "dim 10", and "0.4M" before "12M"."""
    parts = re.findall(r"(\d+(?:\.\d+)?(?:e[-+]?\d+)?)([KMB]?)|(\D)", str(text))
    return tuple((float(number) * _SCALE[scale], "") if number else (-1.0, other) for number, scale, other in parts)


def in_order(table: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table with a column `config` in the order of `names`, otherwise as they are."""
    rank = {config: i for i, config in enumerate(names.index)}
    return table.sort_values("config", key=lambda column: column.map(rank), kind="stable", ignore_index=True)


def title(row: Mapping[str, Any] | pd.Series[Any]) -> str:
    """One line that names a configuration, from a row that has `NAMES`."""
    return " · ".join(str(row[name]) for name in NAMES if row[name])


def settings(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Values by path in one line a row, as `noise=0.3, dim=5`; of a path, numbers have as many digits as tell any two
    rows apart."""
    import pandas as pd

    numbers = {(path, value) for row in rows for path, value in row.items() if isinstance(value, float)}
    texts: dict[tuple[str, float], str] = {}
    for path in {path for path, _ in numbers}:
        own = pd.Series([value for name, value in numbers if name == path], dtype=object)
        texts |= {(path, value): text for value, text in zip(own, told_apart(own), strict=True)}
    return [
        ", ".join(
            f"{path.removeprefix('family.')}={texts[path, value] if isinstance(value, float) else short(value)}"
            for path, value in row.items()
        )
        for row in rows
    ]
