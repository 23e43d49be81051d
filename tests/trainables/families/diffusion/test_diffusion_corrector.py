"""Conformers moved towards real ones: superposition against scipy, the nearest by brute force, how far they go."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.trainables.families.diffusion.test_diffusion_denoiser import chain
from trainables.families.diffusion.corrector import corrected, nearest
from trainables.sources.molecules import Graph, stack

RNG = np.random.default_rng(0)


def laid_on(other: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, float]:
    """`other` turned and shifted onto `place` by scipy, and the root mean square distance of an atom."""
    here, there = place - place.mean(0), other - other.mean(0)
    turn, _ = Rotation.align_vectors(here, there)
    found = turn.apply(there)
    return found + place.mean(0), float(np.sqrt(((found - here) ** 2).sum(1).mean()))


@pytest.mark.parametrize("atoms", [3, 4, 9])
def test_the_nearest_is_the_one_of_least_rmsd_laid_on_it_as_scipy_does(atoms: int) -> None:
    place, places = RNG.normal(size=(atoms, 3)), RNG.normal(size=(6, atoms, 3)) + 5
    laid = [laid_on(other, place) for other in places]
    best = min(range(6), key=lambda number: laid[number][1])
    np.testing.assert_allclose(nearest(place, places), laid[best][0], atol=1e-6)


def test_one_that_was_only_moved_is_laid_on_exactly() -> None:
    place = RNG.normal(size=(7, 3))
    moved = Rotation.random(random_state=1).apply(place) + np.array([3, -8, 2])
    np.testing.assert_allclose(nearest(place, np.stack([RNG.normal(size=(7, 3)), moved])), place, atol=1e-9)


def test_a_mirror_image_is_not_laid_on() -> None:
    """Four corners of no symmetry: the mirror image stays away by what scipy's best rotation leaves."""
    place = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], float)
    mirror = place * [1, 1, -1]
    left = np.sqrt(((nearest(place, mirror[None]) - place) ** 2).sum(1).mean())
    assert left == pytest.approx(laid_on(mirror, place)[1])
    assert left > 0.3


def test_two_atoms_lie_on_one_line_with_the_real_ones() -> None:
    """A pair 1 apart at the middle of one 3 apart: each of its atoms goes out by 1."""
    found = nearest(np.array([[0.0, 0, 1], [0, 0, 2]]), np.array([[[5.0, 0, 0], [8, 0, 0]]]))
    np.testing.assert_allclose(found, [[0, 0, 0], [0, 0, 3]], atol=1e-9)


PAIR = chain(2)
MADE = stack([1], [PAIR], [np.array([[0.0, 0, 1], [0, 0, 2]])])
REAL = stack([1], [PAIR], [np.array([[5.0, 0, 0], [8, 0, 0]])])


@pytest.mark.parametrize(("way", "ends"), [(0.0, [1, 2]), (0.25, [0.75, 2.25]), (1.0, [0, 3])])
def test_a_conformer_goes_part_of_the_way_and_says_how_far(way: float, ends: list[float]) -> None:
    rows, moved = corrected(MADE, REAL, way)
    np.testing.assert_allclose(rows.positions[:, 2], ends, atol=1e-6)
    assert moved == pytest.approx(way, abs=1e-7)
    assert rows.positions.dtype == np.float32


def test_a_graph_that_no_real_row_has_stays_and_counts_in_the_mean_distance() -> None:
    """Two atoms move by 1, three of another graph do not: √(2/5)."""
    other = stack([2], [chain(3)], [RNG.normal(size=(3, 3))])
    both = stack([1, 2], [PAIR, chain(3)], [MADE.place(0), other.place(0)])
    rows, moved = corrected(both, REAL, 1.0)
    np.testing.assert_array_equal(rows.place(1), other.place(0))
    assert moved == pytest.approx((2 / 5) ** 0.5)


def test_a_graph_is_known_by_its_atoms_and_bonds_and_not_by_its_size() -> None:
    charged = Graph(PAIR.z, np.array([0, 1], np.int8), PAIR.bonds)
    rows, moved = corrected(MADE, stack([1], [charged], [REAL.place(0)]), 1.0)
    assert moved == 0
    np.testing.assert_array_equal(rows.positions, MADE.positions)


def test_of_several_real_rows_the_nearest_of_the_same_graph_counts() -> None:
    """Lengths 1.2, 3 and 7 for one of length 1; a row of another graph between them does not matter."""
    lengths = (7.0, 1.2, 3.0)
    places = [np.array([[0.0, 0, 0], [length, 0, 0]]) for length in lengths]
    real = stack([1, 9, 1, 1], [PAIR, chain(3), PAIR, PAIR], [places[0], RNG.normal(size=(3, 3)), *places[1:]])
    rows, moved = corrected(MADE, real, 1.0)
    assert np.linalg.norm(rows.place(0)[0] - rows.place(0)[1]) == pytest.approx(1.2, rel=1e-6)
    assert moved == pytest.approx(0.1, rel=1e-5)
