"""Where least squares has a solution and where not, what descent comes to, which of several solutions is taken."""

import math

import numpy as np
import pytest

from trainables.families import Diverged
from trainables.families.closed_form.regression import Factored, NormalEquations, Solver, times

EPS = np.finfo(float).eps


def equations(x, y, rank=None):
    x, y = np.array(x, dtype=float), np.array(y, dtype=float)
    gram, moment = x.swapaxes(1, 2) @ x, times(x.swapaxes(1, 2), y)
    return NormalEquations(gram, moment, min(x.shape[1:]) if rank is None else rank)


def test_products_are_those_of_each_replicate():
    assert times(np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), np.array([[1.0, 1.0], [2.0, -1.0]])).tolist() == [[3.0], [2.0]]


def test_ridge_by_hand_penalises_in_the_inputs_own_coordinates():
    """Σ = diag(1, ¼), x = (1, 0), (0, 2): own inputs (1, 0), (0, 1): v = y/(1 + 3) on both; white ones are v·(1, ½)."""
    solver = Solver("ridge", 3.0, np.array([1.0, 0.25]))
    found = solver(equations([[[1, 0], [0, 2]]], [[8.0, 4.0]]), 2.0)
    assert found == pytest.approx(np.array([[2.0, 0.5]]))


def test_the_penalty_is_ridges_alone():
    for estimator in ("ols", "minimum_norm"):
        found = Solver(estimator, 1e9, np.ones(2))(equations([[[1, 0], [0, 2]]], [[8.0, 4.0]]), 2.0)
        assert found == pytest.approx(np.array([[8.0, 2.0]]))


def test_the_shortest_solution_is_short_in_the_inputs_own_coordinates():
    """One row (1, 1) of white inputs, Σ = diag(1, ¼): own row (1, ½), shortest v = y(1, ½)/1.25."""
    solver = Solver("minimum_norm", 1.0, np.array([1.0, 0.25]))
    found = solver(equations([[[1, 1]]], [[5.0]]), 1.0)
    assert found == pytest.approx(np.array([[4.0, 1.0]]))


@pytest.mark.parametrize(("share", "kept"), [(100.0, True), (3.0, False)])
def test_directions_of_no_more_than_rounding_are_none(share, kept):
    """Eigenvalues below 10·d·ε of the largest are taken for 0: here 2·10·ε, times 100/20 or 3/20."""
    gram = np.diag([1.0, share * EPS])[None]
    found = Solver("minimum_norm", 1.0, np.ones(2))(NormalEquations(gram, np.array([[1.0, share * EPS]]), 2), 1.0)
    assert found == pytest.approx(np.array([[1.0, 1.0 if kept else 0.0]]))


@pytest.mark.parametrize(("share", "regular"), [(60.0, True), (15.0, False)])
def test_a_column_that_others_explain_to_rounding_ends_least_squares(share, regular):
    """The last pivot over its diagonal is 1 − ρ²; it has to be above 10·2·ε. Scale of a column does not matter."""
    rho = math.sqrt(1 - share * EPS)
    for unit in (1.0, 1e-6, 1e6):
        gram = np.array([[[1.0, rho * unit], [rho * unit, unit**2]]])
        normal = NormalEquations(gram, np.ones((1, 2)), 2)
        if regular:
            assert np.isfinite(Solver("ols", 1.0, np.ones(2))(normal, 1.0)).all()
            continue
        with pytest.raises(Diverged, match=r"^least squares has no single solution: the corpus repeats too few differ"):
            Solver("ols", 1.0, np.ones(2))(normal, 1.0)


def test_a_gram_matrix_with_a_negative_pivot_ends_least_squares():
    with pytest.raises(Diverged, match="no single solution"):
        Solver("ols", 1.0, np.ones(2))(NormalEquations(np.array([[[1.0, 2.0], [2.0, 1.0]]]), np.ones((1, 2)), 2), 1.0)


def test_a_rank_below_the_dimension_is_named_with_its_remedy():
    message = (
        r"^ols has no single solution: the corpus has 1 different inputs in dimension 2; use more rows, or estimator "
        r"ridge or minimum_norm$"
    )
    with pytest.raises(Diverged, match=message):
        Solver("ols", 1.0, np.ones(2))(equations([[[1, 0], [1, 0]]], [[1.0, 2.0]], rank=1), 2.0)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_descent_by_hand_on_one_coordinate(steps):
    """Gram 6 of weight 3, moment 12: w ← w − ¼(2w − 4) halves its distance from 2 each step."""
    solver = Solver("gradient_descent", 1.0, np.ones(1), steps=steps, rate=0.25)
    for form in (
        NormalEquations(np.array([[[6.0]]]), np.array([[12.0]]), 1),
        Factored("a", np.array([[[2.0]]]), 1.5, np.array([[6.0]]), 1),
    ):
        assert solver(form, 3.0) == pytest.approx(np.array([[2 - 2 * 0.5**steps]]))


def test_descent_where_inputs_vanish_is_as_many_steps_of_the_gradient():
    """v = 0 exactly, below and above 1e-12: kη/weight times the moment, to rounding."""
    for value in (0.0, 1e-14, 3e-12):
        normal = NormalEquations(np.array([[[value]]]), np.array([[5.0]]), 1)
        found = Solver("gradient_descent", 1.0, np.ones(1), steps=7, rate=0.5)(normal, 1.0)
        assert found == pytest.approx(np.array([[7 * 0.5 * 5.0]]), rel=1e-3)


@pytest.mark.parametrize(("rate", "ends"), [(1.99, True), (2.01, False)])
def test_descent_diverges_at_a_rate_above_two_over_its_eigenvalue(rate, ends):
    solver = Solver("gradient_descent", 1.0, np.ones(1), steps=10**6, rate=rate)
    normal = NormalEquations(np.array([[[1.0]]]), np.array([[3.0]]), 1)
    if ends:
        assert solver(normal, 1.0) == pytest.approx(np.array([[3.0]]))
        return
    with pytest.raises(
        Diverged, match=r"^gradient descent grows without bound: a rate of 2.01 is too large for its in"
    ):
        solver(normal, 1.0)


def test_what_a_start_leaves_is_labels_less_its_predictions():
    rng = np.random.default_rng(0)
    x, y, start = rng.standard_normal((2, 6, 3)), rng.standard_normal((2, 6)), rng.standard_normal((2, 3))
    left = equations(x, y).beyond(start)
    expected = equations(x, y - times(x, start))
    assert left.moment == pytest.approx(expected.moment)
    assert left.gram == pytest.approx(expected.gram)
    assert left.rank == 3


def test_sums_of_equations_are_those_of_all_rows():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 7, 3)), rng.standard_normal((2, 7))
    total, whole = equations(x[:, :3], y[:, :3]) + equations(x[:, 3:], y[:, 3:]), equations(x, y)
    assert (total.gram, total.moment) == (pytest.approx(whole.gram), pytest.approx(whole.moment))
    assert total.rank == 6
    assert total.plain() is total


def test_factors_of_one_name_stay_factors_and_others_are_multiplied_out():
    root = np.random.default_rng(2).standard_normal((2, 3, 3))
    one, same, other = (Factored(name, root, 2.0, np.ones((2, 3)), 3) for name in ("a", "a", "b"))
    both = one + same
    assert isinstance(both, Factored)
    assert (both.multiple, both.rank, both.projection.tolist()) == (4.0, 3, [[2.0] * 3] * 2)
    assert isinstance(one + other, NormalEquations)
    assert (one + other).rank == 6
    assert (one + other).gram == pytest.approx(both.plain().gram)


@pytest.mark.parametrize("estimator", ["ridge", "gradient_descent", "ols", "minimum_norm"])
def test_what_is_known_of_a_factor_is_not_taken_for_another_s(estimator):
    """More names in turn than are remembered, twice; each is solved as a solver of its own does."""
    rng = np.random.default_rng(3)
    forms = [Factored(n, rng.standard_normal((2, 3, 3)), 1.0 + n, rng.standard_normal((2, 3)), 3) for n in range(6)]
    solver = Solver(estimator, 0.5, np.ones(3), steps=3, rate=0.2)
    for form in forms * 2:
        alone = Solver(estimator, 0.5, np.ones(3), steps=3, rate=0.2)(form, 4.0)
        assert solver(form, 4.0) == pytest.approx(alone, rel=1e-12)
        assert solver(form.plain(), 4.0) == pytest.approx(alone, rel=1e-6)
