"""Normal equations by a factor that is shared, and multiplied out: one solution."""

import numpy as np
import pytest

from trainables.families.base import Diverged
from trainables.families.closed_form.regression import Factored, NormalEquations, Solver

SPECTRUM = 1 / np.arange(1, 6)
WEIGHT = 12.0
STEPS = {"steps": 6, "rate": 0.3}


def factored(name, seed, rank=5, multiple=1.0):
    rng, shared = np.random.default_rng(seed), np.random.default_rng(sum(map(ord, name)))
    return Factored(name, shared.standard_normal((3, 5, rank)), multiple, rng.standard_normal((3, rank)), rank)


def expected(estimator, spectrum, gram, moment):
    """In the inputs' own coordinates, X = Z·Σ^½, and back."""
    scale = np.sqrt(spectrum)
    own = gram * np.outer(scale, scale)
    if estimator == "gradient_descent":
        found = np.zeros_like(moment)
        for _ in range(STEPS["steps"]):
            found -= STEPS["rate"] / WEIGHT * ((own @ found[..., None])[..., 0] - scale * moment)
        return scale * found
    inverse = np.linalg.pinv(own, rcond=1e-10) if estimator != "ridge" else np.linalg.inv(own + 0.7 * np.eye(5))
    return scale * (inverse @ (scale * moment)[..., None])[..., 0]


@pytest.mark.parametrize("estimator", ["ols", "ridge", "minimum_norm", "gradient_descent"])
@pytest.mark.parametrize("spectrum", [np.ones(5), SPECTRUM])
@pytest.mark.parametrize("other", ["same", "different", "multiplied out"])
def test_both_ways_have_one_solution(estimator, spectrum, other):
    solver = Solver(estimator, 0.7, spectrum, **STEPS)
    first, second = factored("a", 1), factored("a" if other == "same" else "b", 2, multiple=2.5)
    total = first + (second.plain() if other == "multiplied out" else second)
    assert isinstance(total, Factored) == (other == "same")
    gram = sum(e.multiple * e.root @ e.root.swapaxes(1, 2) for e in (first, second))
    moment = sum((e.root @ e.projection[..., None])[..., 0] for e in (first, second))
    assert np.allclose(solver(total, WEIGHT), expected(estimator, spectrum, gram, moment), rtol=1e-7)
    assert np.allclose(solver(total.plain(), WEIGHT), solver(total, WEIGHT), rtol=1e-7)
    assert np.allclose(solver(second.plain() + first, WEIGHT), solver(total, WEIGHT), rtol=1e-7)


@pytest.mark.parametrize("estimator", ["ridge", "minimum_norm", "gradient_descent"])
def test_fewer_rows_than_dimensions(estimator):
    solver, one = Solver(estimator, 0.7, SPECTRUM, **STEPS), factored("a", 1, rank=3, multiple=4.0)
    plain = one.plain()
    found = solver(one, WEIGHT)
    assert np.allclose(found, expected(estimator, SPECTRUM, plain.gram, plain.moment), rtol=1e-7)
    assert np.allclose(found, solver(plain, WEIGHT), rtol=1e-7)


@pytest.mark.parametrize("estimator", ["ols", "ridge", "minimum_norm", "gradient_descent"])
def test_what_a_start_leaves_is_the_same_both_ways(estimator):
    solver, one = Solver(estimator, 0.7, SPECTRUM, **STEPS), factored("a", 1, multiple=2.5)
    start = np.random.default_rng(3).standard_normal((3, 5))
    left, plain = one.beyond(start), one.plain().beyond(start)
    assert np.allclose(left.plain().moment, plain.moment)
    assert np.allclose(solver(left, WEIGHT), solver(plain, WEIGHT), rtol=1e-7)
    reached = one.beyond(solver(one, WEIGHT)).plain().moment
    assert np.allclose(reached, 0) == (estimator in ("ols", "minimum_norm"))


def test_least_squares_needs_full_rank():
    one = factored("a", 1, rank=3)
    for equations in (one, one.plain(), one + factored("a", 2, rank=3)):
        with pytest.raises(Diverged, match="3 different inputs in dimension 5"):
            Solver("ols", 1.0, np.ones(5))(equations, WEIGHT)
    several = one + factored("b", 2, rank=3)
    assert isinstance(several, NormalEquations)
    assert several.rank == 6
