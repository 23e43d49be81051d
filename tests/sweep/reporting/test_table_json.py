"""What `--json` prints of a table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from sweep.reporting import records


def told(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(json.dumps(records(table), allow_nan=False))


def test_numbers_are_told_to_the_last_digit() -> None:
    """The guess was that `to_json(double_precision=15)` has fifteen digits; they are decimals (pandas 3.1.1)."""
    values = [1 / 3, 1.2346e-13, 2e-17, 3e-300, 123456789.123456789, -0.1]
    assert [row["p"] for row in told(pd.DataFrame({"p": values}))] == values
    rounded = json.loads(pd.DataFrame({"p": values}).to_json(orient="records", double_precision=15))
    assert rounded[1]["p"] == 1.23e-13


def test_what_is_no_finite_number_is_null() -> None:
    table = pd.DataFrame({"policy": ["a", None, "c"], "ratio": [np.inf, np.nan, 1.0], "seeds": [1, 2, 3]})
    table["collapsed"], table["bounded"] = [True, False, True], pd.array([True, None, False], dtype="boolean")
    assert told(table) == [
        {"policy": "a", "ratio": None, "seeds": 1, "collapsed": True, "bounded": True},
        {"policy": None, "ratio": None, "seeds": 2, "collapsed": False, "bounded": None},
        {"policy": "c", "ratio": 1.0, "seeds": 3, "collapsed": True, "bounded": False},
    ]
    assert told(table.iloc[:0]) == []
