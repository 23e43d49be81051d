"""What measures cost measures it right: exponents with their errors, and time given to the part that was at work."""

import time

import numpy as np
import pytest
from scipy.stats import linregress

from benchmarks.growth import Curve, slope
from benchmarks.growth_series import QUANTITIES, Series, series
from benchmarks.profiles import CELLS, Watch, _instrument
from trainables import Cell
from trainables.recursion import Recursion
from trainables.store import open_store


def curve(power, noise=(1.0, 1.0, 1.0, 1.0), expected=1.0, fixed=0.0):
    xs = (1.0, 10.0, 100.0, 1000.0)
    given = Series("rows", "made up", xs, "cell", ({},) * 4, {"seconds": expected})
    return Curve(given, "seconds", tuple(fixed + n * x**power for x, n in zip(xs, noise, strict=True)))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_power_law_has_its_exponent_and_no_error(power):
    found, error = curve(power).exponent
    assert found == pytest.approx(power)
    assert error == pytest.approx(0, abs=1e-9)


def test_the_standard_error_is_that_of_ordinary_least_squares():
    one = curve(1.0, noise=(1.0, 1.3, 0.8, 1.1))
    expected = linregress(np.log(one.series.xs), np.log(one.ys))
    assert slope(one.series.xs, one.ys) == pytest.approx((expected.slope, expected.stderr))


def test_what_grows_too_fast_is_said_to():
    assert curve(1.0).verdict == "as it must"
    assert curve(2.0).verdict == "FASTER"
    assert curve(2.0, expected=2.0).verdict == "as it must"


def test_growth_behind_a_fixed_cost_shows_in_the_last_step():
    """Over the whole curve it is below 1; the end of it says what is to come."""
    hidden = curve(2.0, fixed=20_000.0)
    assert hidden.exponent[0] < 1
    assert hidden.last > 1.5
    assert hidden.verdict == "FASTER"


@pytest.mark.parametrize("full", [False, True])
def test_every_series_is_whole_and_its_cells_are_valid(full, monkeypatch):
    monkeypatch.delenv("COLLAPSE_SWEEP_DATA", raising=False)
    for one in series(full):
        assert len(one.xs) == len(one.points) > 1
        assert list(one.xs) == sorted(one.xs)
        assert set(one.expected) <= set(QUANTITIES)
        if one.kind == "cell":
            for point in one.points:
                Cell.model_validate(point)


def test_time_goes_to_the_innermost_part():
    watch = Watch()

    class Work:
        def outer(self):
            spin(0.05)
            self.inner()

        def inner(self):
            spin(0.1)

    work = Work()
    watch.wrap(work, "outer", "evaluate")
    watch.wrap(work, "inner", "store")
    work.outer()
    assert watch.seconds["evaluate"] == pytest.approx(0.05, rel=0.5)
    assert watch.seconds["store"] == pytest.approx(0.1, rel=0.5)


def spin(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_parts_of_a_generation_sum_to_it(tmp_path):
    asked = Cell.model_validate(CELLS["discrete"] | {"policy": {"kind": "accumulate"}, "replicates": 50})
    store = open_store(str(tmp_path))
    recursion = Recursion(asked, store)
    recursion.record(1)
    watch = Watch()
    _instrument(watch, recursion.family, store)
    started = time.process_time()
    watch.turn()
    before = sum(watch.seconds.values())
    for generation in range(2, 8):
        recursion.record(generation)
    watch.turn()
    whole = time.process_time() - started
    assert sum(watch.seconds.values()) - before == pytest.approx(whole, rel=0.05, abs=0.005)
    assert min(watch.seconds[part] for part in ("forward", "evaluate", "sample", "store", "engine")) > 0
