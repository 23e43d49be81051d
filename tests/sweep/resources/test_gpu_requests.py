"""GPU-hours: the arithmetic, and the name of an unknown accelerator."""

import pytest

from sweep.errors import UsageError
from sweep.planning import PEAK, UTILISATION, gpu_hours


def test_hours_are_operations_over_rate() -> None:
    assert gpu_hours(PEAK["A100"] * UTILISATION * 7200, "A100") == pytest.approx(2)


def test_an_unknown_accelerator_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'H100'"):
        gpu_hours(1.0, "H10")
