"""Tables, plots and definitions take their words from what families declare."""

import numpy as np
import pandas as pd
import pytest

from analysis.data import metrics
from trainables.families import FAMILIES


def test_a_metric_that_nobody_declares_is_a_loss_without_unit() -> None:
    found = metrics.describe("energy_gap", "gaussian")
    assert (found.label, found.unit, found.worse) == ("energy gap", "", 1)


def test_the_loss_has_its_familys_unit() -> None:
    assert metrics.describe("test_loss", "language").axis == "held-out loss (nats per token)"
    assert metrics.describe("test_loss", "imported").axis == "held-out loss"


@pytest.mark.parametrize("family", list(FAMILIES))
def test_what_is_judged_is_what_was_recorded(family: str) -> None:
    judged = [metric.name for metric in FAMILIES.get(family).recorded() if metric.judged]
    whole = pd.DataFrame({"family": family, **dict.fromkeys(judged, 1.0)}, index=[0])
    assert [metric.name for metric in metrics.judged(family, whole)] == judged
    without = whole.assign(**dict.fromkeys(judged[1:], np.nan))
    assert [metric.name for metric in metrics.judged(family, without)] == ["test_loss"]


def test_roles_go_from_the_nearest_measure_to_the_farthest() -> None:
    assert metrics.of_role("language", "spread") == ["distinct_2", "entropy"]
    assert metrics.of_role("diffusion", "inside") == ["cov_precision", "validity"]
    assert metrics.of_role("imported", "outside") == ["outside_mass"]
    assert metrics.of_role("linear", "spread") == []
