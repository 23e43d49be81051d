"""Compiled functions against double precision."""

import numpy as np
import pytest

from trainables.runtime import jit_math
from trainables.runtime.jit import compiled


def applied(function, x: np.ndarray) -> np.ndarray:
    """In a compiled loop, as it is used."""

    @compiled
    def every(x, out):
        for n in range(len(x)):
            out[n] = function(x[n])

    out = np.empty_like(x)
    every(x, out)
    return out


WIDE = np.linspace(-87, 87, 1_000_003, dtype=np.float32)
EXACT = {
    "exp": np.exp,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


@pytest.mark.parametrize(("name", "error"), [("exp", 1e-7), ("silu", 2e-7)])
def test_functions_are_as_near_as_they_say(name, error):
    exact = EXACT[name](WIDE.astype(np.float64))
    found = applied(getattr(jit_math, name), WIDE)
    assert (np.abs(found - exact) <= error * np.abs(exact)).all()


def test_far_arguments_end_near_their_limits():
    far = np.array([-1e30, -200, 200, 1e30, np.nan, 0], dtype=np.float32)
    exp, silu = (applied(getattr(jit_math, name), far) for name in EXACT)
    assert exp[:2].tolist() == [0, 0]
    np.testing.assert_allclose(exp[2:4], np.exp(88.0), rtol=1e-7)
    assert abs(silu[1]) < 1e-35
    assert silu[[2, 5]].tolist() == [200, 0]
    assert all(np.isnan(found[4]) for found in (exp, silu))


def test_exp64_is_exact_to_double_precision():
    x = np.linspace(-700, 700, 200_003)
    assert np.abs(applied(jit_math.exp64, x) / np.exp(x) - 1).max() < 1e-15
    ends = applied(jit_math.exp64, np.array([-1e9, -np.inf, np.inf, np.nan]))
    assert ends[0] == ends[1] < 1e-300
    assert 1e300 < ends[2] < np.inf
    assert np.isnan(ends[3])
