"""An assessment in a notebook: every row, escaped, told by word and symbol as well as colour."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from analysis.report import Assessment
from analysis.verdicts.robustness import assess
from tests.support import simulated


def frame() -> pd.DataFrame:
    curves = simulated.noisy(np.random.default_rng(0), ("replace", "constant"), ("dim 10", "<b>"), generations=12)
    return simulated.study(curves)


def test_the_table_is_that_of_the_report_and_has_every_row() -> None:
    found = Assessment(assess(frame()), "of & about")
    assert found.table.equals(assess(frame()))
    shown = found._repr_html_()
    assert shown.count("<tr>") == 1 + 2, "head, two configurations"
    assert "<caption>of &amp; about</caption>" in shown
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    for _, row in found.table.iterrows():
        assert row["verdict"] in shown
        assert row["verdict"] in str(found)
    assert re.search(r'<td style="color:#[0-9a-f]{6}">[^<]*[▲△■] ', shown)


def test_a_verdict_is_looked_up_and_never_guessed() -> None:
    found = Assessment(assess(frame()))
    one = found.table.iloc[0]
    assert found.verdict(one["policy"], one["config"]) == one["verdict"]
    with pytest.raises(KeyError, match="2 rows of policy 'replace'"):
        found.verdict("replace")
    with pytest.raises(KeyError, match="0 rows"):
        found.verdict("accumulate")
