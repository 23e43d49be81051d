"""Tables of others as their programs write them: comments, separators, decimal commas, encodings, kept indices."""

from __future__ import annotations

import gzip
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def table_of(path: Path) -> pd.DataFrame:
    """The table of a file, without the index that pandas wrote under no name.

    Raises:
        ValueError: there is no such file, or it can't be read as a table; one line says why.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        table = _parquet(path) if path.suffix.lower() == ".parquet" else _separated(path)
    except UnicodeError:
        raise ValueError(f"{path.name}: is not UTF-8 text; save it as UTF-8") from None
    except (ValueError, OSError) as problem:  # pandas' and Arrow's own are ValueErrors
        raise ValueError(f"{path.name}: can't be read as a table ({str(problem).splitlines()[0]})") from None
    table.columns = [str(name).strip() for name in table.columns]
    return table.drop(columns=[name for name in table.columns if _is_index(table, name)])


def _parquet(path: Path) -> pd.DataFrame:
    """A table with what pandas kept as its index among the columns, where that has a name; NaN for what is missing."""
    import pandas as pd

    table = pd.read_parquet(path)
    table = table.reset_index([name for name in table.index.names if name is not None and name not in table])
    return table.apply(_without_na)


def _without_na(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column as text files give it: `pd.NA`, which nullable types have, is neither true nor false in comparisons."""
    import pandas as pd

    if getattr(column.dtype, "na_value", None) is not pd.NA:
        return column
    return column.astype(object).where(column.notna(), np.nan).infer_objects()


def _separated(path: Path) -> pd.DataFrame:
    """A table of text: lines of comments before its header are passed over, and the header tells what separates."""
    import pandas as pd

    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as raw:
        encoding = "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with opened(path, "rt", encoding=encoding, newline="") as file:
        place, header = file.tell(), file.readline()
        while header and (header.startswith("#") or not header.strip()):
            place, header = file.tell(), file.readline()
        file.seek(place)
        separator = max("\t;|," if path.name.lower().endswith(".tsv") else ",;\t|", key=header.count)
        decimal = "," if separator == ";" and _commas(path, encoding) else "."
        return pd.read_csv(file, sep=separator, decimal=decimal, keep_default_na=False, na_values=_missing())


def _missing() -> list[str]:
    """What pandas takes for a missing value, less what programs write for a result that is no number."""
    return ["", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "None", "n/a", "null"]


def _commas(path: Path, encoding: str) -> bool:
    """Whether numbers of a table have decimal commas, by its first lines."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding=encoding) as file:
        return bool(re.search(r"(^|;)-?\d+,\d+(;|$)", "".join(islice(file, 20)), re.MULTILINE))


def _is_index(table: pd.DataFrame, name: str) -> bool:
    """Whether a column is the one that pandas writes for rows' numbers, under no name of its own."""
    unnamed = name == "" or name.startswith("Unnamed:") or name == "__index_level_0__"
    return unnamed and table[name].tolist() == list(range(len(table)))
