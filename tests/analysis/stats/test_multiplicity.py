"""Holm's correction is statsmodels', without what that costs beside it."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from analysis.stats import holm


def test_holm_corrects_for_every_candidate() -> None:
    assert holm([0.02, 0.5, 0.04]).tolist() == pytest.approx([0.06, 0.5, 0.08])
    assert len(holm([])) == 0


@pytest.mark.parametrize("count", [1, 2, 7, 300])
def test_it_is_that_of_statsmodels_to_the_last_digit(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "collect", lambda: 0)
    rng = np.random.default_rng(count)
    for p in (rng.uniform(size=count), rng.uniform(size=count) ** 4, np.round(rng.uniform(size=count), 1)):
        assert holm(p).tolist() == multipletests(p, method="holm")[1].tolist()


def test_it_collects_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "collect", lambda: pytest.fail("the whole process waits"))
    assert holm([0.01, 0.02]).tolist() == pytest.approx([0.02, 0.02])
