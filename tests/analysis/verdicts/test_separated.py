"""A fixed point of perfectly fitted labels is no health."""

import numpy as np
import pytest

from analysis.verdicts.robustness import assess
from tests.support import simulated


@pytest.mark.parametrize(("share", "word"), [(0.0, "stable"), (0.04, "stable"), (0.06, "separated")])
def test_recursions_that_separated_are_not_stable(share: float, word: str) -> None:
    """Shares of the last generation count, whatever the earlier ones were."""
    rng = np.random.default_rng(0)
    values = {("a", "replace", seed): 1 + 0.01 * rng.standard_normal(8) for seed in range(20)}
    frame = simulated.study(values, family="glm")
    last = frame["generation"] == frame["generation"].max()
    found = assess(frame.assign(separated=np.where(last, share, 1 - share)))
    assert found["verdict"].tolist() == [word]
