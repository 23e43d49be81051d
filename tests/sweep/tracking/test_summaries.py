"""What a study's configurations came to: curves and statistics are those of the frame and of its table."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.verdicts.robustness import assess
from sweep.tracking import summarise
from tests.support import simulated


def test_a_summary_holds_mean_interval_verdict_and_growth() -> None:
    curves = simulated.noisy(np.random.default_rng(0), policies=("replace", "accumulate"), seeds=4, generations=8)
    frame = simulated.study(curves)
    table = assess(frame)
    told = {one.tags["policy"]: one for one in summarise(frame, table)}
    assert set(told) == {"replace", "accumulate"}
    assert len({one.key for one in told.values()}) == 2
    for policy, one in told.items():
        values = np.stack([curve for (_, held, _), curve in curves.items() if held == policy])
        row = table[(table["policy"] == policy) & (table["metric"] == "test_loss")].iloc[0]
        half = 3.182446305 * values.std(axis=0, ddof=1) / 2  # Student's t of three degrees of freedom, four seeds
        for name, expected in (("test_loss", 0), ("test_loss_low", -half), ("test_loss_high", half)):
            assert list(one.curves[name]) == list(range(1, 9))
            assert list(one.curves[name].values()) == pytest.approx(list(values.mean(axis=0) + expected)), name
        assert one.tags["verdict"] == one.tags["verdict.test_loss"] == row["verdict"]
        assert one.statistics["growth"] == row["growth"]
        assert one.statistics["seeds"] == 4


def test_one_seed_has_no_interval_and_no_table_no_summary() -> None:
    frame = simulated.study(simulated.noisy(np.random.default_rng(0), seeds=1))
    table = assess(frame)
    assert {name for one in summarise(frame, table) for name in one.curves} == {"test_loss"}
    assert summarise(frame, table.iloc[:0]) == []
