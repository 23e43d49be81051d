"""Tables as `--json` tells them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows for `json.dumps`: numbers to the last digit, null for what is missing or not finite.

    pandas 3.1.1's own `to_json` rounds to decimals, at most 15 of them: an excess error of 1.2346e-13 is 1.23e-13.
    """
    return [{str(name): _held(value) for name, value in row.items()} for row in table.to_dict("records")]


def _held(value: Any) -> Any:
    """A cell; pandas has made it a plain value or a missing one."""
    import pandas as pd

    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is pd.NA or value is pd.NaT else value
